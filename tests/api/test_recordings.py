"""A session as a recording: complete, in order, without secrets, for its owner only."""

import io
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

from schemas.events import Event, FileDeleted, OperationStarted, SessionStateEvent
from schemas.inference import Outcome, ToolCall
from schemas.recording import Recording
from schemas.session import ChatMessage, Operation, SessionRequest, State, StateInfo
from schemas.traffic import RecordedAnswer
from stich.demo.recording import load
from storage.events import EventLog
from storage.files import Files
from storage.keyring import KeySource
from storage.messages import Messages
from storage.sessions import SessionRecord, Sessions
from storage.traffic import Traffic
from storage.vault import Vault
from storage.versions import Versions
from tests.api.conftest import TOKEN, VAULT_KEY, Service
from tests.storage.test_ledger import record

BEGAN = datetime.now(UTC) - timedelta(minutes=5)
SECRET = 'a-"quoted"-secret-of-mine'


async def a_session(service: Service, session_id: str, *, rests: bool = True) -> None:
    """A session of three calls and two messages, the first of which broke off the second call."""
    database = service.database
    sessions, vault = Sessions(database), Vault(database, KeySource.given(VAULT_KEY))
    request = SessionRequest(prompt="A counter", mode="smart", review_cycles=1)
    await sessions.create(
        SessionRecord(id=session_id, title="Counter", prompt="A counter", mode="smart", request=request)
    )
    await sessions.set_state(session_id, "completed" if rests else "generating", "It is ready.")
    await vault.put("local", "openai", SecretStr(SECRET))
    traffic = Traffic(database, vault)
    told = f"Here is {SECRET}, and {TOKEN}"
    calls: list[tuple[int, Outcome, str, list[ToolCall]]] = [
        (10, "succeeded", told, [ToolCall(id="c1", name="write_file", arguments='{"path": "é"')]),
        (20, "cancelled", "Half an ans", []),
        (30, "failed", "asked again", []),
        (40, "succeeded", "asked again, answered", []),
    ]
    for number, (second, outcome, text, tools) in enumerate(calls):
        started = BEGAN + timedelta(seconds=second)
        entry = record(
            session_id=session_id, operation_id=f"step-{second}", attempt=1, user_id="local", started_at=started,
            outcome=outcome,
        )  # fmt: skip
        answer = RecordedAnswer(
            action="smart_builder", fingerprint=str(min(number, 2)) * 64, provider="openai", model="openai/gpt-5",
            text=text, tool_calls=tools, finish_reason="stop" if outcome == "succeeded" else None,
        )  # fmt: skip
        await traffic.put(entry, answer)
        await database.pool.execute(
            "UPDATE model_traffic SET ended_at = $3 WHERE session_id = $1 AND operation_id = $2",
            session_id,
            f"step-{second}",
            started + timedelta(seconds=5),
        )
    for second, text in ((23, "Stop that"), (36, "Now this")):
        message = ChatMessage(id=f"m-{second}", role="user", text=text, at=BEGAN + timedelta(seconds=second))
        await Messages(database).put(session_id, message)
    files = Files(database)
    await files.put(session_id, "src/App.tsx", "ours", author="model", reason="x", operation_id="step-10")


def texts_of(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.iterdir())


