"""How long data are kept, and how the operator writes it down."""

import re
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field

_RULE: Final = re.compile(r"([a-z_]+)\s*=\s*(off|[0-9]{1,5})")


class RetentionRules(BaseModel):
    """Days after which something is put away or deleted; None keeps it for good. Input of the workflow `Retention`.

    `archive_sessions`: sessions at rest that nothing happened in are put away. `delete_sessions`: those that have been
    put away, by whomever, are deleted with everything. `ledger` and `audit`: rows of those logs. `sign_ins`: sign-ins,
    links and keys that ended. `notices`: notices about budgets of days and months.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    archive_sessions: int | None = Field(default=None, ge=1)
    delete_sessions: int | None = Field(default=None, ge=1)
    ledger: int | None = Field(default=None, ge=32)
    audit: int | None = Field(default=None, ge=1)
    sign_ins: int | None = Field(default=90, ge=1)
    notices: int | None = Field(default=400, ge=32)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The default rules changed by `text`: `archive_sessions=90, delete_sessions=365, notices=off`. Raises
        ValueError."""
        given: dict[str, int | None] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            found = _RULE.fullmatch(part)
            if found is None or found[1] not in cls.model_fields:
                raise ValueError(f"{part[:60]!r} is not a time that something is kept")
            given[found[1]] = None if found[2] == "off" else int(found[2])
        return cls.model_validate(given)


class OldSession(BaseModel):
    """A session whose time is over."""

    id: str
    user_id: str


class OldSessions(BaseModel):
    """Some sessions whose time is over."""

    sessions: list[OldSession] = Field(default_factory=list)


class Forgotten(BaseModel):
    """How many rows were deleted, or sessions put away, by kind."""

    counts: dict[str, int] = Field(default_factory=dict)
