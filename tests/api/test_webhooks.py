"""Webhooks: written with the event, signed, delivered through failures and deaths, guarded, disabled in the end."""

import asyncio
import base64
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio.client import Client

from api.mail import Mail
from api.webhook_sender import PAUSES, WebhookSender, body_of, signature
from schemas.blueprint import PhasePlan
from schemas.events import Event, FileGenerated, MessageEvent, PhaseEvent, SessionStateEvent
from schemas.session import ChatMessage, FileRef, PhaseProgress, State, StateInfo
from schemas.webhooks import CreateWebhook, Webhook, WebhookCreated, WebhookDelivery
from stich.client import WebhookInvalid, verify_webhook
from storage.database import Database
from storage.erasure import Erasure
from storage.events import EventLog
from storage.keyring import KeySource
from storage.sessions import SessionRecord, Sessions
from storage.users import Users
from storage.vault import Vault
from storage.webhooks import Delivery, Webhooks
from tests.api.conftest import DEMO, VAULT_KEY, Service, bound_socket, running, serve
from tests.api.people import add_user, signed_in

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PHASE = PhaseProgress(id="phase-1", plan=PhasePlan(name="One"), status="checking")
NO_PAUSES = (timedelta(), timedelta(), timedelta())


def state(name: State, reason: str = 'She said "name":"failed"') -> SessionStateEvent:
    return SessionStateEvent(state=StateInfo(name=name, since=NOW, reason=reason))


class Receiver:
    """A program that takes webhooks: answers with the statuses given, then with 204."""

    def __init__(self, statuses: Iterable[int] = ()) -> None:
        self._statuses = list(statuses)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self._more = asyncio.Condition()

    async def take(self, request: Request) -> Response:
        body = await request.body()
        async with self._more:
            self.got.append((dict(request.headers), body))
            self._more.notify_all()
        return Response(status_code=self._statuses.pop(0) if self._statuses else 204)

    async def has(self, count: int) -> None:
        async with self._more:
            await self._more.wait_for(lambda: len(self.got) >= count)

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        async with serve(Starlette(routes=[Route("/hook", self.take, methods=["POST"])]), bound_socket()) as url:
            yield f"{url}/hook"


