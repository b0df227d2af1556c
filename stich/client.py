"""A client of the HTTP interface: start a session, follow it through any break, steer it, export it.

async with StichClient(url, token) as client:
    session = await client.start(CreateSession(prompt="A kanban board"))
    async for item in client.follow(session.id):
        ...
"""

import contextlib
import secrets
from collections.abc import AsyncGenerator, Callable
from decimal import Decimal
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

import orjson
from pydantic import SecretStr

from schemas.analytics import Analytics
from schemas.budgets import Budgets, SessionBudget, SetOwnBudgets, SetSessionBudget
from schemas.candidates import Candidate, CandidateChoice
from schemas.deployments import Deployment, DeploymentWithdrawal, Target
from schemas.github import ExportToGithub, GithubAccount, GithubExport
from schemas.http import (
    CreateDeployment,
    CreateSession,
    DeploymentList,
    FileList,
    MessageAccepted,
    PostMessage,
    SessionCreated,
    SessionList,
    SessionSnapshot,
)
from schemas.previews import PreviewAction, PreviewControl, PreviewInfo, PreviewLogs
from schemas.session import RESTING_STATES, Preview, Progress, StateInfo
from stich.client_connection import Connection, Sequenced, StichHttpError, StichUnreachable
from stich.client_history import History
from stich.client_webhooks import WebhookInvalid, Webhooks, verify_webhook

__all__ = [
    "Sequenced",
    "StichClient",
    "StichHttpError",
    "StichUnreachable",
    "WebhookInvalid",
    "verify_webhook",
]

PREVIEW_SECONDS: Final = 60.0
RECORDING_SECONDS: Final = 120.0


