"""Previews over HTTP: who may see one, how it is, what its server and its pages say."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.checks import Issue
from schemas.session import Preview

PreviewAction = Literal["start", "restart", "stop"]
ServerStatus = Literal["stopped", "starting", "ready", "failed"]


class PreviewControl(BaseModel):
    """Body of `POST /api/sessions/{id}/preview`: what the development server should do."""

    model_config = ConfigDict(extra="forbid")

    action: PreviewAction


class ServerReport(BaseModel):
    """What a development server was seen doing last. `lines` are its newest output, untrusted text, oldest first."""

    status: ServerStatus = "stopped"
    detail: str = ""
    restarts: int = 0
    lines: list[str] = Field(default_factory=list)
    issues: list[Issue] = Field(default_factory=list)


class PreviewInfo(BaseModel):
    """Answer of `GET /api/sessions/{id}/preview`.

    `entrance` is an address that lets the browser that opens it see the preview, until `expires_at` or until that is
    taken back. A server that is stopped starts by itself when the preview is opened.
    """

    preview: Preview
    entrance: str | None
    expires_at: datetime | None
    server: ServerStatus
    detail: str
    restarts: int


class PreviewLogs(BaseModel):
    """Answer of `GET /api/sessions/{id}/preview/logs`: lines and issues that repeat are counted, not repeated.

    `server` holds what the development server printed; `issues` what was read from that, and from the console and the
    requests of the pages that were looked at.
    """

    server: list[str]
    issues: list[Issue]
    seen_at: datetime | None