async def test_a_session_is_recorded(service: Service, tmp_path: Path) -> None:
    await a_session(service, "recorded-1")
    answer = await service.signed_in.get("/api/sessions/recorded-1/recording")
    assert answer.status_code == 200, answer.text
    zipfile.ZipFile(io.BytesIO(answer.content)).extractall(tmp_path)
    texts = texts_of(tmp_path)
    assert "A counter" in texts and "secret-of-mine" not in texts and TOKEN not in texts
    recording = load(tmp_path)
    assert [exchange.reply.text for exchange in recording.exchanges] == [
        "Here is [removed: secret], and [removed: secret]",
        "Half an ans",
        "asked again, answered",
    ], "the failed call was made again with the same words"
    assert recording.exchanges[0].reply.tool_calls[0].arguments == '{"path": "é"'
    assert recording.exchanges[1].reply.ends == "left"
    session = recording.session
    assert session is not None
    assert session.request == {"prompt": "A counter", "mode": "smart", "review_cycles": 1}
    assert [(m.kind, m.exchange, m.text, m.interrupt) for m in session.moments] == [
        ("begin", 0, None, False),
        ("end", 0, None, False),
        ("begin", 1, None, False),
        ("message", None, "Stop that", True),
        ("end", 1, None, False),
        ("message", None, "Now this", False),
        ("begin", 2, None, False),
        ("end", 2, None, False),
    ]
    assert list(session.files) == ["src/App.tsx"]
    assert (session.state, session.models, session.missing) == ("completed", ["openai/gpt-5"], 0)
    assert Recording.model_validate_json(recording.model_dump_json()) == recording


async def test_what_was_decided_at_rest_is_in_it(service: Service, tmp_path: Path) -> None:
    """Going back, another candidate, a phase anew, a check; and what is not in it is said."""
    session = "recorded-4"
    await a_session(service, session)

    def at(second: int) -> datetime:
        return BEGAN + timedelta(seconds=second)

    def entered(state: State, second: int) -> Event:
        return SessionStateEvent(state=StateInfo(name=state, since=at(second), reason="It is so."))

    def began(step: str, second: int) -> Event:
        return OperationStarted(operation=Operation(id=step, action="a", title="t", phase_id="p-1", since=at(second)))

    log = EventLog(service.database)
    await log.append_outbox(
        session,
        1,
        [
            entered("completed", 60),
            began("p-1-candidate-2/chosen-9", 70),
            began("p-1/check-asked-10", 80),
            began("retry-11", 90),
            entered("starting", 91),
            entered("waiting_for_budget", 92),
        ],
    )
    await log.start()
    writer = await log.open(session, "restore-7", run_id="r", attempt=1)
    files = Files(service.database)
    await files.put(session, "src/App.tsx", "newer", author="model", reason="x", operation_id="step-40")
    await Versions(service.database).restore(
        writer, 1, path="src/App.tsx", user_id="local",
        announce=lambda version: FileDeleted(operation_id="restore-7", path=version.path),
    )  # fmt: skip
    await log.aclose()
    await service.database.pool.execute(
        "UPDATE file_versions SET created_at = $2 WHERE session_id = $1 AND author = 'restore'", session, at(65)
    )
    answer = await service.signed_in.get(f"/api/sessions/{session}/recording")
    zipfile.ZipFile(io.BytesIO(answer.content)).extractall(tmp_path)
    recorded = load(tmp_path).session
    assert recorded is not None
    decided = [moment for moment in recorded.moments if moment.kind not in ("begin", "end", "message")]
    assert [(m.kind, m.id, m.path, m.version, m.step, m.state) for m in decided] == [
        ("restore", None, "src/App.tsx", 1, "step-10", "completed"),
        ("choose", "p-1-candidate-2", None, None, None, "completed"),
        ("check", None, None, None, None, "completed"),
        ("retry", "p-1", None, None, None, "completed"),
    ], "that the session began again after the retry is no decision of its own"
    assert recorded.left_out == ["its waits for a budget"]


async def test_who_gets_none(service: Service) -> None:
    await a_session(service, "recorded-2", rests=False)
    busy = await service.signed_in.get("/api/sessions/recorded-2/recording")
    assert (busy.status_code, busy.json()["code"]) == (409, "not_possible_now")
    await service.database.pool.execute("DELETE FROM model_traffic WHERE session_id = 'recorded-2'")
    await Sessions(service.database).set_state("recorded-2", "failed")
    gone = await service.signed_in.get("/api/sessions/recorded-2/recording")
    assert (gone.status_code, gone.json()["code"]) == (404, "recording_not_kept")
    await Sessions(service.database).create(SessionRecord(id="recorded-3", user_id="x", prompt="p", mode="smart"))
    assert (await service.signed_in.get("/api/sessions/recorded-3/recording")).status_code == 404
