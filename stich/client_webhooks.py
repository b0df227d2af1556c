"""The part of the client that deals with webhooks, and the check of what a receiver is sent."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from pydantic import ValidationError

from schemas.webhooks import (
    ChangeWebhook,
    CreateWebhook,
    Webhook,
    WebhookCreated,
    WebhookDelivery,
    WebhookDeliveryList,
    WebhookList,
    WebhookMessage,
)
from stich.client_connection import Connection

TOLERANCE: Final = 300.0
"""Seconds that a delivery may be old, or its clock ahead of ours."""


class WebhookInvalid(ValueError):
    """What was received does not come from the service, was changed, or is too old."""


def verify_webhook(
    secret: str, headers: Mapping[str, str], body: bytes, *, tolerance: float = TOLERANCE
) -> WebhookMessage:
    """What a delivery says, once its signature has been checked.

    secret: as `POST /api/webhooks` showed it. headers: of the request, whatever the case of their names. body: the
    bytes as they came. Remember the header `webhook-id`: a delivery may come twice with the same. Raises
    WebhookInvalid.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp, signatures = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        key, seconds = base64.b64decode(secret.removeprefix("whsec_"), validate=True), int(timestamp)
    except KeyError as error:
        raise WebhookInvalid(f"the header {error.args[0]} is missing") from None
    except (binascii.Error, ValueError):
        raise WebhookInvalid("the secret or the header webhook-timestamp is malformed") from None
    if abs(time.time() - seconds) > tolerance:
        raise WebhookInvalid("the delivery is too old, or the clocks differ")
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    expected = b"v1," + base64.b64encode(digest)
    if not any(hmac.compare_digest(expected, each.encode()) for each in signatures.split(" ")):
        raise WebhookInvalid("the signature is not the service's")
    try:
        return WebhookMessage.model_validate_json(body)
    except ValidationError:
        raise WebhookInvalid("the body is not a webhook's") from None


class Webhooks:
    """What `StichClient.webhooks` offers."""

    def __init__(self, connection: Connection) -> None:
        self._ask, self._call = connection.ask, connection.call

    async def create(self, webhook: CreateWebhook) -> WebhookCreated:
        """Have an address told of events. The answer is the only one that holds the secret."""
        return await self._ask(WebhookCreated, "POST", _path(), webhook.model_dump_json(exclude_unset=True), None)

    async def all(self) -> list[Webhook]:
        """The user's webhooks, oldest first."""
        return (await self._ask(WebhookList, "GET", _path())).webhooks

    async def change(self, webhook_id: str, change: ChangeWebhook) -> Webhook:
        """Choose other events, disable or enable."""
        body = change.model_dump_json(exclude_none=True)
        return await self._ask(Webhook, "PATCH", _path(webhook_id), body)

    async def delete(self, webhook_id: str) -> None:
        """Tell the address nothing any more."""
        await self._call("DELETE", _path(webhook_id))

    async def test(self, webhook_id: str) -> WebhookDelivery:
        """Deliver an event of type `test` now, and say how it went."""
        return await self._ask(WebhookDelivery, "POST", _path(webhook_id, "test"))

    async def deliveries(self, webhook_id: str, limit: int = 50) -> list[WebhookDelivery]:
        """The log, newest first."""
        return (
            await self._ask(WebhookDeliveryList, "GET", f"{_path(webhook_id, 'deliveries')}?limit={limit}")
        ).deliveries


def _path(*parts: str) -> str:
    return "/".join(["/api/webhooks", *(quote(part, safe="") for part in parts)])
