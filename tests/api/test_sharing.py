"""Several people on one session: who may do what, when it ends, and how they see each other."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from operator import attrgetter

import httpx
import orjson
import pytest
from temporalio.client import Client

from api.app import ENDPOINTS
from api.endpoints import Endpoint
from schemas.http import Problem
from schemas.session import ChatMessage
from storage.sessions import SessionRecord, Sessions
from tests.api.addresses import example_of, path_of
from tests.api.conftest import Service, running
from tests.api.people import Person, signed_in

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(scope="module")
async def people(accounts: Service) -> AsyncIterator[dict[str, Person]]:
    """An owner, friends and a stranger, each in a browser."""
    async with AsyncExitStack() as stack:
        names = ("owner", "viewer", "commenter", "editor", "stranger")
        yield {name: await stack.enter_async_context(signed_in(accounts, f"{name}@share.example")) for name in names}


async def start(person: Person) -> str:
    """A new session of this person, stored."""
    answer = await person.browser.post("/api/sessions", json={"prompt": "A shared app"})
    assert answer.status_code == 201, answer.text
    session_id: str = answer.json()["id"]
    return session_id


async def store(service: Service, session_id: str, owner: Person) -> None:
    await Sessions(service.database).create(
        SessionRecord(id=session_id, user_id=owner.id, prompt="A shared app", mode="deterministic")
    )


@pytest.fixture
async def session(accounts: Service, people: dict[str, Person]) -> str:
    """A session of the owner, shared with the friends as their names say."""
    await accounts.database.pool.execute("DELETE FROM sign_in_attempts")
    owner = people["owner"]
    session_id = await start(owner)
    await store(accounts, session_id, owner)
    for name, access in (("viewer", "view"), ("commenter", "comment"), ("editor", "edit")):
        body = {"email": f"{name}@share.example", "access": access}
        answer = await owner.browser.post(f"/api/sessions/{session_id}/shares", json=body)
        assert answer.status_code == 200, answer.text
    return session_id


def code(answer: httpx.Response) -> str:
    return Problem.model_validate_json(answer.content).code


SESSION_ROUTES = [endpoint for endpoint in ENDPOINTS if "{session_id}" in endpoint.path]


@pytest.mark.parametrize("endpoint", SESSION_ROUTES, ids=attrgetter("name"))
async def test_a_strangers_session_is_none_on_every_route(
    people: dict[str, Person], session: str, endpoint: Endpoint
) -> None:
    browser = people["stranger"].browser
    body = example_of(endpoint)
    answers = [
        await browser.request(endpoint.method, path_of(endpoint, session_id=session_id), json=body)
        if body is not None
        else await browser.request(endpoint.method, path_of(endpoint, session_id=session_id))
        for session_id in (session, "session-that-nobody-has")
    ]
    assert [(answer.status_code, code(answer)) for answer in answers] == [(404, "session_not_found")] * 2
    problems = [answer.json() | {"request_id": ""} for answer in answers]
    assert problems[0] == problems[1]


CHANGES = [endpoint for endpoint in SESSION_ROUTES if endpoint.needed_scope != "read"]


@pytest.mark.parametrize("endpoint", CHANGES, ids=attrgetter("name"))
async def test_a_viewer_changes_nothing_on_any_route(
    people: dict[str, Person], session: str, endpoint: Endpoint
) -> None:
    """Every change is refused to a viewer before it looks at anything else."""
    body = example_of(endpoint)
    path = path_of(endpoint, session_id=session)
    browser = people["viewer"].browser
    answer = (
        await browser.request(endpoint.method, path, json=body)
        if body
        else await browser.request(endpoint.method, path)
    )
    assert (answer.status_code, code(answer)) == (403, "not_allowed")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "", "owner viewer commenter editor"),
        ("GET", "/files", "owner viewer commenter editor"),
        ("GET", "/watchers", "owner viewer commenter editor"),
        ("POST", "/messages", "owner commenter editor"),
        ("POST", "/stop", "owner editor"),
        ("GET", "/shares", "owner"),
    ],
)
async def test_everybody_may_do_what_was_shared(
    people: dict[str, Person], session: str, method: str, path: str, allowed: str
) -> None:
    for name in ("owner", "viewer", "commenter", "editor"):
        body = {"text": "Add dark mode"} if path == "/messages" else None
        answer = await people[name].browser.request(method, f"/api/sessions/{session}{path}", json=body)
        expected = name in allowed.split()
        assert answer.is_success == expected, (name, answer.text)
        assert expected or code(answer) == "not_allowed"


async def test_everybody_is_told_what_they_may_do(people: dict[str, Person], session: str) -> None:
    for name, access in (("owner", "own"), ("editor", "edit"), ("commenter", "comment"), ("viewer", "view")):
        answer = await people[name].browser.get(f"/api/sessions/{session}/access")
        assert answer.json() == {"access": access, "owner": "Owner"}
    assert (await people["stranger"].browser.get(f"/api/sessions/{session}/access")).status_code == 404


async def test_an_interruption_is_more_than_a_comment(people: dict[str, Person], session: str) -> None:
    body = {"text": "Stop that", "interrupt": True}
    path = f"/api/sessions/{session}/messages"
    assert (await people["commenter"].browser.post(path, json=body)).status_code == 403
    assert (await people["editor"].browser.post(path, json=body)).status_code == 202


async def test_messages_carry_the_names_of_their_authors_in_one_order(people: dict[str, Person], session: str) -> None:
    path = f"/api/sessions/{session}"
    names = ("owner", "commenter", "editor", "owner")
    for number, name in enumerate(names):
        await people[name].browser.post(f"{path}/messages", json={"text": f"{number}"})
    seen = []
    for name in ("owner", "viewer", "editor"):
        snapshot = (await people[name].browser.get(path)).json()
        turns = [ChatMessage.model_validate(turn) for turn in snapshot["conversation"]]
        seen.append([(turn.text, turn.author, turn.author_name) for turn in turns])
    assert seen[0] == [(f"{n}", people[name].id, name.title()) for n, name in enumerate(names)]
    assert seen[0] == seen[1] == seen[2]


async def test_a_link_shares_until_it_is_revoked(people: dict[str, Person], accounts: Service, session: str) -> None:
    owner, stranger = people["owner"].browser, people["stranger"].browser
    made = (await owner.post(f"/api/sessions/{session}/share-links", json={"access": "comment"})).json()
    token = made["url"].partition("/shared#")[2]
    assert token not in (await owner.get(f"/api/sessions/{session}/shares")).text
    accepted = await stranger.post("/api/shared-sessions", json={"token": token})
    assert accepted.json() == {"session_id": session, "access": "comment"}
    shared = (await stranger.get("/api/shared-sessions")).json()["sessions"]
    assert [(s["session"]["id"], s["owner"], s["access"]) for s in shared] == [(session, "Owner", "comment")]
    message = {"text": "Hello"}
    assert (await stranger.post(f"/api/sessions/{session}/messages", json=message)).status_code == 202
    link = f"/api/sessions/{session}/share-links/{made['link']['id']}"
    assert (await stranger.delete(link)).status_code == 403
    assert (await owner.delete(link)).status_code == 204
    assert (await owner.delete(link)).status_code == 404
    assert (await stranger.get(f"/api/sessions/{session}")).status_code == 404
    assert (await stranger.get("/api/shared-sessions")).json()["sessions"] == []
    again = await stranger.post("/api/shared-sessions", json={"token": token})
    assert (again.status_code, code(again)) == (410, "link_not_valid")


async def test_a_link_gives_its_owner_nothing_and_a_friend_no_less(people: dict[str, Person], session: str) -> None:
    owner, editor = people["owner"].browser, people["editor"].browser
    made = (await owner.post(f"/api/sessions/{session}/share-links", json={"access": "view"})).json()
    body = {"token": made["url"].partition("#")[2]}
    assert (await owner.post("/api/shared-sessions", json=body)).json()["access"] == "own"
    assert (await editor.post("/api/shared-sessions", json=body)).json()["access"] == "edit"


async def test_a_share_is_given_back_or_taken_back(people: dict[str, Person], session: str) -> None:
    path = f"/api/sessions/{session}/shares"
    viewer, editor = people["viewer"], people["editor"]
    assert (await viewer.browser.delete(f"{path}/{editor.id}")).status_code == 403
    assert (await viewer.browser.delete(f"{path}/{viewer.id}")).status_code == 204
    assert (await viewer.browser.get(f"/api/sessions/{session}")).status_code == 404
    assert (await people["owner"].browser.delete(f"{path}/{editor.id}")).status_code == 204
    assert (await people["owner"].browser.delete(f"{path}/{editor.id}")).status_code == 404
    assert (await editor.browser.get(f"/api/sessions/{session}")).status_code == 404


async def test_sharing_with_nobody_says_so(people: dict[str, Person], session: str) -> None:
    path, owner = f"/api/sessions/{session}/shares", people["owner"].browser
    nobody = await owner.post(path, json={"email": "nobody@share.example"})
    assert (nobody.status_code, code(nobody)) == (404, "user_not_found")
    assert (await owner.post(path, json={"email": "owner@share.example"})).status_code == 422
    assert (await owner.post(path, json={"email": "viewer@share.example", "access": "own"})).status_code == 422


class Stream:
    """A session as one browser follows it: the events it got, and whether the stream has ended."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, dict[str, object]]] = []
        self.ended = asyncio.Event()

    @property
    def present(self) -> list[str] | None:
        """Names in the last presence."""
        shown = [data for name, data in self.frames if name == "presence"]
        if not shown:
            return None
        watchers = shown[-1]["watchers"]
        assert isinstance(watchers, list)
        return [watcher["name"] for watcher in watchers]


