"""What an operator does from a terminal on the machine: users, signing keys, the audit log."""

import getpass
import os
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final, NamedTuple

from pydantic import TypeAdapter, ValidationError

from api.access_tokens import AccessTokens
from api.account_mails import reset_link
from api.key_holders import hash_of, new_key
from api.settings import ApiSettings
from schemas.accounts import AuditEntry, Email, Role, Scope
from stich.api_server import api_settings_from
from stich.database import open_database, required_url
from stich.errors import StichError
from stich.home import Home
from stich.processes.postgres import Postgres
from stich.settings import Settings
from storage.api_keys import ApiKeys
from storage.audit import Audit
from storage.database import Database
from storage.one_time_tokens import OneTime, OneTimeTokens
from storage.users import EmailTaken, User, Users

INVITATION: Final = timedelta(days=7)
_EMAIL: Final[TypeAdapter[str]] = TypeAdapter(Email)


class Added(NamedTuple):
    """A user, and the link that sets the first password, shown to the operator once."""

    user: User
    link: str


class Installation:
    """The database of an installation and what its operator may do with it."""

    def __init__(self, database: Database, settings: ApiSettings, origin: str) -> None:
        self._users = Users(database)
        self._tokens = OneTimeTokens(database)
        self._api_keys = ApiKeys(database)
        self._audit = Audit(database)
        self._access = AccessTokens(database, settings.derive_key("signing keys"), settings.origin)
        self._origin = origin

    async def add_user(self, email: str, name: str | None, role: Role) -> Added:
        """Raises StichError when the address cannot be used."""
        address = email_of(email)
        try:
            user = await self._users.add(email=address, name=name or address.partition("@")[0][:80], role=role)
        except EmailTaken:
            raise StichError("There is a user with this address already; `stich users link` sets a password.") from None
        await self._note("user_added", user.id, role=role)
        return Added(user, await self._link(user))

    async def new_link(self, email: str) -> Added:
        """A link that sets a new password. Raises StichError when there is no such user."""
        user = await self._find(email)
        await self._note("password_link_made", user.id)
        return Added(user, await self._link(user))

    async def make_key(self, email: str, name: str, scopes: Sequence[Scope], days: int) -> str:
        """An API key that acts for a user, shown once. Raises StichError when there is no such user."""
        user = await self._find(email)
        if "operator" in scopes and user.role != "operator":
            raise StichError("Only an operator's key can have the scope operator.")
        made = new_key()
        key_id, life = f"key-{secrets.token_hex(8)}", timedelta(days=days)
        await self._api_keys.add(
            key_id, user.id, name=name, key_hash=made.hash, hint=made.hint, scopes=list(scopes), life=life
        )
        await self._note("api_key_made", user.id, key=key_id, scopes=list(scopes))
        return made.key

    async def set_role(self, email: str, role: Role) -> None:
        user = await self._find(email)
        await self._users.set_role(user.id, role)
        await self._note("role_changed", user.id, role=role)

    async def set_disabled(self, email: str, disabled: bool) -> None:
        user = await self._find(email)
        await self._users.set_disabled(user.id, disabled)
        await self._note("user_disabled" if disabled else "user_enabled", user.id)

    async def users(self) -> AsyncIterator[User]:
        last = ""
        while page := await self._users.list(500, last):
            for user in page:
                yield user
            last = page[-1].id

    async def rotate_signing_keys(self, at_once: bool) -> str:
        """The id of the new key."""
        key_id = await self._access.rotate(at_once=at_once)
        await self._note("signing_keys_rotated", key_id, at_once=int(at_once))
        return key_id

    async def audit(self, limit: int, user: str | None) -> list[AuditEntry]:
        """The last acts, oldest first; those of one user, by id or address, where one is named."""
        user_id = (await self._find(user)).id if user and "@" in user else user
        return (await self._audit.list(limit, user_id=user_id))[::-1]

    async def _find(self, email: str) -> User:
        user = await self._users.by_email(email_of(email))
        if user is None:
            raise StichError("There is no user with this address; `stich users list` shows everybody.")
        return user

    async def _link(self, user: User) -> str:
        token = secrets.token_urlsafe(32)
        await self._tokens.add(hash_of(token), "reset", OneTime(user.id, user.email or "", "", None), INVITATION)
        return reset_link(self._origin, token)

    async def _note(self, act: str, subject: str, **detail: str | int | list[str]) -> None:
        await self._audit.record(act, "done", actor=None, subject=subject, detail={"terminal_of": _who(), **detail})


def email_of(text: str) -> str:
    """An address as it is kept. Raises StichError for what is none."""
    try:
        return _EMAIL.validate_python(text)
    except ValidationError:
        raise StichError(f"“{text[:80]}” is not an e-mail address.") from None


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


@asynccontextmanager
async def installation(settings: Settings) -> AsyncIterator[Installation]:
    """The installation that DATABASE_URL names, else the one that `stich up` runs on this home. Raises StichError."""
    running = Home(settings.home).running()
    if settings.database_url is not None:
        url = required_url(settings)
    elif running is not None:
        url = Postgres(Home(settings.home), {}).dsn
    else:
        raise StichError("stich is not running on this home; start it with `stich up`, or set DATABASE_URL.")
    if running is not None and settings.public_url is None:
        # Tokens name the address that the service is reached by.
        settings = settings.model_copy(update={"port": int(running.local_url.rpartition(":")[2])})
    api_settings = api_settings_from(settings, os.environ)
    async with open_database(url, 2, "stich-operator") as database:
        yield Installation(database, api_settings, running.url if running else api_settings.origin)
