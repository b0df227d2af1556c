"""The tokens with which builds are published elsewhere: looked up, used and forgotten inside one activity."""

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from pydantic import SecretStr

from schemas.deployments import Target


class Account(NamedTuple):
    """A user's account at a target. `owner` is Cloudflare's account id or Vercel's team id."""

    token: SecretStr
    owner: str | None = None


class DeploymentTokens(Protocol):
    """Where accounts are looked up."""

    async def find(self, user_id: str, target: Target) -> Account | None:
        """The user's account at a target, None where there is none."""


# The variables that the targets' own command lines read.
_VARIABLES: dict[Target, tuple[str, str | None]] = {
    "cloudflare": ("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"),
    "netlify": ("NETLIFY_AUTH_TOKEN", None),
    "vercel": ("VERCEL_TOKEN", "VERCEL_TEAM_ID"),
}


class EnvironmentTokens:
    """Accounts out of the service's environment. They belong to the operator: only `users` may use them."""

    def __init__(self, env: Mapping[str, str], users: Collection[str] = ("local",)) -> None:
        self._users = frozenset(users)
        self._accounts: dict[Target, Account] = {}
        for target, (token_name, owner_name) in _VARIABLES.items():
            token = env.get(token_name, "").strip()
            owner = env.get(owner_name, "").strip() if owner_name else ""
            if token:
                self._accounts[target] = Account(SecretStr(token), owner or None)

    async def find(self, user_id: str, target: Target) -> Account | None:
        return self._accounts.get(target) if user_id in self._users else None
