"""Delivers what users' webhooks are to be told, signed as Standard Webhooks has it (v1, HMAC-SHA-256).

The rows of deliveries are written with the events themselves. Any number of processes send them: each takes a delivery
for a while, and one whose process died in between is due again. A delivery may arrive twice, with the same id and the
same body; the deliveries of a webhook are tried one after the other, but one that failed lets later ones pass.
"""

import asyncio
import base64
import functools
import hashlib
import hmac
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Self

import httpx
import orjson
import structlog
from pydantic import SecretStr

from api.mail import Mail, Mailer, SmtpMailer
from api.services import Services
from inference.guarded_transport import AddressRefused, guarded_client
from storage.database import is_transient
from storage.users import UserMissing, Users
from storage.vault import Vault, VaultLocked
from storage.webhooks import Delivery, Webhooks

LOOK_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 15.0
LEASE: Final = timedelta(seconds=60)
AT_ONCE: Final = 50
LARGEST_ANSWER: Final = 64 * 1024
PAUSES: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400, 86_400)
)
"""Before the second try and those after it: more than three days."""
LONGEST_PAUSE: Final = timedelta(hours=24)
DISABLED_AFTER: Final = timedelta(days=3)
SECRET_PREFIX: Final = "whsec_"

log: structlog.stdlib.BoundLogger = structlog.get_logger("webhooks")


