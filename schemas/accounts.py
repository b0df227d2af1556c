"""People: what they may be, what they are shown of themselves, and the bodies of sign-in."""

import unicodedata
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from schemas.names import UNSEEN

Role = Literal["user", "operator"]

Scope = Literal["read", "sessions:write", "keys", "account", "operator"]
"""What a credential may be used for. `account` changes who has access, so no API key has it."""
KeyScope = Literal["read", "sessions:write", "keys", "operator"]

ALL_SCOPES: Final[frozenset[Scope]] = frozenset({"read", "sessions:write", "keys", "account", "operator"})

Access = Literal["view", "comment", "edit", "own"]
"""What a person may do with a session, each including those before it."""

ACCESS_ORDER: Final[tuple[Access, ...]] = ("view", "comment", "edit", "own")


def allows(access: Access, need: Access) -> bool:
    """Whether somebody who has `access` may do what needs `need`."""
    return ACCESS_ORDER.index(access) >= ACCESS_ORDER.index(need)


def _normal_email(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def _is_no_secret_of_few_letters(password: SecretStr) -> SecretStr:
    if len(set(password.get_secret_value())) < 5:
        raise ValueError("a password needs at least five different characters")
    return password


Email = Annotated[
    str,
    AfterValidator(_normal_email),
    StringConstraints(
        strip_whitespace=True, max_length=254, pattern=r"^[^\s@<>\"(),;:\\]{1,64}@[^\s@<>\"(),;:\\]+\.[^\s@.]+$"
    ),
]
"""An address, kept in lower case."""
Password = Annotated[SecretStr, Field(min_length=10, max_length=200), AfterValidator(_is_no_secret_of_few_letters)]
"""A new password."""
GivenPassword = Annotated[SecretStr, Field(min_length=1, max_length=200)]
"""A password to be checked."""
OneTimeToken = Annotated[SecretStr, Field(min_length=20, max_length=100)]


def _as_it_looks(name: str) -> str:
    if UNSEEN.search(name):
        raise ValueError("a name has no invisible characters")
    return name


DisplayName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$"),
    AfterValidator(_as_it_looks),
]
ClientKind = Literal["browser", "program"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SignUp(_Body):
    """Body of `POST /api/auth/sign-up`."""

    email: Email
    password: Password
    name: DisplayName


class Verify(_Body):
    """Body of `POST /api/auth/verify`: the token of the link in the mail."""

    token: OneTimeToken


class PasswordSignIn(_Body):
    """Body of `POST /api/auth/sign-in`. A browser gets a cookie, a program gets tokens."""

    email: Email
    password: GivenPassword
    client: ClientKind = "browser"


class Refresh(_Body):
    """Body of `POST /api/auth/refresh`."""

    refresh_token: Annotated[SecretStr, Field(min_length=20, max_length=200)]


class Forgot(_Body):
    """Body of `POST /api/auth/forgot`."""

    email: Email


class Reset(_Body):
    """Body of `POST /api/auth/reset`: the token of the link in the mail, and the new password."""

    token: OneTimeToken
    password: Password


class ChangePassword(_Body):
    """Body of `POST /api/me/password`. `old` is missing only for who never had a password."""

    old: GivenPassword | None = None
    new: Password


class DeleteAccount(_Body):
    """Body of `DELETE /api/account`. `password` is missing only for who never had one, and has just signed in."""

    password: GivenPassword | None = None


class StartOAuth(_Body):
    """Body of `POST /api/auth/oauth/{provider}`. `link` adds the provider to the account that is signed in."""

    link: bool = False


class OAuthStarted(BaseModel):
    """Where the browser goes next."""

    url: str


class AuthOptions(BaseModel):
    """Answer of `GET /api/auth`: how people sign in here."""

    mode: Literal["local", "accounts"]
    sign_up: bool
    providers: list[str]


class Me(BaseModel):
    """Answer of `GET /api/me`."""

    id: str
    name: str
    email: str | None
    role: Role
    has_password: bool
    scopes: list[Scope]


class ChangeMe(_Body):
    """Body of `PATCH /api/me`."""

    name: DisplayName


class Tokens(BaseModel):
    """What a program signs its requests with: the access token, for so many seconds; then it refreshes."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int
    refresh_token: str


class SignedIn(BaseModel):
    """Answer of a sign-in. `tokens` only for programs; a browser has got its cookie."""

    user: Me
    tokens: Tokens | None = None


class SignInInfo(BaseModel):
    """A place where a person is signed in."""

    id: str
    means: str
    client: ClientKind
    address: str
    user_agent: str
    created_at: datetime
    last_seen_at: datetime
    current: bool


class SignInList(BaseModel):
    """Answer of `GET /api/me/sign-ins`, latest first."""

    sign_ins: list[SignInInfo]


class IdentityInfo(BaseModel):
    """An account elsewhere that signs a person in here."""

    provider: str
    email: str
    created_at: datetime


class IdentityList(BaseModel):
    """Answer of `GET /api/me/identities`."""

    identities: list[IdentityInfo]


class CreateApiKey(_Body):
    """Body of `POST /api/me/api-keys`."""

    name: DisplayName
    scopes: list[KeyScope] = Field(min_length=1, max_length=4)
    expires_in_days: int = Field(default=90, ge=1, le=366)


class ApiKeyInfo(BaseModel):
    """An API key as it is shown: never the key itself, only its beginning."""

    id: str
    name: str
    hint: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class ApiKeyCreated(BaseModel):
    """Answer of `POST /api/me/api-keys`: the only time that the key is shown."""

    key: str
    info: ApiKeyInfo


class ApiKeyList(BaseModel):
    """Answer of `GET /api/me/api-keys`."""

    api_keys: list[ApiKeyInfo]


class UserInfo(BaseModel):
    """A user, as operators see it."""

    id: str
    email: str | None
    name: str
    role: Role
    disabled: bool
    created_at: datetime


class UserList(BaseModel):
    """Answer of `GET /api/users`; `next` is the value of `after` for the following page."""

    users: list[UserInfo]
    next: str | None = None


class ChangeUser(_Body):
    """Body of `PATCH /api/users/{user_id}`."""

    role: Role | None = None
    disabled: bool | None = None


class AuditEntry(BaseModel):
    """A security-relevant act. `actor` and `subject` are ids; `detail` never holds a secret or an e-mail address."""

    id: int
    at: datetime
    act: str
    outcome: Literal["done", "refused"]
    actor: str | None
    subject: str | None
    address: str
    request_id: str
    detail: dict[str, Any]


class AuditLog(BaseModel):
    """Answer of `GET /api/audit`, newest first; `next` is the value of `before` for the following page."""

    entries: list[AuditEntry]
    next: int | None = None
