"""Users' accounts at the places where applications can be published: tokens in the vault, under names of their own."""

from datetime import datetime
from typing import Final, NamedTuple, get_args

from pydantic import SecretStr

from schemas.deployments import Target
from storage.vault import StoredSecret, Vault

_PREFIX: Final = "deploy:"
_TARGETS: Final[dict[str, Target]] = {f"{_PREFIX}{target}": target for target in get_args(Target)}


class StoredAccount(NamedTuple):
    """What may be known of an account without opening it. `owner` is Cloudflare's account id or Vercel's team id."""

    target: Target
    owner: str
    hint: str
    created_at: datetime
    last_used_at: datetime | None


class DeploymentAccounts:
    """Repository of tokens. They are bound to their target: what opens keys of model providers leaves them out."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def put(self, user_id: str, target: Target, token: SecretStr, owner: str) -> StoredAccount:
        """Store a token, in place of the one for that target. Raises VaultLocked."""
        name = _PREFIX + target
        return _account(target, await self._vault.put(user_id, name, token, bound=name, note=owner))

    async def list(self, user_id: str) -> "list[StoredAccount]":
        """The user's accounts."""
        stored = await self._vault.list(user_id)
        return [_account(_TARGETS[each.name], each) for each in stored if each.name in _TARGETS]

    async def delete(self, user_id: str, target: Target) -> bool:
        """Forget a token. False where there is none."""
        return await self._vault.delete(user_id, _PREFIX + target)

    async def open(self, user_id: str, target: Target) -> tuple[SecretStr, str] | None:
        """The token and its owner, to be used at once and not kept. Raises VaultLocked."""
        name = _PREFIX + target
        token = (await self._vault.open(user_id, {name: name}, only=[name])).get(name)
        if token is None:
            return None
        await self._vault.used(user_id, [name])
        notes = {each.name: each.note for each in await self._vault.list(user_id)}
        return token, notes.get(name, "")


def _account(target: Target, stored: StoredSecret) -> StoredAccount:
    return StoredAccount(target, stored.note, stored.hint, stored.created_at, stored.last_used_at)