@asynccontextmanager
async def following(client: httpx.AsyncClient, session_id: str, **headers: str) -> AsyncIterator[Stream]:
    stream = Stream()

    async def read() -> None:
        async with client.stream("GET", f"/api/sessions/{session_id}/events", headers=headers, timeout=30) as answer:
            assert answer.status_code == 200
            name = ""
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    stream.frames.append((name, orjson.loads(line.removeprefix("data: "))))
        stream.ended.set()

    task = asyncio.create_task(read())
    try:
        yield stream
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(true: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what is waited for is another process's doing
            await asyncio.sleep(0.05)


async def test_those_who_watch_see_each_other_come_and_go(
    people: dict[str, Person], accounts: Service, temporal: Client, session: str
) -> None:
    async with following(people["owner"].browser, session) as owner:
        await until(lambda: owner.present == ["Owner"])
        async with following(people["viewer"].browser, session) as viewer:
            await until(lambda: owner.present == ["Owner", "Viewer"] == viewer.present)
            listed = (await people["editor"].browser.get(f"/api/sessions/{session}/watchers")).json()
            assert [watcher["name"] for watcher in listed["watchers"]] == ["Owner", "Viewer"]
        await until(lambda: owner.present == ["Owner"])
        assert all("seq" not in data for name, data in owner.frames if name == "presence")


async def test_those_who_watch_through_another_process_are_seen_too(
    people: dict[str, Person], accounts: Service, temporal: Client, session: str
) -> None:
    async with running(accounts.database, temporal, auth="accounts", public_url=accounts.settings.origin) as other:
        name = accounts.app.state.services.sign_in.cookie.name
        cookie = people["viewer"].browser.cookies[name]
        headers = {"Cookie": f"{other.app.state.services.sign_in.cookie.name}={cookie}"}
        async with (
            httpx.AsyncClient(base_url=other.url, headers=headers) as elsewhere,
            following(people["owner"].browser, session) as owner,
            following(elsewhere, session) as viewer,
        ):
            both = ["Owner", "Viewer"]
            await until(lambda: sorted(owner.present or []) == sorted(viewer.present or []) == both)


async def test_an_open_stream_ends_when_the_share_is_taken_back(people: dict[str, Person], session: str) -> None:
    async with (
        following(people["owner"].browser, session) as owner,
        following(people["viewer"].browser, session) as viewer,
    ):
        await until(lambda: sorted(viewer.present or []) == ["Owner", "Viewer"])
        path = f"/api/sessions/{session}/shares/{people['viewer'].id}"
        assert (await people["owner"].browser.delete(path)).status_code == 204
        await asyncio.wait_for(viewer.ended.wait(), 15)
        await until(lambda: owner.present == ["Owner"])
        assert not owner.ended.is_set()


async def test_an_open_stream_ends_with_its_sign_in_key_or_user(accounts: Service) -> None:
    async with signed_in(accounts, "ending@share.example") as person:
        session_id = await start(person)
        await store(accounts, session_id, person)
        made = (await person.browser.post("/api/me/api-keys", json={"name": "k", "scopes": ["read"]})).json()
        key = {"Authorization": f"Bearer {made['key']}"}
        async with following(accounts.anonymous, session_id, **key) as program:
            await until(lambda: program.present == ["Ending"])
            await person.browser.delete(f"/api/me/api-keys/{made['info']['id']}")
            await asyncio.wait_for(program.ended.wait(), 15)
        async with following(person.browser, session_id) as browser:
            await until(lambda: browser.present == ["Ending"])
            (sign_in,) = (await person.browser.get("/api/me/sign-ins")).json()["sign_ins"]
            await accounts.database.pool.execute("UPDATE sign_ins SET revoked_at = now() WHERE id = $1", sign_in["id"])
            await asyncio.wait_for(browser.ended.wait(), 15)