class NotTaken(Exception):
    """The receiver did not take a delivery. `status` is what it answered, `wait` what it asked for."""

    def __init__(self, sentence: str, status: int | None = None, wait: timedelta | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.wait = wait


class WebhookSender:
    """Delivers until it is cancelled. An asynchronous context manager, for the sake of its connections."""

    def __init__(
        self,
        webhooks: Webhooks,
        vault: Vault,
        users: Users,
        *,
        allow_private: bool,
        mailer: Mailer | None = None,
        pauses: tuple[timedelta, ...] = PAUSES,
        client: Callable[[bool], httpx.AsyncClient] | None = None,
    ) -> None:
        self._webhooks = webhooks
        self._vault = vault
        self._users = users
        self._mailer = mailer
        self._pauses = pauses
        make = client or (lambda private: guarded_client(private, timeout=httpx.Timeout(10, connect=5)))
        self._client = make(allow_private)
        self._trying: dict[str, asyncio.Task[None]] = {}

    @classmethod
    def of(cls, services: Services) -> Self:
        return cls(
            services.webhooks,
            services.vault,
            services.users,
            allow_private=services.inference.settings.allow_private,
            mailer=services.mailer if isinstance(services.mailer, SmtpMailer) else None,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Break off what is being tried: it is due again when its lease ends."""
        for task in self._trying.values():
            task.cancel()
        await asyncio.gather(*self._trying.values(), return_exceptions=True)
        await self._client.aclose()

    async def run(self) -> None:
        """Look for deliveries, one of each webhook at a time."""
        while True:
            try:
                started = await self.start_some()
            except Exception as error:
                log.warning("webhooks could not be looked for", error=type(error).__name__)
                started = 0
            if started and len(self._trying) < AT_ONCE:
                await asyncio.sleep(0)
            elif self._trying:
                await asyncio.wait(self._trying.values(), timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(LOOK_SECONDS)

    async def start_some(self) -> int:
        """Begin to try deliveries that are due. How many."""
        free = AT_ONCE - len(self._trying)
        due = await self._webhooks.take(self._trying.keys(), free, LEASE) if free > 0 else []
        for delivery in due:
            task = asyncio.create_task(self._try(delivery))
            self._trying[delivery.webhook_id] = task
            task.add_done_callback(functools.partial(self._tried, delivery.webhook_id))
        return len(due)

    def _tried(self, webhook_id: str, _: object) -> None:
        del self._trying[webhook_id]

    async def settle(self) -> None:
        """Wait until everything that was begun has ended."""
        while self._trying:
            await asyncio.wait(self._trying.values())

    async def deliver(self, delivery: Delivery, *, again: bool = True) -> None:
        """Try a delivery and write down how it went. `again` says whether a failure is tried again."""
        try:
            status = await self._send(delivery)
        except NotTaken as error:
            await self._not_taken(delivery, error, again)
        else:
            await self._webhooks.delivered(delivery, status)

    async def _try(self, delivery: Delivery) -> None:
        try:
            await self.deliver(delivery)
        except Exception as error:  # its lease ends, and it is tried again
            expected = is_transient(error)
            log.log(30 if expected else 40, "a webhook's delivery is open", id=delivery.id, error=type(error).__name__)

    async def _send(self, delivery: Delivery) -> int:
        """The status of the answer. Raises NotTaken."""
        secret = await self._secret(delivery)
        body = body_of(delivery)
        seconds = int(time.time())
        headers = {
            "content-type": "application/json",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": signature(secret, delivery.id, seconds, body),
        }
        try:
            async with (
                asyncio.timeout(ANSWER_SECONDS),
                self._client.stream("POST", delivery.url, content=body, headers=headers) as answer,
            ):
                status, wait = answer.status_code, _asked_pause(answer.headers.get("retry-after"))
                if not 200 <= status < 300:
                    raise NotTaken(f"The receiver answered with status {status}.", status, wait)
                await _read_a_little(answer)
        except TimeoutError:
            raise NotTaken(f"The receiver did not answer within {ANSWER_SECONDS:g} seconds.") from None
        except AddressRefused as error:
            raise NotTaken(str(error)) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise NotTaken(_in_words(error)) from None
        return status

    async def _secret(self, delivery: Delivery) -> SecretStr:
        name = secret_name(delivery.webhook_id)
        try:
            return (await self._vault.open(delivery.user_id, {name: delivery.url}, only=[name]))[name]
        except VaultLocked:
            raise NotTaken("The secret cannot be opened by this service: the operator has to look.") from None
        except KeyError:
            raise NotTaken("The secret of this webhook is gone; delete it and make a new one.") from None

    async def _not_taken(self, delivery: Delivery, error: NotTaken, again: bool) -> None:
        gone = error.status == 410
        pause: timedelta | None = None
        if again and not gone and delivery.tries <= len(self._pauses):
            pause = self._pauses[delivery.tries - 1] * random.uniform(0.9, 1.1)
            pause = max(pause, min(error.wait or timedelta(), LONGEST_PAUSE))
        failing = await self._webhooks.failed(delivery, str(error), error.status, pause)
        if gone:
            await self._disable(delivery, "The receiver answered 410: it does not want to be told any more.")
        elif failing >= DISABLED_AFTER:
            await self._disable(delivery, f"Nothing could be delivered for {failing.days} days. The last try: {error}")

    async def _disable(self, delivery: Delivery, reason: str) -> None:
        if not await self._webhooks.disable(delivery.webhook_id, reason):
            return
        log.warning("a webhook was disabled", webhook=delivery.webhook_id, user_id=delivery.user_id)
        if self._mailer is None:
            return
        try:
            user = await self._users.get(delivery.user_id)
            if user.email is not None:
                text = (
                    f"Your webhook {delivery.webhook_id} ({delivery.url}) is told of nothing any more.\n\n{reason}\n\n"
                    'When the receiver works again, enable it: PATCH /api/webhooks/ID with {"enabled": true}.\n'
                )
                await self._mailer.send(Mail(user.email, "A webhook was disabled", text))
        except UserMissing:
            return
        except Exception as error:
            log.warning("the mail about a webhook was not sent", error=type(error).__name__)


def secret_name(webhook_id: str) -> str:
    """Under which name a webhook's secret is in the vault."""
    return f"webhook:{webhook_id}"


def body_of(delivery: Delivery) -> bytes:
    """What is sent: the same bytes in every try."""
    event: dict[str, object] = orjson.loads(delivery.data)
    event.pop("type", None)
    data = {"session_id": delivery.session_id, "seq": delivery.seq, **event}
    timestamp = delivery.created_at.astimezone(UTC)
    return orjson.dumps({"type": delivery.event, "timestamp": timestamp, "data": data})


def signature(secret: SecretStr, message_id: str, seconds: int, body: bytes) -> str:
    """The header `webhook-signature`. The secret is `whsec_` and the key in base64."""
    key = base64.b64decode(secret.get_secret_value().removeprefix(SECRET_PREFIX))
    digest = hmac.digest(key, f"{message_id}.{seconds}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def _asked_pause(header: str | None) -> timedelta | None:
    """How long a receiver asks to be left alone: seconds, or a date."""
    if not header:
        return None
    if header.strip().isdecimal():
        return timedelta(seconds=min(int(header), LONGEST_PAUSE.total_seconds()))
    try:
        return max(parsedate_to_datetime(header) - datetime.now(UTC), timedelta())
    except (ValueError, TypeError):
        return None


async def _read_a_little(answer: httpx.Response) -> None:
    """Let the connection be used again where the answer is short; its text is of no interest."""
    size = 0
    async for part in answer.aiter_raw():
        size += len(part)
        if size > LARGEST_ANSWER:
            return


def _in_words(error: Exception) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "The receiver could not be connected to in time."
    if isinstance(error, httpx.ConnectError):
        return "The receiver could not be connected to."
    if isinstance(error, httpx.TimeoutException):
        return "The receiver did not answer in time."
    return "The connection to the receiver broke."