class StichClient:
    """A connection to one service. An async context manager.

    patience: how many seconds the service may be out of reach, or ask to be left alone (status 429), before `follow`
    and the other calls give up.
    lost: told, with the reason, when a stream broke and is about to be opened again, until it holds.
    """

    def __init__(
        self, url: str, token: str, *, patience: float = 60.0, lost: Callable[[str], None] | None = None
    ) -> None:
        self._connection = Connection(url, token, patience, lost)
        self._ask, self._call = self._connection.ask, self._connection.call
        self.history = History(self._connection)
        """Editing files, pictures, queued messages, and the versions of the project."""
        self.webhooks = Webhooks(self._connection)
        """Addresses that are told what happens in the user's sessions."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connection.aclose()

    async def start(self, session: CreateSession, idempotency_key: str) -> SessionCreated:
        """Start a session. Safe to repeat: the same key with the same session leads to the same one."""
        return await self._ask(
            SessionCreated,
            "POST",
            "/api/sessions",
            session.model_dump_json(exclude_defaults=True),
            {"Idempotency-Key": idempotency_key},
        )

    async def snapshot(self, session_id: str) -> SessionSnapshot:
        """The whole picture of a session as it is now."""
        return await self._ask(SessionSnapshot, "GET", _path(session_id))

    async def message(self, session_id: str, message: PostMessage) -> MessageAccepted:
        """Say something to a session. Saying a message with the same id again is harmless."""
        message = message if message.id else message.model_copy(update={"id": f"m-{secrets.token_hex(8)}"})
        return await self._ask(
            MessageAccepted, "POST", _path(session_id, "messages"), message.model_dump_json(exclude_none=True)
        )

    async def stop(self, session_id: str) -> StateInfo:
        """Stop what the session is doing. Returns the state afterwards. Stopping twice is harmless."""
        return await self._ask(StateInfo, "POST", _path(session_id, "stop"))

    async def resume(self, session_id: str) -> StateInfo:
        """Go on with what is missing. Returns the state afterwards. A session that goes on already is left alone."""
        return await self._ask(StateInfo, "POST", _path(session_id, "resume"))

    async def files(self, session_id: str) -> FileList:
        """The files of the project as it stands."""
        return await self._ask(FileList, "GET", _path(session_id, "files"))

    async def preview(self, session_id: str) -> PreviewInfo:
        """How the preview is, and an address that lets a browser see it for some hours."""
        return await self._ask(PreviewInfo, "GET", _path(session_id, "preview"))

    async def control_preview(self, session_id: str, action: PreviewAction) -> Preview:
        """Start, restart or stop the preview's server. Returns the preview afterwards."""
        body = PreviewControl(action=action).model_dump_json()
        return await self._ask(Preview, "POST", _path(session_id, "preview"), body, seconds=PREVIEW_SECONDS)

    async def preview_logs(self, session_id: str) -> PreviewLogs:
        """The end of the development server's log, and what went wrong in the pages."""
        return await self._ask(PreviewLogs, "GET", _path(session_id, "preview/logs"))

    async def publish(self, session_id: str, deployment: CreateDeployment) -> Deployment:
        """Ask for a deployment. Asking again with the same id is harmless; `deployments` and events tell the rest."""
        if deployment.id is None:
            deployment = deployment.model_copy(update={"id": f"d-{secrets.token_hex(8)}"})
        body = deployment.model_dump_json(exclude_none=True)
        return await self._ask(Deployment, "POST", _path(session_id, "deployments"), body)

    async def deployments(self, session_id: str) -> list[Deployment]:
        """What was published, newest first."""
        return (await self._ask(DeploymentList, "GET", _path(session_id, "deployments"))).deployments

    async def withdraw(self, session_id: str, target: Target) -> Deployment:
        """Take what is published at a target from the net."""
        body = DeploymentWithdrawal(target=target).model_dump_json()
        return await self._ask(Deployment, "POST", _path(session_id, "deployments/withdraw"), body)

    async def choose(self, session_id: str, candidate_id: str) -> Candidate:
        """Go on with another of a session's candidates. Events tell the rest."""
        body = CandidateChoice(candidate_id=candidate_id).model_dump_json()
        return await self._ask(Candidate, "POST", _path(session_id, "candidates/choose"), body)

    async def sessions(self) -> SessionList:
        """The newest sessions of the user."""
        return await self._ask(SessionList, "GET", "/api/sessions")

    async def archive(self, session_id: str) -> None:
        """Put a session away."""
        await self._call("POST", _path(session_id, "archive"))

    async def unarchive(self, session_id: str) -> None:
        """List a session among the others again."""
        await self._call("POST", _path(session_id, "unarchive"))

    async def delete(self, session_id: str) -> None:
        """Delete a session for good. The service does so even if nobody waits for it."""
        await self._call("DELETE", _path(session_id))

    async def budgets(self) -> Budgets:
        """The user's budgets, and how they stand."""
        return await self._ask(Budgets, "GET", "/api/budgets")

    async def set_budgets(self, budgets: SetOwnBudgets) -> Budgets:
        """Set those of the user's own limits that `budgets` names."""
        body = budgets.model_dump_json(exclude_unset=True)
        return await self._ask(Budgets, "PUT", "/api/budgets", body)

    async def session_budget(self, session_id: str) -> SessionBudget:
        """Every budget that bounds a session."""
        return await self._ask(SessionBudget, "GET", _path(session_id, "budget"))

    async def set_session_budget(self, session_id: str, limit_usd: Decimal | None) -> SessionBudget:
        """Set what a session may spend; one that waits for its budget goes on."""
        body = SetSessionBudget(limit_usd=limit_usd).model_dump_json()
        return await self._ask(SessionBudget, "PUT", _path(session_id, "budget"), body)

    async def analytics(self, days: int = 30) -> Analytics:
        """The user's calls of models, summed."""
        return await self._ask(Analytics, "GET", f"/api/analytics/me?days={days}")

    async def session_analytics(self, session_id: str, days: int = 30) -> Analytics:
        """A session's calls of models, summed."""
        path = f"/api/analytics/sessions/{quote(session_id, safe='')}?days={days}"
        return await self._ask(Analytics, "GET", path)

    async def read(self, session_id: str, path: str) -> bytes:
        """The content of one file as it stands."""
        return (await self._call("GET", _path(session_id, f"files/{quote(path)}"))).content

    def follow(self, session_id: str, after: int | None = None) -> AsyncGenerator[SessionSnapshot | Sequenced, None]:
        """A snapshot, then every event after it, once each and in order; after a break, what was missed.

        A snapshot may be ahead of the events that follow: applying them again changes nothing.

        With `after`, begins behind that number instead. The service may send a new snapshot at any time; it replaces
        what was known. Never ends by itself. Raises StichHttpError when the service refuses, StichUnreachable when it
        stays away.
        """
        return self._connection.follow(session_id, after)

    async def wait(
        self, session_id: str, *, told: Callable[[SessionSnapshot | Sequenced], None] | None = None
    ) -> Progress:
        """Follow a session until it rests: completed, failed, stopped, or waiting for somebody. Returns its picture.

        `told` gets the snapshot and every event on the way. Bound the wait with `asyncio.timeout`.
        """
        newest: StateInfo | None = None
        async with contextlib.aclosing(self.follow(session_id)) as items:
            async for item in items:
                if told is not None:
                    told(item)
                if isinstance(item, SessionSnapshot):
                    state = item.progress.state
                elif item.event.type == "session_state":
                    state = item.event.state
                else:
                    continue
                # A snapshot may be ahead of the events that come after it.
                newest = state if newest is None or state.since >= newest.since else newest
                if newest.name in RESTING_STATES:
                    break
        return (await self.snapshot(session_id)).progress

    async def export(self, session_id: str) -> bytes:
        """The whole project as a ZIP archive."""
        return (await self._call("GET", _path(session_id, "export.zip"))).content

    async def recording(self, session_id: str) -> bytes:
        """A session at rest as a recording, for `stich replay`: a ZIP archive."""
        return (await self._call("GET", _path(session_id, "recording"), seconds=RECORDING_SECONDS)).content

    async def export_to_github(self, session_id: str, wanted: ExportToGithub) -> GithubExport:
        """Push the session's repository to GitHub, with the user's stored token. Doing it again sends what is new."""
        body = wanted.model_dump_json(exclude_defaults=True)
        return await self._ask(GithubExport, "POST", _path(session_id, "github"), body, seconds=RECORDING_SECONDS)

    async def put_github_token(self, token: SecretStr) -> GithubAccount:
        """Store the user's token of GitHub in the vault."""
        body = orjson.dumps({"token": token.get_secret_value()}).decode()
        return await self._ask(GithubAccount, "PUT", "/api/github/token", body)


def _path(session_id: str, part: str = "") -> str:
    return f"/api/sessions/{quote(session_id, safe='')}" + (f"/{part}" if part else "")
