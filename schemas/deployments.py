"""Publishing a session's application: where to, and how far it is."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas.secrets import HeaderSecret

Target = Literal["local", "cloudflare", "netlify", "vercel"]
DeploymentStatus = Literal["requested", "building", "uploading", "live", "withdrawing", "withdrawn", "failed"]
DeploymentId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

TARGET_TITLES: dict[Target, str] = {
    "local": "this service",
    "cloudflare": "Cloudflare Pages",
    "netlify": "Netlify",
    "vercel": "Vercel",
}
UNDER_WAY: frozenset[DeploymentStatus] = frozenset({"requested", "building", "uploading", "withdrawing"})


class Deployment(BaseModel):
    """A published application, or one on its way there.

    `version` is the version of the project's files that was asked for, None for the newest; `digest` tells contents
    apart; `size` in bytes. `detail` says in plain words why it failed, `code` says it to programs.
    """

    id: DeploymentId
    target: Target
    status: DeploymentStatus = "requested"
    version: int | None = None
    url: str | None = None
    digest: str | None = None
    files: int = 0
    size: int = 0
    detail: str = ""
    code: str | None = None
    requested_at: datetime
    changed_at: datetime


class DeploymentRequest(BaseModel):
    """Publish the application. The id makes asking twice harmless."""

    model_config = ConfigDict(extra="forbid")

    id: DeploymentId
    target: Target = "local"
    version: int | None = Field(default=None, ge=1)


class DeploymentWithdrawal(BaseModel):
    """Take what is published at a target from the net."""

    model_config = ConfigDict(extra="forbid")

    target: Target


class PutDeploymentAccount(BaseModel):
    """Body of `PUT /api/deployment-accounts/{target}`. `owner` is Cloudflare's account id or Vercel's team id."""

    model_config = ConfigDict(extra="forbid")

    token: Annotated[HeaderSecret, Field(min_length=8, max_length=1_000)]
    owner: str = Field(default="", pattern=r"^[A-Za-z0-9_-]{0,100}$")


class DeploymentAccount(BaseModel):
    """A stored token, as far as it is ever shown. `hint` is its last characters."""

    target: Target
    title: str
    owner: str = ""
    hint: str
    created_at: datetime
    last_used_at: datetime | None


class DeploymentAccountList(BaseModel):
    """Answer of `GET /api/deployment-accounts`."""

    accounts: tuple[DeploymentAccount, ...]
