"""A client of the HTTP interface: start a session, follow it through any break, steer it, export it.

async with StichClient(url, token) as client:
    session = await client.start(CreateSession(prompt="A kanban board"))
    async for item in client.follow(session.id):
        ...
"""

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from decimal import Decimal
from types import TracebackType
from typing import Any, Final, NamedTuple, Self
from urllib.parse import quote

import httpx
import orjson
from pydantic import SecretStr, TypeAdapter, ValidationError

from schemas.analytics import Analytics
from schemas.budgets import Budgets, SessionBudget, SetOwnBudgets, SetSessionBudget
from schemas.candidates import Candidate, CandidateChoice
from schemas.deployments import Deployment, DeploymentWithdrawal, Target
from schemas.events import Event
from schemas.github import ExportToGithub, GithubAccount, GithubExport
from schemas.http import (
    CreateDeployment,
    CreateSession,
    DeploymentList,
    FileList,
    MessageAccepted,
    PostMessage,
    Problem,
    SessionCreated,
    SessionList,
    SessionSnapshot,
)
from schemas.previews import PreviewAction, PreviewControl, PreviewInfo, PreviewLogs
from schemas.session import RESTING_STATES, Preview, Progress, StateInfo
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

SILENCE_SECONDS: Final = 45.0
"""A stream without even a heartbeat for this long is taken for dead; the service sends one every 15 s."""
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
ANSWER_SECONDS: Final = 30.0
PREVIEW_SECONDS: Final = 60.0
RECORDING_SECONDS: Final = 120.0

_EVENT: Final[TypeAdapter[Event]] = TypeAdapter(Event)