class House:
    """A database with a session, a webhook and the parts that deliver."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.webhooks = Webhooks(database)
        self.vault = Vault(database, KeySource.given(VAULT_KEY))
        self.log = EventLog(database)
        self.mails: list[Mail] = []
        self._next = 1

    async def send(self, mail: Mail) -> None:
        self.mails.append(mail)

    async def add(self, url: str, *events: str, user_id: str = "local") -> tuple[Webhook, str]:
        given = CreateWebhook.model_validate({"url": url} | ({"events": list(events)} if events else {}))
        webhook = await self.webhooks.add(user_id, given)
        secret = "whsec_" + base64.b64encode(os.urandom(32)).decode()
        await self.vault.put(user_id, f"webhook:{webhook.id}", SecretStr(secret), bound=webhook.url)
        return webhook, secret

    async def session(self, session_id: str, user_id: str = "local") -> None:
        await Sessions(self.database).create(
            SessionRecord(id=session_id, user_id=user_id, title="", prompt="A counter", mode="deterministic")
        )

    async def happen(self, session_id: str, *events: Event) -> None:
        await self.log.append_outbox(session_id, self._next, events, run_id="run")
        self._next += len(events)

    @asynccontextmanager
    async def sender(self, allow_private: bool = True) -> AsyncIterator[WebhookSender]:
        users = Users(self.database)
        async with WebhookSender(
            self.webhooks, self.vault, users, allow_private=allow_private, mailer=self, pauses=NO_PAUSES
        ) as sender:
            yield sender

    async def deliver_all(self, sender: WebhookSender) -> None:
        while await sender.start_some():
            await sender.settle()

    async def logged(self, webhook: Webhook) -> list[WebhookDelivery]:
        return await self.webhooks.deliveries(webhook.id, 50)


@pytest.fixture
async def house(database: Database) -> House:
    return House(database)


async def test_an_event_is_told_signed_until_it_is_taken(house: House) -> None:
    receiver = Receiver([500, 302])
    async with receiver.listening() as url, house.sender() as sender:
        webhook, secret = await house.add(url)
        await house.session("s-1")
        await house.happen("s-1", state("planning"), state("completed"), state("idle"))
        await house.deliver_all(sender)
        await house.deliver_all(sender)
    assert len(receiver.got) == 4, "two of the three were wanted; one of them was refused twice"
    assert len(set(receiver.ids)) == 2
    told = [verify_webhook(secret, headers, body) for headers, body in receiver.got]
    assert sorted({message.type for message in told}) == ["session.completed", "session.idle"]
    completed = next(message for message in told if message.type == "session.completed")
    assert (completed.data["session_id"], completed.data["seq"]) == ("s-1", 2)
    assert completed.data["state"] == state("completed").state.model_dump(mode="json")
    assert len({body for headers, body in receiver.got if headers["webhook-id"] == receiver.ids[0]}) == 1
    log = await house.logged(webhook)
    assert [each.status for each in log] == ["delivered", "delivered"]
    assert sorted(each.tries for each in log) == [1, 3]
    assert log[0].answer_status == 204


async def test_what_a_webhook_asked_for_and_nothing_else(house: House) -> None:
    await house.session("s-1")
    await house.session("s-2", "another")
    webhook, _ = await house.add("https://a.example/", "file.generated", "phase.completed", "message.assistant")
    file = FileRef(path='a"status":"x.ts', sha256="0" * 64, size=1, version=1)
    events: list[Event] = [
        FileGenerated(operation_id="o", file=file),
        PhaseEvent(phase=PHASE),
        PhaseEvent(phase=PHASE.model_copy(update={"status": "completed"})),
        MessageEvent(message=ChatMessage(id="m", role="user", text='"role":"assistant"', at=NOW)),
        MessageEvent(message=ChatMessage(id="n", role="assistant", text="It is \u0000 done", at=NOW)),
        state("completed"),
    ]
    await house.happen("s-1", *events)
    house._next = 1
    await house.happen("s-2", *events)
    house._next = 1
    await house.happen("s-1", *events)  # the reply was lost
    log = await house.logged(webhook)
    assert [(each.event, each.seq) for each in reversed(log)] == [
        ("file.generated", 1),
        ("phase.completed", 3),
        ("message.assistant", 5),
    ]
    await Erasure(house.database).session("s-1")
    assert await house.logged(webhook) == []


async def test_a_sender_that_dies_between_answer_and_note_tells_again_with_the_same_id(
    house: House, database_dsn: str
) -> None:
    receiver = Receiver()
    async with receiver.listening() as url:
        webhook, _ = await house.add(url)
        await house.session("s-1")
        await house.happen("s-1", state("completed"))
        process = multiprocessing.get_context("spawn").Process(
            target=die_after_delivery, args=(database_dsn, VAULT_KEY)
        )
        process.start()
        await asyncio.to_thread(process.join)
        assert process.exitcode == -signal.SIGKILL
        assert len(receiver.got) == 1
        assert (await house.logged(webhook))[0].status == "waiting"
        async with house.sender() as sender:
            assert await sender.start_some() == 0, "the dead process holds it for a while"
            await house.database.pool.execute("UPDATE webhook_deliveries SET next_at = now()")
            await house.deliver_all(sender)
    assert len(receiver.got) == 2 and len(set(receiver.ids)) == 1
    assert (await house.logged(webhook))[0].status == "delivered"


def die_after_delivery(dsn: str, vault_key: str) -> None:
    """In a process of its own: deliver, and end by SIGKILL before that is written down."""

    class Dying(Webhooks):
        async def delivered(self, delivery: object, answer_status: int) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

    async def work() -> None:
        database = await Database.connect(dsn)
        vault = Vault(database, KeySource.given(vault_key))
        async with WebhookSender(Dying(database), vault, Users(database), allow_private=True) as sender:
            await sender.start_some()
            await sender.settle()

    asyncio.run(work())


async def test_one_that_fails_for_days_is_disabled_and_its_owner_told(house: House) -> None:
    user = await add_user(house.database, "ida@example.org")
    receiver = Receiver([500] * 9)
    async with receiver.listening() as url, house.sender() as sender:
        webhook, _ = await house.add(url, user_id=user.id)
        await house.session("s-1", user.id)
        await house.happen("s-1", state("completed"))
        await sender.start_some()
        await sender.settle()
        assert (await house.webhooks.of_user(user.id))[0].failing_since is not None
        await house.database.pool.execute("UPDATE webhooks SET failing_since = now() - interval '73 hours'")
        await house.happen("s-1", state("idle"))
        await sender.start_some()
        await sender.settle()
        [disabled] = await house.webhooks.of_user(user.id)
        assert not disabled.enabled
        assert "for 3 days" in disabled.disabled_reason and "status 500" in disabled.disabled_reason
        assert [mail.to for mail in house.mails] == ["ida@example.org"]
        assert {each.status for each in await house.logged(webhook)} == {"given_up"}
        count = len(receiver.got)
        await house.happen("s-1", state("completed"))
        await house.deliver_all(sender)
        assert len(receiver.got) == count, "nothing is told to a disabled one"


async def test_gone_is_taken_at_its_word(house: House) -> None:
    receiver = Receiver([410])
    async with receiver.listening() as url, house.sender() as sender:
        await house.add(url)
        await house.session("s-1")
        await house.happen("s-1", state("completed"))
        await house.deliver_all(sender)
    assert "410" in (await house.webhooks.of_user("local"))[0].disabled_reason
    assert len(receiver.got) == 1


async def test_it_reaches_no_private_address_and_follows_no_redirect(house: House) -> None:
    inner, outer = Receiver(), Receiver([307] * 9)
    async with inner.listening() as url, house.sender(allow_private=False) as sender:
        webhook, _ = await house.add(url)
        await house.session("s-1")
        await house.happen("s-1", state("completed"))
        await sender.start_some()
        await sender.settle()
        assert inner.got == []
        [entry] = await house.logged(webhook)
        assert "private network" in entry.error and entry.status == "waiting"
    async with outer.listening() as url, house.sender() as sender:
        webhook, _ = await house.add(url, "session.idle")
        await house.happen("s-1", state("idle"))
        await sender.start_some()
        await sender.settle()
        assert (await house.logged(webhook))[0].answer_status == 307


async def test_the_tries_go_on_for_days_and_a_receiver_may_ask_for_a_pause(house: House) -> None:
    assert timedelta(days=3) < sum(PAUSES, timedelta()) < timedelta(days=5)
    asked: list[timedelta] = []

    async def busy(request: Request) -> Response:
        return Response(status_code=503, headers={"Retry-After": "7200"})

    async with (
        serve(Starlette(routes=[Route("/", busy, methods=["POST"])]), bound_socket()) as url,
        house.sender() as sender,
    ):
        webhook, _ = await house.add(url)
        await house.session("s-1")
        await house.happen("s-1", state("completed"))
        await sender.start_some()
        await sender.settle()
        [entry] = await house.logged(webhook)
        assert entry.next_at is not None and entry.tried_at is not None
        asked.append(entry.next_at - entry.tried_at)
    assert timedelta(seconds=7100) < asked[0] < timedelta(seconds=7300)


async def test_a_signature_is_checked(house: House) -> None:
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    body = b'{"type":"test","timestamp":"2026-01-01T00:00:00Z","data":{}}'
    at = int(datetime.now(UTC).timestamp())
    headers = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(at),
        "Webhook-Signature": f"v1,AAAA {signature(SecretStr(secret), 'msg_1', at, body)}",
    }
    assert verify_webhook(secret, headers, body).type == "test"
    wrong = [
        (secret, headers | {"Webhook-Id": "msg_2"}, body),
        (secret, headers, body + b" "),
        ("whsec_" + base64.b64encode(b"j" * 32).decode(), headers, body),
        (secret, headers | {"Webhook-Timestamp": str(at - 400)}, body),
        (secret, headers | {"Webhook-Timestamp": "soon"}, body),
        (secret, {name: value for name, value in headers.items() if name != "Webhook-Signature"}, body),
        (secret, headers | {"Webhook-Signature": "v1,é"}, body),
    ]
    for each in wrong:
        with pytest.raises(WebhookInvalid):
            verify_webhook(*each)


async def test_webhooks_over_http(service: Service, temporal: Client) -> None:
    client = service.signed_in
    refused = [
        {"url": "ftp://a.example/"},
        {"url": "https://me:word@a.example/"},
        {"url": "http://a.example/"},
        {"url": "https://a.example/", "events": []},
        {"url": "https://a.example/", "events": ["everything"]},
        {"url": "https://a.example/#top"},
    ]
    for body in refused:
        assert (await client.post("/api/webhooks", json=body)).status_code == 422, body
    answer = await client.post("/api/webhooks", json={"url": "https://a.example/", "description": "x"})
    assert answer.status_code == 201
    created = WebhookCreated.model_validate_json(answer.content)
    listed = await client.get("/api/webhooks")
    assert created.secret.startswith("whsec_") and created.secret not in listed.text
    assert created.webhook.id in listed.text
    assert created.secret.encode() not in b"".join(
        bytes(row["sealed"]) for row in await service.database.pool.fetch("SELECT sealed FROM vault_secrets")
    )
    assert (await client.get("/api/keys")).json()["keys"] == [], "it is no key of a model provider"
    path = f"/api/webhooks/{created.webhook.id}"
    changed = await client.patch(path, json={"events": ["error", "error"], "enabled": False})
    assert (changed.json()["events"], changed.json()["enabled"]) == (["error"], False)
    assert (await client.patch(path, json={"enabled": True})).json()["disabled_reason"] == ""
    assert (await client.get(f"{path}/deliveries?limit=0")).status_code == 422
    assert (await client.delete(path)).status_code == 204
    for gone in (client.delete(path), client.post(f"{path}/test"), client.get(f"{path}/deliveries")):
        assert (await gone).json()["code"] == "webhook_not_found"
    assert (await service.anonymous.get("/api/webhooks")).status_code == 401


async def test_a_test_says_how_it_went(database: Database, temporal: Client) -> None:
    receiver = Receiver([403])
    async with (
        receiver.listening() as url,
        running(database, temporal, inference=DEMO.model_copy(update={"allow_private": True})) as service,
    ):
        created = (await service.signed_in.post("/api/webhooks", json={"url": url})).json()
        path = f"/api/webhooks/{created['webhook']['id']}"
        first = (await service.signed_in.post(f"{path}/test")).json()
        assert (first["status"], first["answer_status"]) == ("given_up", 403)
        assert (await service.signed_in.post(f"{path}/test")).json()["status"] == "delivered"
        headers, body = receiver.got[-1]
        assert verify_webhook(created["secret"], headers, body).type == "test"
        log = (await service.signed_in.get(f"{path}/deliveries")).json()["deliveries"]
        assert [each["status"] for each in log] == ["delivered", "given_up"]
        # The service itself delivers what happens.
        await House(database).session("s-1")
        await EventLog(database).append_outbox("s-1", 1, [state("failed")], run_id="run")
        async with asyncio.timeout(20):
            await receiver.has(3)
        assert b"session.failed" in receiver.got[-1][1]


async def test_another_users_webhook_is_not_there(accounts: Service) -> None:
    async with signed_in(accounts, "a@example.org") as owner, signed_in(accounts, "b@example.org") as other:
        created = await owner.browser.post("/api/webhooks", json={"url": "https://a.example/"})
        path = f"/api/webhooks/{created.json()['webhook']['id']}"
        calls: list[httpx.Response] = [
            await other.browser.delete(path),
            await other.browser.patch(path, json={"enabled": False}),
            await other.browser.post(f"{path}/test"),
            await other.browser.get(f"{path}/deliveries"),
        ]
        assert [answer.status_code for answer in calls] == [404] * 4
        assert (await other.browser.get("/api/webhooks")).json() == {"webhooks": []}
        first = await owner.browser.get("/api/webhooks")
        assert len(first.json()["webhooks"]) == 1
        for _ in range(19):
            await owner.browser.post("/api/webhooks", json={"url": "https://a.example/"})
        more = await owner.browser.post("/api/webhooks", json={"url": "https://a.example/"})
        assert more.json()["code"] == "too_many"


def test_the_body_is_the_same_in_every_try() -> None:
    delivery = Delivery("msg_1", "wh-1", "u", "https://a.example", "s", 3, "error", '{"type":"error","x":1}', NOW, 1)
    again = delivery._replace(tries=9)
    assert body_of(delivery) == body_of(again)
    assert body_of(delivery) == (
        b'{"type":"error","timestamp":"2026-01-01T00:00:00+00:00","data":{"session_id":"s","seq":3,"x":1}}'
    )
