"""People: what they may be, what they are shown of themselves, and the bodies of sign-in."""

from typing import Final, Literal

Role = Literal["user", "operator"]

Scope = Literal["read", "sessions:write", "keys", "account", "operator"]
"""What a credential may be used for. `account` and everything below it changes who has access, so no key has it."""

ALL_SCOPES: Final[frozenset[Scope]] = frozenset({"read", "sessions:write", "keys", "account", "operator"})

Access = Literal["view", "comment", "edit", "own"]
"""What a person may do with a session, each including those before it."""

ACCESS_ORDER: Final[tuple[Access, ...]] = ("view", "comment", "edit", "own")


def allows(access: Access, need: Access) -> bool:
    """Whether somebody who has `access` may do what needs `need`."""
    return ACCESS_ORDER.index(access) >= ACCESS_ORDER.index(need)