class StichHttpError(Exception):
    """The service refused. `problem` is its answer, where it gave one in the documented form."""

    def __init__(self, status: int, sentence: str, problem: Problem | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.problem = problem


class StichUnreachable(Exception):
    """The service did not answer for longer than was allowed."""


class Sequenced(NamedTuple):
    """An event and its number in the session's sequence. `raw` is the JSON object as it came."""

    seq: int
    event: Event
    raw: dict[str, Any]


class StichClient:
    """A connection to one service. An async context manager.

    patience: how many seconds the service may be out of reach, or ask to be left alone (status 429), before `follow`
    and the other calls give up.
    lost: told, with the reason, when a stream broke and is about to be opened again, until it holds.
    """

    def __init__(
        self, url: str, token: str, *, patience: float = 60.0, lost: Callable[[str], None] | None = None
    ) -> None:
        self._patience = patience
        self._lost = lost
        self._http = httpx.AsyncClient(
            base_url=url.rstrip("/"),
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=5),
            trust_env=False,  # a proxy of the environment must not see the token of a service on this machine
        )

        self.history = History(self._call)
        """Editing files, pictures, queued messages, and the versions of the project."""
        self.webhooks = Webhooks(self._call)
        """Addresses that are told what happens in the user's sessions."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def start(self, session: CreateSession, idempotency_key: str) -> SessionCreated:
        """Start a session. Safe to repeat: the same key with the same session leads to the same one."""
        answer = await self._call(
            "POST",
            "/api/sessions",
            session.model_dump_json(exclude_defaults=True),
            {"Idempotency-Key": idempotency_key},
        )
        return SessionCreated.model_validate_json(answer.content)

    async def snapshot(self, session_id: str) -> SessionSnapshot:
        """The whole picture of a session as it is now."""
        return SessionSnapshot.model_validate_json((await self._call("GET", _path(session_id))).content)

    async def message(self, session_id: str, message: PostMessage) -> MessageAccepted:
        """Say something to a session. Saying a message with the same id again is harmless."""
        message = message if message.id else message.model_copy(update={"id": f"m-{secrets.token_hex(8)}"})
        answer = await self._call("POST", _path(session_id, "messages"), message.model_dump_json(exclude_none=True))
        return MessageAccepted.model_validate_json(answer.content)

    async def stop(self, session_id: str) -> StateInfo:
        """Stop what the session is doing. Returns the state afterwards. Stopping twice is harmless."""
        return StateInfo.model_validate_json((await self._call("POST", _path(session_id, "stop"))).content)

    async def resume(self, session_id: str) -> StateInfo:
        """Go on with what is missing. Returns the state afterwards. A session that goes on already is left alone."""
        return StateInfo.model_validate_json((await self._call("POST", _path(session_id, "resume"))).content)

    async def files(self, session_id: str) -> FileList:
        """The files of the project as it stands."""
        return FileList.model_validate_json((await self._call("GET", _path(session_id, "files"))).content)

    async def preview(self, session_id: str) -> PreviewInfo:
        """How the preview is, and an address that lets a browser see it for some hours."""
        return PreviewInfo.model_validate_json((await self._call("GET", _path(session_id, "preview"))).content)

    async def control_preview(self, session_id: str, action: PreviewAction) -> Preview:
        """Start, restart or stop the preview's server. Returns the preview afterwards."""
        body = PreviewControl(action=action).model_dump_json()
        answer = await self._call("POST", _path(session_id, "preview"), body, seconds=PREVIEW_SECONDS)
        return Preview.model_validate_json(answer.content)

    async def preview_logs(self, session_id: str) -> PreviewLogs:
        """The end of the development server's log, and what went wrong in the pages."""
        return PreviewLogs.model_validate_json((await self._call("GET", _path(session_id, "preview/logs"))).content)

    async def publish(self, session_id: str, deployment: CreateDeployment) -> Deployment:
        """Ask for a deployment. Asking again with the same id is harmless; `deployments` and events tell the rest."""
        if deployment.id is None:
            deployment = deployment.model_copy(update={"id": f"d-{secrets.token_hex(8)}"})
        body = deployment.model_dump_json(exclude_none=True)
        return Deployment.model_validate_json(
            (await self._call("POST", _path(session_id, "deployments"), body)).content
        )

    async def deployments(self, session_id: str) -> list[Deployment]:
        """What was published, newest first."""
        answer = await self._call("GET", _path(session_id, "deployments"))
        return DeploymentList.model_validate_json(answer.content).deployments

    async def withdraw(self, session_id: str, target: Target) -> Deployment:
        """Take what is published at a target from the net."""
        body = DeploymentWithdrawal(target=target).model_dump_json()
        answer = await self._call("POST", _path(session_id, "deployments/withdraw"), body)
        return Deployment.model_validate_json(answer.content)

    async def choose(self, session_id: str, candidate_id: str) -> Candidate:
        """Go on with another of a session's candidates. Events tell the rest."""
        body = CandidateChoice(candidate_id=candidate_id).model_dump_json()
        answer = await self._call("POST", _path(session_id, "candidates/choose"), body)
        return Candidate.model_validate_json(answer.content)

    async def sessions(self) -> SessionList:
        """The newest sessions of the user."""
        return SessionList.model_validate_json((await self._call("GET", "/api/sessions")).content)

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
        return Budgets.model_validate_json((await self._call("GET", "/api/budgets")).content)

    async def set_budgets(self, budgets: SetOwnBudgets) -> Budgets:
        """Set those of the user's own limits that `budgets` names."""
        body = budgets.model_dump_json(exclude_unset=True)
        return Budgets.model_validate_json((await self._call("PUT", "/api/budgets", body)).content)

    async def session_budget(self, session_id: str) -> SessionBudget:
        """Every budget that bounds a session."""
        return SessionBudget.model_validate_json((await self._call("GET", _path(session_id, "budget"))).content)

    async def set_session_budget(self, session_id: str, limit_usd: Decimal | None) -> SessionBudget:
        """Set what a session may spend; one that waits for its budget goes on."""
        body = SetSessionBudget(limit_usd=limit_usd).model_dump_json()
        return SessionBudget.model_validate_json((await self._call("PUT", _path(session_id, "budget"), body)).content)

    async def analytics(self, days: int = 30) -> Analytics:
        """The user's calls of models, summed."""
        return Analytics.model_validate_json((await self._call("GET", f"/api/analytics/me?days={days}")).content)

    async def session_analytics(self, session_id: str, days: int = 30) -> Analytics:
        """A session's calls of models, summed."""
        path = f"/api/analytics/sessions/{quote(session_id, safe='')}?days={days}"
        return Analytics.model_validate_json((await self._call("GET", path)).content)

    async def read(self, session_id: str, path: str) -> bytes:
        """The content of one file as it stands."""
        return (await self._call("GET", _path(session_id, f"files/{quote(path)}"))).content

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
        answer = await self._call("POST", _path(session_id, "github"), body, seconds=RECORDING_SECONDS)
        return GithubExport.model_validate_json(answer.content)

    async def put_github_token(self, token: SecretStr) -> GithubAccount:
        """Store the user's token of GitHub in the vault."""
        body = orjson.dumps({"token": token.get_secret_value()})
        return GithubAccount.model_validate_json((await self._call("PUT", "/api/github/token", body)).content)

    async def follow(
        self, session_id: str, after: int | None = None
    ) -> AsyncGenerator[SessionSnapshot | Sequenced, None]:
        """A snapshot, then every event after it, once each and in order; after a break, what was missed.

        A snapshot may be ahead of the events that follow: applying them again changes nothing.

        With `after`, begins behind that number instead. The service may send a new snapshot at any time; it replaces
        what was known. Never ends by itself. Raises StichHttpError when the service refuses, StichUnreachable when it
        stays away.
        """
        last, pause, away_since = after, FIRST_PAUSE, time.monotonic()
        while True:
            told = 0.0
            try:
                async for item in self._stream(session_id, last):
                    pause, away_since = FIRST_PAUSE, time.monotonic()
                    if isinstance(item, Sequenced):
                        if last is not None and item.seq <= last:
                            continue
                        last = item.seq
                    else:
                        last = item.progress.last_seq
                    yield item
                reason = "the stream ended"
            except (httpx.TransportError, _Unavailable) as error:
                reason, told = str(error) or type(error).__name__, _told_to_wait(error)
                if isinstance(error, _Limited) and time.monotonic() - away_since + told > self._patience:
                    raise error.refusal from None
            if time.monotonic() - away_since > self._patience:
                raise StichUnreachable(f"The service has been out of reach for {self._patience:.0f} s ({reason}).")
            if self._lost is not None and pause == FIRST_PAUSE:  # once, not at each attempt
                self._lost(reason)
            await asyncio.sleep(told or pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _stream(self, session_id: str, last: int | None) -> AsyncIterator[SessionSnapshot | Sequenced]:
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"} | (
            {"Last-Event-ID": str(last)} if last is not None else {}
        )
        timeout = httpx.Timeout(5, read=SILENCE_SECONDS)
        async with self._http.stream("GET", _path(session_id, "events"), headers=headers, timeout=timeout) as answer:
            if answer.status_code != 200:
                await answer.aread()
                raise _refusal(answer)
            async for number, name, data in _frames(answer.aiter_raw()):
                if name == "snapshot":
                    yield SessionSnapshot.model_validate_json(data)
                elif name in ("unavailable", "refused"):
                    raise _refused(Problem.model_validate_json(data))
                elif number is not None and (event := _read_event(name, data)) is not None:
                    yield Sequenced(number, *event)

    async def _call(
        self,
        method: str,
        path: str,
        body: str | bytes | None = None,
        headers: dict[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> httpx.Response:
        """One request, repeated while the service is away. Every request of this client may be repeated."""
        content_type = {"Content-Type": "application/json"} if isinstance(body, str) else {}
        begun, pause = time.monotonic(), FIRST_PAUSE
        while True:
            try:
                answer = await self._http.request(
                    method,
                    path,
                    content=body,
                    headers={**content_type, **(headers or {})},
                    timeout=httpx.Timeout(seconds, connect=5),
                )
                if answer.is_success:
                    return answer
                raise _refusal(answer)
            except (httpx.TransportError, _Unavailable) as error:
                told = _told_to_wait(error)
                if time.monotonic() - begun + told > self._patience:
                    if isinstance(error, _Unavailable):
                        raise error.refusal from None
                    raise StichUnreachable(f"The service is out of reach ({error or type(error).__name__}).") from None
            await asyncio.sleep(told or pause)
            pause = min(pause * 2, LONGEST_PAUSE)


class _Unavailable(Exception):
    """Status 502, 503 or 504: a part is restarting."""

    def __init__(self, refusal: StichHttpError) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class _Limited(_Unavailable):
    """Status 429: it may be asked again after so many seconds, which 0 leaves open."""

    def __init__(self, refusal: StichHttpError, seconds: float) -> None:
        super().__init__(refusal)
        self.seconds = seconds


def _told_to_wait(error: Exception) -> float:
    """How many seconds the service wants to be left alone, with a little more so that many do not come at once."""
    return error.seconds * random.uniform(1, 1.1) if isinstance(error, _Limited) else 0.0


def _path(session_id: str, part: str = "") -> str:
    return f"/api/sessions/{quote(session_id, safe='')}" + (f"/{part}" if part else "")


def _refusal(answer: httpx.Response) -> Exception:
    told = answer.headers.get("retry-after", "")
    wait = float(told) if told.isascii() and told.isdecimal() else 0.0
    try:
        return _refused(Problem.model_validate_json(answer.content), wait)
    except ValidationError:
        sentence = f"The service answered with status {answer.status_code}."
        return _weighed(StichHttpError(answer.status_code, sentence), wait)


def _refused(problem: Problem, wait: float = 0.0) -> Exception:
    return _weighed(StichHttpError(problem.status, f"{problem.detail} {problem.next_action}", problem), wait)


def _weighed(refusal: StichHttpError, wait: float) -> Exception:
    if refusal.status == 429:
        return _Limited(refusal, wait)
    return _Unavailable(refusal) if refusal.status in (502, 503, 504) else refusal


async def _frames(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[int | None, str, bytes]]:
    """(sequence number, event name, data) of each frame that has data. Frames end with an empty line."""
    rest = bytearray()
    async for chunk in chunks:
        searched = max(0, len(rest) - 3)
        rest += chunk.replace(b"\r", b"")
        while (end := rest.find(b"\n\n", searched)) >= 0:
            frame, searched = bytes(rest[:end]), 0
            del rest[: end + 2]
            number, name, data = None, "message", []
            for line in frame.split(b"\n"):
                field, _, value = line.partition(b":")
                value = value.removeprefix(b" ")
                if field == b"data":
                    data.append(value)
                elif field == b"event":
                    name = value.decode()
                elif field == b"id" and value.isdigit():
                    number = int(value)
            if data:
                yield number, name, b"\n".join(data)


def _read_event(name: str, data: bytes) -> tuple[Event, dict[str, Any]] | None:
    """None for an event that only a newer service knows."""
    raw: dict[str, Any] = {**orjson.loads(data), "type": name}
    try:
        return _EVENT.validate_python(raw), raw
    except ValidationError as error:
        if error.errors(include_url=False, include_input=False)[0]["type"] == "union_tag_invalid":
            return None
        raise
