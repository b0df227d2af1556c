"""Starting, listing, watching and steering sessions over HTTP."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from decimal import Decimal
from unittest import mock

import httpx
import pytest
from temporalio.client import Client

from api.sessions import keyed_session_id, new_session_id
from schemas.http import MessageAccepted, Problem, SessionCreated, SessionList, SessionSnapshot
from schemas.session import ChatMessage, Progress, SessionRequest, State, StateInfo, UsageTotals
from storage.messages import Messages
from storage.screenshots import Screenshots
from storage.sessions import SessionRecord, Sessions
from tests.api.conftest import Service, running
from tests.api.session_double import ASKS, CANNOT_STOP, END
from tests.api.test_images import picture
from workflows.names import SESSION_WORKFLOW, WORKFLOW_QUEUE

pytestmark = pytest.mark.usefixtures("worker")


async def start(service: Service, prompt: str = "A kanban board", **headers: str) -> str:
    answer = await service.signed_in.post("/api/sessions", json={"prompt": prompt}, headers=headers)
    assert answer.status_code == 201, answer.text
    created = SessionCreated.model_validate_json(answer.content)
    assert answer.headers["location"] == f"/api/sessions/{created.id}"
    assert created.url == f"{service.url}/s/{created.id}"
    return created.id


async def snapshot(service: Service, session_id: str) -> SessionSnapshot:
    answer = await service.signed_in.get(f"/api/sessions/{session_id}")
    assert answer.status_code == 200, answer.text
    return SessionSnapshot.model_validate_json(answer.content)


def progress_of(session_id: str, **changes: object) -> Progress:
    now = datetime.now(UTC)
    state = StateInfo(name="generating", since=now, reason="Writing.")
    values: dict[str, object] = {
        "session_id": session_id,
        "title": "Kanban",
        "prompt": "A kanban board",
        "mode": "deterministic",
        "state": state,
        "created_at": now,
    }
    return Progress.model_validate(values | changes)


async def test_a_new_session_can_be_watched_at_once(service: Service) -> None:
    session_id = await start(service, "  A kanban board ")
    shown = await snapshot(service, session_id)
    assert shown.progress.session_id == session_id
    assert shown.progress.prompt == "A kanban board"
    assert shown.stale is None


async def test_the_same_key_and_body_lead_to_the_same_session(service: Service) -> None:
    key = {"Idempotency-Key": "one-and-the-same"}
    ids = await asyncio.gather(*(start(service, "A budget", **key) for _ in range(5)))
    assert len(set(ids)) == 1
    assert await start(service, "A budget") not in ids


async def test_the_same_key_with_another_body_is_refused(service: Service) -> None:
    session_id = await start(service, "A budget", **{"Idempotency-Key": "once"})
    answer = await service.signed_in.post(
        "/api/sessions", json={"prompt": "Something else"}, headers={"Idempotency-Key": "once"}
    )
    assert answer.status_code == 409
    assert Problem.model_validate_json(answer.content).code == "idempotency_key_reused"
    assert (await snapshot(service, session_id)).progress.prompt == "A budget"


async def test_a_key_of_a_session_that_temporal_forgot_starts_nothing(service: Service, sessions: Sessions) -> None:
    key = "kept-for-long"
    settings_key = service.settings.derive_key("session ids")
    session_id = keyed_session_id(settings_key, "local", key)
    await sessions.create(SessionRecord(id=session_id, prompt="An old one", mode="deterministic"))
    answer = await service.signed_in.post(
        "/api/sessions", json={"prompt": "An old one"}, headers={"Idempotency-Key": key}
    )
    assert answer.status_code == 409
    assert (await service.signed_in.get(f"/api/sessions/{session_id}")).status_code == 404


def test_session_ids() -> None:
    assert new_session_id() != new_session_id()
    assert keyed_session_id(b"secret", "ann", "key") == keyed_session_id(b"secret", "ann", "key")
    assert keyed_session_id(b"secret", "ann", "key") != keyed_session_id(b"secret", "bob", "key")
    assert keyed_session_id(b"secret", "a", "1:b") != keyed_session_id(b"secret", "a1", ":b")
    assert new_session_id().removeprefix("session-").isalnum()
    assert len(new_session_id()) == len("session-") + 20


async def test_the_list_is_newest_first_and_comes_in_pages(service: Service, temporal: Client) -> None:
    sessions = Sessions(service.database)
    for number in range(5):
        await sessions.create(SessionRecord(id=f"listed-{number}", user_id="ann", prompt=f"App {number}", mode="smart"))
    await sessions.create(SessionRecord(id="listed-other", user_id="bob", prompt="Bob's", mode="smart"))
    usage = UsageTotals(cost_usd=Decimal("0.25"))
    await sessions.save_progress("listed-4", progress_of("listed-4", usage=usage, demo=True))

    seen, before = [], ""
    async with running(service.database, temporal, user_id="ann") as ann:
        for _ in range(3):
            answer = await ann.signed_in.get(f"/api/sessions?limit=2{before}")
            page = SessionList.model_validate_json(answer.content)
            seen += page.sessions
            before = f"&before={page.next}"
        nowhere = await ann.signed_in.get("/api/sessions?before=listed-nowhere")
        others = await ann.signed_in.get("/api/sessions?before=listed-other")
    assert [summary.id for summary in seen] == [f"listed-{number}" for number in (4, 3, 2, 1, 0)]
    assert page.next is None
    assert (seen[0].cost_usd, seen[0].demo, seen[0].title) == (Decimal("0.25"), True, "Kanban")
    assert (seen[1].cost_usd, seen[1].demo, seen[1].state) == (Decimal(0), False, "starting")
    for answer in (nowhere, others):
        assert answer.status_code == 422
        assert "“before”" in Problem.model_validate_json(answer.content).detail


async def test_the_list_is_searched_filtered_and_shows_the_newest_picture(service: Service, temporal: Client) -> None:
    sessions, screenshots = Sessions(service.database), Screenshots(service.database)
    states: tuple[State, ...] = ("completed", "failed", "generating")
    for number, state in enumerate(states):
        await sessions.create(
            SessionRecord(id=f"shown-{number}", user_id="eve", prompt=f"A % Board {number}", mode="smart", state=state)
        )
    shots = [
        await screenshots.put("shown-0", name, name.encode(), media_type="image/png", width=width, height=800)
        for name, width in (("before", 1280), ("desktop", 1280), ("phone", 390))
    ]

    async with running(service.database, temporal, user_id="eve") as eve:

        async def ids(query: str) -> list[str]:
            answer = await eve.signed_in.get(f"/api/sessions?{query}")
            return [summary.id for summary in SessionList.model_validate_json(answer.content).sessions]

        assert await ids("q=board%202") == ["shown-2"]
        assert await ids("q=%25") == ["shown-2", "shown-1", "shown-0"]
        assert await ids("q=_") == []
        assert await ids("show=finished") == ["shown-0"]
        assert await ids("show=working&q=A") == ["shown-2"]
        assert (await eve.signed_in.get("/api/sessions?show=some")).status_code == 422
        listed = SessionList.model_validate_json((await eve.signed_in.get("/api/sessions")).content).sessions
    assert [summary.screenshot for summary in listed] == [None, None, shots[1].sha256]


async def test_a_message_is_taken_once_however_often_it_is_sent(service: Service) -> None:
    session_id = await start(service)
    body = {"text": "Add dark mode", "id": "m-1"}
    for _ in range(2):
        answer = await service.signed_in.post(f"/api/sessions/{session_id}/messages", json=body)
        assert answer.status_code == 202
        assert MessageAccepted.model_validate_json(answer.content).id == "m-1"
    answer = await service.signed_in.post(f"/api/sessions/{session_id}/messages", json={"text": "And a footer"})
    made = MessageAccepted.model_validate_json(answer.content).id
    shown = await snapshot(service, session_id)
    assert [(message.id, message.text) for message in shown.progress.messages] == [
        ("m-1", "Add dark mode"),
        (made, "And a footer"),
    ]
    assert [(turn.id, turn.role, turn.author) for turn in shown.conversation] == [
        ("m-1", "user", "local"),
        (made, "user", "local"),
    ]


async def test_the_id_of_a_message_cannot_be_used_for_another_text(service: Service, messages: Messages) -> None:
    session_id = await start(service)
    path = f"/api/sessions/{session_id}/messages"
    assert (await service.signed_in.post(path, json={"text": "Add dark mode", "id": "m-1"})).status_code == 202
    at = datetime.now(UTC)
    await messages.put(session_id, ChatMessage(id="m-2", role="user", text="Said to Temporal itself", at=at))
    for message_id in ("m-1", "m-2"):
        answer = await service.signed_in.post(path, json={"text": "Remove dark mode", "id": message_id})
        assert answer.status_code == 409
        assert Problem.model_validate_json(answer.content).code == "message_id_reused"
    assert [m.text for m in (await snapshot(service, session_id)).progress.messages] == ["Add dark mode"]
    assert (await service.signed_in.post(path, json={"text": "Add dark mode", "id": "m-1"})).status_code == 202
    other = await start(service)
    answer = await service.signed_in.post(f"/api/sessions/{other}/messages", json={"text": "Another", "id": "m-1"})
    assert answer.status_code == 202, "ids belong to their session"


async def test_a_message_is_what_it_shows_and_does_too(service: Service) -> None:
    """The same id with the same content is the same message; with another picture or urgency it is not."""
    session_id = await start(service)
    path = f"/api/sessions/{session_id}/messages"
    image = (
        await service.signed_in.post("/api/images", content=picture(), headers={"Content-Type": "image/png"})
    ).json()
    plain: dict[str, object] = {"text": "Like this", "id": "m-1"}
    urgent = {"text": "Now", "id": "m-2", "interrupt": True}
    shown = {"text": "Like this", "id": "m-3", "image_ids": [image["id"]]}
    for message in (plain, urgent, shown):
        assert [(await service.signed_in.post(path, json=message)).status_code for _ in range(2)] == [202, 202]
    others = [
        plain | {"interrupt": True},
        plain | {"image_ids": [image["id"]]},
        urgent | {"interrupt": False},
        shown | {"image_ids": []},
    ]
    for message in others:
        answer = await service.signed_in.post(path, json=message)
        assert Problem.model_validate_json(answer.content).code == "message_id_reused", message
    messages = (await snapshot(service, session_id)).progress.messages
    assert [(m.id, m.text, len(m.images)) for m in messages] == [
        ("m-1", "Like this", 0),
        ("m-2", "Now", 0),
        ("m-3", "Like this", 1),
    ]


async def test_the_id_of_a_withdrawn_message_is_used_up(service: Service, sessions: Sessions) -> None:
    session_id = await start(service)
    await sessions.create(SessionRecord(id=session_id, prompt="A kanban board", mode="deterministic"))
    path = f"/api/sessions/{session_id}/messages"
    message = {"text": "Add dark mode", "id": "m-1"}
    assert (await service.signed_in.post(path, json=message)).status_code == 202
    assert (await service.signed_in.delete(f"{path}/m-1")).status_code == 200
    assert (await service.signed_in.delete(f"{path}/m-1")).status_code == 200
    answer = await service.signed_in.post(path, json=message)
    problem = Problem.model_validate_json(answer.content)
    assert (answer.status_code, problem.code) == (409, "message_id_reused")
    assert problem.detail == "The message with this id was withdrawn. Nothing was changed."
    assert [turn.state for turn in (await snapshot(service, session_id)).conversation] == ["withdrawn"]


async def test_of_many_texts_sent_at_once_under_one_id_one_is_taken(service: Service) -> None:
    session_id = await start(service)
    path = f"/api/sessions/{session_id}/messages"
    answers = await asyncio.gather(
        *(service.signed_in.post(path, json={"text": f"Text {number % 4}", "id": "m-1"}) for number in range(12))
    )
    taken = {number % 4 for number, answer in enumerate(answers) if answer.status_code == 202}
    assert len(taken) == 1
    assert sum(answer.status_code == 202 for answer in answers) == 3
    assert [m.text for m in (await snapshot(service, session_id)).progress.messages] == [f"Text {taken.pop()}"]


async def test_the_conversation_holds_each_turn_once(service: Service, messages: Messages) -> None:
    session_id = await start(service)
    await service.signed_in.post(f"/api/sessions/{session_id}/messages", json={"text": "Hello", "id": "m-1"})
    at = datetime.now(UTC)
    await messages.put(session_id, ChatMessage(id="m-1", role="user", text="Hello", at=at))
    await messages.put(session_id, ChatMessage(id="a-1", role="assistant", text="Hello to you", at=at))
    assert [turn.id for turn in (await snapshot(service, session_id)).conversation] == ["m-1", "a-1"]


async def test_stop_and_resume(service: Service) -> None:
    session_id = await start(service)
    stopped = await service.signed_in.post(f"/api/sessions/{session_id}/stop")
    assert stopped.status_code == 200
    assert StateInfo.model_validate_json(stopped.content).name == "stopped"
    assert (await snapshot(service, session_id)).progress.state.name == "stopped"
    resumed = await service.signed_in.post(f"/api/sessions/{session_id}/resume", json={})
    assert StateInfo.model_validate_json(resumed.content).name == "planning"


@pytest.mark.parametrize("what", ["stop", "resume"])
async def test_stop_and_resume_may_be_repeated(service: Service, what: str) -> None:
    """Who got no answer asks again, and learns the present state."""
    session_id = await start(service)
    await service.signed_in.post(f"/api/sessions/{session_id}/stop")
    answers = [await service.signed_in.post(f"/api/sessions/{session_id}/{what}") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    states = {StateInfo.model_validate_json(answer.content).model_dump_json() for answer in answers}
    assert len(states) == 1


async def test_a_session_that_asks_something_needs_an_answer(service: Service) -> None:
    session_id = await start(service, ASKS)
    answer = await service.signed_in.post(f"/api/sessions/{session_id}/resume")
    assert answer.status_code == 409
    problem = Problem.model_validate_json(answer.content)
    assert problem.code == "not_possible_now"
    assert problem.detail == "The session waits for an answer: send it as a message."


async def test_a_session_may_take_a_while_to_stop(service: Service) -> None:
    """Longer than a worker may take to take the request."""
    session_id = await start(service, CANNOT_STOP)
    with mock.patch("api.session_workflows.ANSWER_SECONDS", 0.7):
        answer = await service.signed_in.post(f"/api/sessions/{session_id}/stop")
    assert StateInfo.model_validate_json(answer.content).name == "stopped"


@pytest.mark.parametrize("what", ["messages", "stop", "resume"])
async def test_an_ended_session_takes_nothing_more(service: Service, temporal: Client, what: str) -> None:
    session_id = await start(service)
    await service.signed_in.post(f"/api/sessions/{session_id}/messages", json={"text": END})
    await temporal.get_workflow_handle(session_id).result()
    body = {"text": "More"} if what == "messages" else {}
    answer = await service.signed_in.post(f"/api/sessions/{session_id}/{what}", json=body)
    assert answer.status_code == 409
    assert Problem.model_validate_json(answer.content).code == "session_ended"
    assert (await snapshot(service, session_id)).progress.session_id == session_id


SESSION_ROUTES = [
    ("GET", ""),
    ("GET", "/files"),
    ("GET", "/files/src/App.tsx"),
    ("GET", "/screenshots/" + "0" * 64 + ".png"),
    ("GET", "/export.zip"),
    ("POST", "/messages"),
    ("POST", "/stop"),
    ("POST", "/resume"),
]


@pytest.mark.parametrize(("method", "path"), SESSION_ROUTES)
async def test_a_session_that_is_unknown_or_somebody_elses_is_not_found(
    service: Service, temporal: Client, sessions: Sessions, method: str, path: str
) -> None:
    request = SessionRequest(prompt="Bob's app", user_id="bob")
    unstored = new_session_id()
    await temporal.start_workflow(
        SESSION_WORKFLOW, request, id=unstored, task_queue=WORKFLOW_QUEUE, memo={"user_id": "bob"}
    )
    without_memo = new_session_id()
    await temporal.start_workflow(SESSION_WORKFLOW, request, id=without_memo, task_queue=WORKFLOW_QUEUE)
    await sessions.create(SessionRecord(id="session-bob", user_id="bob", prompt="Bob's app", mode="smart"))
    details = set()
    for session_id in (unstored, without_memo, "session-bob", "session-nowhere", "with spaces", "%00", "x" * 200):
        body = {"text": "Hello"} if path == "/messages" else None
        answer = await service.signed_in.request(method, f"/api/sessions/{session_id}{path}", json=body)
        assert answer.status_code == 404, session_id
        problem = Problem.model_validate_json(answer.content)
        assert problem.code == "session_not_found"
        details.add(problem.detail)
    assert len(details) == 1
    assert await temporal.get_workflow_handle(unstored).query("progress", result_type=Progress) is not None


async def test_a_workflow_of_another_kind_is_not_a_session(service: Service, temporal: Client) -> None:
    handle = await temporal.start_workflow(
        "Housekeeping", id="housekeeping", task_queue="nobody-listens", memo={"user_id": "local"}
    )
    assert (await service.signed_in.post("/api/sessions/housekeeping/stop")).status_code == 404
    await handle.terminate()


async def test_operators_see_who_started_what(service: Service, temporal: Client) -> None:
    session_id = await start(service, "A kanban board\nwith " + "très " * 60)
    description = await temporal.get_workflow_handle(session_id).describe()
    summary = await description.static_summary()
    assert summary is not None
    assert summary.startswith("local: A kanban board with très")
    assert len(summary.encode()) <= 200
    assert (await description.memo())["user_id"] == "local"


async def test_a_session_without_template_check_knows_its_template(service: Service) -> None:
    answer = await service.signed_in.post("/api/sessions", json={"prompt": "An app", "template": "react-vite"})
    session_id = SessionCreated.model_validate_json(answer.content).id
    assert (await snapshot(service, session_id)).progress.template == "react-vite"


async def test_the_address_of_a_session_is_the_public_one(service: Service, temporal: Client) -> None:
    public = "https://stich.example.org"
    async with running(service.database, temporal, public_url=public) as behind_proxy:
        answer = await behind_proxy.signed_in.post("/api/sessions", json={"prompt": "An app"})
        assert answer.json()["url"].startswith(f"{public}/s/session-")


async def frames(answer: httpx.Response) -> AsyncGenerator[dict[str, str], None]:
    """Server-sent events as they arrive, without comments."""
    frame: dict[str, str] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if name:
            frame[name] = value
        elif "event" in frame:
            yield frame
            frame = {}


async def test_a_new_session_can_be_followed_at_once(service: Service) -> None:
    session_id = await start(service)
    async with (
        asyncio.timeout(5),
        service.signed_in.stream("GET", f"/api/sessions/{session_id}/events") as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in answer.headers
        async with aclosing(frames(answer)) as following:
            first = await anext(following)
    assert first["event"] == "snapshot"
    shown = SessionSnapshot.model_validate_json(first["data"])
    assert shown.progress.session_id == session_id
    assert shown.stale is None


async def test_the_stored_picture_is_kept_up_to_date(service: Service, sessions: Sessions) -> None:
    session_id = await start(service)
    await sessions.create(SessionRecord(id=session_id, prompt="A kanban board", mode="deterministic"))
    await snapshot(service, session_id)
    stored = await sessions.load_progress(session_id)
    assert stored is not None
    assert stored.progress.state.name == "planning"
    assert (await sessions.get(session_id)).state == "planning"
