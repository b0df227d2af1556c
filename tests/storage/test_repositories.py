"""Sessions, messages, operations, screenshots: stored once, found again, in order."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.blueprint import Blueprint, PhasePlan
from schemas.session import ChatMessage, Progress, SessionRequest, StateInfo, UserMessage
from storage.blobs import Blobs
from storage.blueprints import Blueprints
from storage.database import Database
from storage.messages import Messages
from storage.operations import OperationMissing, Operations
from storage.screenshots import Screenshots
from storage.sessions import SessionMissing, SessionRecord, Sessions

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def record(session_id: str, **fields: object) -> SessionRecord:
    return SessionRecord.model_validate({"id": session_id, "prompt": "an app", "mode": "deterministic", **fields})


def progress(session_id: str, seq: int, title: str) -> Progress:
    return Progress(
        session_id=session_id,
        title=title,
        prompt="an app",
        mode="deterministic",
        template="react",
        state=StateInfo(name="generating", since=NOW, reason="writing"),
        created_at=NOW,
        last_seq=seq,
    )


@pytest.fixture
def sessions(database: Database) -> Sessions:
    return Sessions(database)


async def test_create_is_idempotent(sessions: Sessions) -> None:
    request = SessionRequest(prompt="an app")
    first = await sessions.create(
        record("s1", request=request, idempotency_key="k", title="first \0 title is stored"[:5])
    )
    assert first.request == request
    assert await sessions.create(record("s1", title="other")) == first
    assert await sessions.create(record("s2", idempotency_key="k")) == first
    other_user = await sessions.create(record("s3", idempotency_key="k", user_id="u2"))
    assert other_user.id == "s3"
    assert await sessions.by_idempotency_key("local", "k") == first
    assert await sessions.by_idempotency_key("local", "none") is None
    with pytest.raises(SessionMissing):
        await sessions.get("s2")
    with pytest.raises(ValueError, match="pattern"):
        record("white space")


async def test_list_in_pages(sessions: Sessions) -> None:
    for number in range(7):
        await sessions.create(record(f"s{number}"))
    await sessions.create(record("other", user_id="u2"))
    page = await sessions.list("local", limit=4)
    rest = await sessions.list("local", limit=4, before=page[-1].id)
    assert [session.id for session in page + rest] == [f"s{n}" for n in range(6, -1, -1)]


async def test_fields_change(sessions: Sessions) -> None:
    created = await sessions.create(record("s1"))
    await sessions.set_state("s1", "planning", "thinking")
    planned = await sessions.get("s1")
    await sessions.set_state("s1", "planning", "still thinking")
    await sessions.set_title("s1", "Board")
    await sessions.set_template("s1", "react")
    await sessions.set_preview_name("s1", "brisk-otter")
    session = await sessions.get("s1")
    assert (session.state, session.state_reason, session.title) == ("planning", "still thinking", "Board")
    assert session.state_since == planned.state_since != created.state_since
    assert await sessions.by_preview_name("brisk-otter") == session
    with pytest.raises(SessionMissing):
        await sessions.set_title("none", "x")


async def test_progress_is_kept_and_never_goes_back(sessions: Sessions, database: Database) -> None:
    await sessions.create(record("s1"))
    assert await sessions.load_progress("s1") is None
    await sessions.save_progress("s1", progress("s1", 7, "newer"))
    await sessions.save_progress("s1", progress("s1", 5, "older"))
    stored = await sessions.load_progress("s1")
    assert stored is not None
    assert (stored.seq, stored.progress.title) == (7, "newer")
    assert 0 <= stored.age < 30
    session = await sessions.get("s1")
    assert (session.title, session.state, session.state_since) == ("newer", "generating", NOW)
    with pytest.raises(SessionMissing):
        await sessions.save_progress("none", progress("none", 1, "x"))


async def test_messages_once_and_in_order(database: Database) -> None:
    messages = Messages(database)
    for number in range(5):
        text = ChatMessage(id=f"m{number}", role="user", text=f"text {number}", at=NOW, state="queued")
        await messages.put("s1", text)
    again = await messages.put("s1", ChatMessage(id="m0", role="user", text="changed", at=NOW))
    assert (again.message.text, again.message.state) == ("text 0", "queued")
    nul = await messages.put("s2", ChatMessage(id="m0", role="user", text="n\0ul", at=NOW + timedelta(days=1)))
    assert nul.message.text == "nul"
    planned = ChatMessage(id="m1", role="user", text="edited", at=NOW, state="planned", phase_id="phase-1")
    done = planned.model_copy(update={"state": "done", "phase_id": None})
    assert await messages.follow("s1", done, 8)
    assert not await messages.follow("s1", planned, 7)  # an event that was written late
    assert await messages.follow("s1", planned, 9) and await messages.follow("s1", done, 10)
    listed = await messages.list("s1")
    assert [record.message.id for record in listed] == [f"m{n}" for n in range(5)]
    assert (listed[1].message.state, listed[1].phase_id) == ("done", "phase-1")
    assert listed[1].message.text == "edited"
    assert [record.message.id for record in await messages.list("s1", limit=2)] == ["m3", "m4"]


async def test_an_operation_ends_once(database: Database) -> None:
    operations = Operations(database)
    with pytest.raises(OperationMissing):
        await operations.result("s1", "op")
    with pytest.raises(OperationMissing):
        await operations.finish("s1", "op", "{}")
    assert (await operations.begin("s1", "op")).is_new
    again = await operations.begin("s1", "op")
    assert (again.is_new, again.result) == (False, None)
    assert await operations.finish("s1", "op", '{"b": 1, "a": "\\u0000"}') == '{"b": 1, "a": "\\u0000"}'
    assert await operations.finish("s1", "op", '{"b": 2}') == '{"b": 1, "a": "\\u0000"}'
    assert (await operations.begin("s1", "op")).result == '{"b": 1, "a": "\\u0000"}'


async def test_screenshots(database: Database) -> None:
    screenshots = Screenshots(database)
    first = await screenshots.put("s1", "shot-1", b"\x89PNG", media_type="image/png", width=1280, height=720)
    again = await screenshots.put("s1", "shot-1", b"other", media_type="image/png", width=1, height=1)
    assert again == first
    assert await screenshots.list("s1") == [first]
    assert await Blobs(database).get(first.sha256) == b"\x89PNG"


async def test_a_message_is_shown_before_any_worker_takes_it(database: Database, sessions: Sessions) -> None:
    await sessions.create(record("s1"))
    messages, message = Messages(database), UserMessage(id="m1", text="hi\0", author="ann")
    assert await messages.claim("s1", message) == "given"
    for session in ("s1", "s2"):  # the second is not stored, or no longer
        await messages.receive(session, message)
        await messages.receive(session, message)
    assert [(r.message.id, r.message.text, r.message.state) for r in await messages.list("s1")] == [
        ("m1", "hi", "queued")
    ]
    assert await messages.list("s2") == []
    done = ChatMessage(id="m1", role="user", text="hi", at=NOW, state="done", author="ann")
    assert await messages.follow("s1", done, 1)
    await messages.receive("s1", message)  # noted late
    assert [r.message.state for r in await messages.list("s1")] == ["done"]
    assert await messages.claim("s1", message) == "heard"
    assert await messages.claim("s1", message.model_copy(update={"author": "bob"})) == "taken"
    assert await messages.claim("s1", message.model_copy(update={"interrupt": True})) == "taken"
    await messages.withdrawn("s1", "m1")
    assert await messages.follow("s1", done, 2)  # an event from before, which the worker stores after
    assert await messages.claim("s1", message) == "withdrawn"


async def test_the_options_and_the_meaning_of_a_message_are_kept(database: Database) -> None:
    messages = Messages(database)
    asked = ChatMessage(id="q1", role="assistant", text="Which?", at=NOW, options=["this", "that"])
    stored = await messages.put("s1", asked)
    assert (stored.message, stored.meaning) == (asked, None)
    await messages.set_meaning("s1", "q1", "first\0 note")
    await messages.set_meaning("s1", "q1", "second")
    (kept,) = await messages.list("s1")
    assert (kept.message.options, kept.meaning) == (["this", "that"], "second")


async def test_the_newest_blueprint_stands_and_a_repeated_step_changes_nothing(database: Database) -> None:
    blueprints = Blueprints(database)
    assert await blueprints.latest("s1") is None
    one = Blueprint(title="One", description="", first_phase=PhasePlan(name="p"))
    two = one.model_copy(update={"title": "Two"})
    await blueprints.put("s1", "a", one)
    await blueprints.put("s1", "b", two)
    await blueprints.put("s1", "a", one.model_copy(update={"title": "Again"}))
    assert await blueprints.latest("s1") == two
    assert await blueprints.latest("s2") is None
