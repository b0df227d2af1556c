"""Sessions that several people work on: who may do what, by which link, and who watches now."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from schemas.accounts import Access, Email
from schemas.http import SessionSummary

SharedAccess = Literal["view", "comment", "edit"]


class ShareWithUser(BaseModel):
    """Body of `POST /api/sessions/{id}/shares`."""

    model_config = ConfigDict(extra="forbid")

    email: Email
    access: SharedAccess = "view"


class CreateShareLink(BaseModel):
    """Body of `POST /api/sessions/{id}/share-links`. An `anonymous` link needs no account, and only lets look."""

    model_config = ConfigDict(extra="forbid")

    access: SharedAccess = "view"
    expires_in_days: int = Field(default=30, ge=1, le=366)
    anonymous: bool = False

    @model_validator(mode="after")
    def _guests_only_look(self) -> Self:
        if self.anonymous and self.access != "view":
            raise ValueError("people without an account may only look: `anonymous` goes with the access `view`")
        return self


class AcceptShare(BaseModel):
    """Body of `POST /api/shared-sessions`: what stands behind the `#` of a share link."""

    model_config = ConfigDict(extra="forbid")

    token: Annotated[SecretStr, Field(min_length=20, max_length=100)]


class ShareInfo(BaseModel):
    """Somebody who may use a session. `link_id` names the link that it came by, where it did."""

    user_id: str
    name: str
    access: SharedAccess
    link_id: str | None
    created_at: datetime


class ShareLinkInfo(BaseModel):
    """A link that shares a session, without its secret."""

    id: str
    access: SharedAccess
    anonymous: bool = False
    created_at: datetime
    expires_at: datetime


class ShareLinkCreated(BaseModel):
    """Answer of `POST /api/sessions/{id}/share-links`: the only time that the address is shown."""

    url: str
    link: ShareLinkInfo


class ShareList(BaseModel):
    """Answer of `GET /api/sessions/{id}/shares`."""

    shares: list[ShareInfo]
    links: list[ShareLinkInfo]


class SharedSession(BaseModel):
    """A session of somebody else that the person who asks may use."""

    session: SessionSummary
    owner: str
    access: Access


class SharedSessionList(BaseModel):
    """Answer of `GET /api/shared-sessions`, the newest session first, at most 100."""

    sessions: list[SharedSession]


class ShareAccepted(BaseModel):
    """Answer of `POST /api/shared-sessions`."""

    session_id: str
    access: Access


class SessionAccess(BaseModel):
    """Answer of `GET /api/sessions/{id}/access`. `owner` is the name of whose session it is, empty without one."""

    access: Access
    owner: str


class Watcher(BaseModel):
    """Somebody who has the session open."""

    user_id: str
    name: str
    since: datetime


class Presence(BaseModel):
    """Who has a session open now. Data of the SSE event `presence`, which has no number and is not stored."""

    watchers: list[Watcher]
