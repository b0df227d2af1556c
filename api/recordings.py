"""A session as a recording: what models answered, what people said and decided, and what came of it."""

import base64
import bisect
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import orjson
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.access import Session, session_of
from api.audit import note
from api.endpoints import ANSWER_SECONDS, Answer, Endpoint, within
from api.problems import DATABASE_AWAY, NO_RECORDING, NO_SESSION, NOT_NOW, TOO_SLOW, VAULT_LOCKED, Refusal
from api.services import Services, services_of
from api.zips import Entry, zipped
from schemas.inference import ToolCall
from schemas.recording import (
    Exchange,
    Match,
    Moment,
    RecordedImage,
    RecordedSession,
    RecordedToolCall,
    RecordedUsage,
    Recording,
    Reply,
)
from schemas.session import REST_OR_WAIT, SessionRequest
from schemas.traffic import TrafficEntry
from storage.images import PROMPT, StoredImage
from storage.messages import MessageRecord
from storage.session_history import Past, SessionHistory
from storage.traffic import Traffic
from storage.vault import VaultLocked

SECONDS: Final = 60.0
INTERRUPTS_WITHIN: Final = timedelta(seconds=5)
"""A call that ends unfinished so soon after a message was interrupted by it."""
SHORTEST_SECRET: Final = 8
NOT_ASKED: Final = frozenset(
    {
        "user_id", "keep_open", "carried", "fork", "images", "max_history_events", "jurisdiction", "urgency", "bulk",
    }
)  # fmt: skip
"""Fields of a request that `POST /api/sessions` does not take, and those that mean something where it ran only."""


async def recording(request: Request) -> Response:
    session, services = await within(ANSWER_SECONDS, session_of(request, "own")), services_of(request)
    if session.record is None or session.record.state not in REST_OR_WAIT:
        raise Refusal(NOT_NOW, "The session is at work.", next_action="Stop it, or wait until it rests.")
    made = await within(SECONDS, record(services, session))
    await note(request, "session_recorded", subject=session.id)
    return StreamingResponse(
        zipped(_entries(made), session.record.created_at),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{session.id}.recording.zip"'},
    )


async def record(services: Services, session: Session) -> Recording:
    """The recording of a session at rest. Raises Refusal."""
    assert session.record is not None
    traffic = Traffic(services.database, services.vault)
    try:
        entries = await traffic.of_session(session.id)
        secrets = await _secrets(services, session.record.user_id)
    except VaultLocked:
        raise Refusal(VAULT_LOCKED, "The vault cannot be opened by this service.") from None
    counted = await traffic.count(session.id)
    if not entries:
        raise Refusal(NO_RECORDING, "What models answered in this session is not kept, or not any more.")
    past = await SessionHistory(services.database).of(session.id)
    entries = _worth_playing(entries)
    messages = [each for each in await services.messages.list(session.id) if each.message.role == "user"]
    pictures = await services.images.of_messages(session.id, [PROMPT, *(each.message.id for each in messages)])
    stored = await services.sessions.load_progress(session.id)
    current = await services.files.current(session.id)
    request = session.record.request or SessionRequest(prompt=session.record.prompt, mode=session.record.mode)
    asked = request.model_dump(mode="json", exclude=set(NOT_ASKED), exclude_defaults=True)
    if request.images:
        asked["image_ids"] = [image.id for image in request.images]
    made = Recording(
        title=session.record.title or "A session",
        example_prompt=session.record.prompt,
        match=[session.record.prompt],
        by_order=True,
        exchanges=[_exchange(entry) for entry in entries],
        session=RecordedSession(
            request=asked,
            images=[await _image(services, picture) for picture in {each.id: each for each in pictures}.values()],
            moments=_moments(entries, messages, past),
            files={file.path: file.sha256 for file in current},
            state=session.record.state,
            reason=session.record.state_reason,
            models=sorted({entry.answer.model for entry in entries}),
            cost_usd=str(stored.progress.usage.cost_usd) if stored else "0",
            missing=max(counted.succeeded - counted.kept, 0),
            left_out=_left_out(request, entries, past),
            version=services.settings.version,
        ),
    )
    return Recording.model_validate_json(_without(made.model_dump_json(exclude_defaults=True), secrets))


def _worth_playing(entries: Iterable[TrafficEntry]) -> list[TrafficEntry]:
    """The calls whose answers did something: an unfinished one counts unless the same was asked again."""
    entries = list(entries)
    finished = [entry.answer.fingerprint for entry in entries if entry.outcome == "succeeded"]
    return [e for e in entries if e.outcome == "succeeded" or e.answer.fingerprint not in finished]


def _exchange(entry: TrafficEntry) -> Exchange:
    answer = entry.answer
    finish = answer.finish_reason
    ends: Literal["cut", "left"] | None = None
    if entry.outcome != "succeeded":
        ends = "left" if entry.outcome == "cancelled" else "cut"
    calls = [_tool_call(call) for call in answer.tool_calls]
    return Exchange(
        action=answer.action,
        match=Match(fingerprint=answer.fingerprint, operation=entry.operation_id),
        reply=Reply(
            text=answer.text if answer.text or not calls else None,
            reasoning=answer.reasoning or None,
            tool_calls=calls,
            finish_reason=None if finish == ("tool_calls" if calls else "stop") else finish,
            usage=RecordedUsage(
                prompt_tokens=answer.input_tokens,
                completion_tokens=answer.output_tokens,
                cached_tokens=answer.cached_input_tokens,
                reasoning_tokens=answer.reasoning_tokens,
            ),
            ends=ends,
        ),
    )


def _tool_call(call: ToolCall) -> RecordedToolCall:
    return RecordedToolCall(id=call.id or "call", name=call.name or "unnamed", arguments=call.arguments)


async def _image(services: Services, picture: StoredImage) -> RecordedImage:
    data = base64.b64encode(await services.blobs.get(picture.sha256)).decode()
    return RecordedImage(id=picture.id, media_type=picture.media_type, data=data)


def _moments(
    entries: Sequence[TrafficEntry],
    messages: Sequence[MessageRecord],
    history: Past,
) -> list[Moment]:
    """Everything that happened, in order."""
    timed: list[tuple[datetime, Moment]] = []
    for number, entry in enumerate(entries):
        timed.append((entry.started_at, Moment(kind="begin", exchange=number)))
        timed.append((entry.ended_at, Moment(kind="end", exchange=number)))
    left = [entry.ended_at for entry in entries if entry.outcome == "cancelled"]

    def standing(at: datetime, *, resting: bool = False) -> dict[str, Any]:
        return {
            "files": bisect.bisect(history.files, at),
            "phases": bisect.bisect(history.phases, at),
            "state": history.state_at(at, resting=resting),
        }

    for each in messages:
        message = each.message
        if message.state == "withdrawn":
            continue
        said = Moment(
            kind="message",
            id=message.id,
            text=message.text,
            interrupt=any(message.at <= at <= message.at + INTERRUPTS_WITHIN for at in left),
            images=[image.id for image in message.images],
            **standing(message.at),
        )
        timed.append((message.at, said))
    for decision in history.decisions:
        moment = Moment(
            kind=decision.kind,
            path=decision.path,
            text=None if decision.content is None else decision.content.decode(errors="replace"),
            id=decision.name,
            version=decision.version,
            step=decision.step,
            **standing(decision.at, resting=decision.kind in ("restore", "choose", "retry", "check")),
        )
        timed.append((decision.at, moment))
    return [moment for _, moment in sorted(timed, key=lambda pair: pair[0])]


def _left_out(request: SessionRequest, entries: Iterable[TrafficEntry], past: Past) -> list[str]:
    """What happened that is not in the recording, in plain words."""
    found = []
    if request.fork is not None:
        found.append("what it began with: it goes on from a version of another session")
    if past.deployments:
        found.append(f"publishing ({past.deployments} times)")
    if any(state.name == "waiting_for_budget" for state in past.states):
        found.append("its waits for a budget")
    others = {call.name for entry in entries for call in entry.answer.tool_calls if _is_outside(call.name)}
    if others:
        found.append(f"answers from outside, which may be others now: {', '.join(sorted(others))}")
    return found


def _is_outside(tool: str) -> bool:
    return tool.startswith("mcp__") or tool == "fetch_page"


async def _secrets(services: Services, user_id: str) -> list[SecretStr]:
    """What must not be in a recording, wherever a model or a person may have repeated it."""
    stored = {each.name: each.bound for each in await services.vault.list(user_id)}
    own = (await services.vault.open(user_id, stored)).values()
    platform = [each.key for each in services.inference.settings.providers.values() if each.key is not None]
    return [*own, *platform, services.settings.token]


def _without(text: str, secrets: Iterable[SecretStr]) -> str:
    """JSON text without the secrets, also where they are written with escapes."""
    for secret in secrets:
        value = secret.get_secret_value()
        if len(value) >= SHORTEST_SECRET:
            text = text.replace(orjson.dumps(value).decode()[1:-1], "[removed: secret]")
    return text


async def _entries(made: Recording) -> AsyncIterator[Entry]:
    """The files of the recording: each reply's text has one of its own, numbered."""
    exchanges = []
    for number, exchange in enumerate(made.exchanges, start=1):
        reply = exchange.reply
        if reply.text:
            name = f"{number:03d}-{re.sub(r'[^a-z0-9]+', '-', exchange.action.lower()).strip('-')}.txt"
            yield name, reply.text.encode()
            reply = reply.model_copy(update={"text": None, "text_file": name})
        exchanges.append(exchange.model_copy(update={"reply": reply}))
    index = made.model_copy(update={"exchanges": exchanges})
    yield "recording.json", index.model_dump_json(indent=2, exclude_defaults=True).encode()


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/recording",
        handler=recording,
        name="export_recording",
        summary="The session as a recording, which `stich replay` plays again: answers of models, messages, decisions",
        answer=Answer(
            description="A ZIP archive in the form of docs/recordings.md, without secrets.",
            media_type="application/zip",
            schema=bytes,
        ),
        problems=(NO_SESSION, NO_RECORDING, NOT_NOW, VAULT_LOCKED, DATABASE_AWAY, TOO_SLOW),
        seconds=None,
        scope="sessions:write",
    ),
)
