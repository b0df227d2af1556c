"""Webhooks: addresses of users' programs that are told what happens in their sessions."""

import base64
import secrets
from typing import Final
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.requests import Request
from starlette.responses import Response

from api.audit import note
from api.auth import principal_of
from api.bodies import read_nothing, read_query
from api.endpoints import Answer, Endpoint, JsonResponse, body_of
from api.examples import EXAMPLE_TIME
from api.problems import DATABASE_AWAY, INVALID, NO_WEBHOOK, TOO_MANY, TOO_SLOW, VAULT_LOCKED, Refusal
from api.services import services_of
from api.webhook_sender import ANSWER_SECONDS, SECRET_PREFIX, WebhookSender, secret_name
from schemas.webhooks import (
    ChangeWebhook,
    CreateWebhook,
    Webhook,
    WebhookCreated,
    WebhookDelivery,
    WebhookDeliveryList,
    WebhookList,
)
from storage.vault import VaultLocked
from storage.webhooks import MOST, TooManyWebhooks


class DeliveriesQuery(BaseModel):
    """`limit` says how many at most."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=200)


async def create(request: Request) -> Response:
    services, user_id, body = services_of(request), principal_of(request).user_id, body_of(request, CreateWebhook)
    _check_url(body.url, allow_private=services.inference.settings.allow_private)
    secret = SecretStr(SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode())
    try:
        webhook = await services.webhooks.add(user_id, body)
    except TooManyWebhooks:
        raise Refusal(TOO_MANY, f"You have {MOST} webhooks already.") from None
    try:
        await services.vault.put(user_id, secret_name(webhook.id), secret, bound=webhook.url)
    except VaultLocked:
        await services.webhooks.delete(user_id, webhook.id)
        raise Refusal(VAULT_LOCKED, "The vault cannot be opened by this service.") from None
    await note(request, "webhook_made", subject=webhook.id)
    return JsonResponse(WebhookCreated(secret=secret.get_secret_value(), webhook=webhook), status_code=201)


async def list_webhooks(request: Request) -> Response:
    return JsonResponse(
        WebhookList(webhooks=await services_of(request).webhooks.of_user(principal_of(request).user_id))
    )


async def change(request: Request) -> Response:
    webhook = await _webhook_of(request)
    changed = await services_of(request).webhooks.change(
        principal_of(request).user_id, webhook.id, body_of(request, ChangeWebhook)
    )
    if changed is None:
        raise _missing()
    return JsonResponse(changed)


async def delete(request: Request) -> Response:
    webhook, services, user_id = await _webhook_of(request), services_of(request), principal_of(request).user_id
    await services.webhooks.delete(user_id, webhook.id)
    await services.vault.delete(user_id, secret_name(webhook.id))
    await note(request, "webhook_deleted", subject=webhook.id)
    return Response(status_code=204)


async def test(request: Request) -> Response:
    """One delivery at once, whether the webhook is enabled or not."""
    await read_nothing(request)
    webhook, services, user_id = await _webhook_of(request), services_of(request), principal_of(request).user_id
    data = orjson.dumps({"message": "This is a test of your webhook."}).decode()
    delivery = await services.webhooks.add_test(user_id, webhook, data)
    async with WebhookSender.of(services) as sender:
        await sender.deliver(delivery, again=False)
    return JsonResponse(await services.webhooks.delivery(delivery.id))


async def list_deliveries(request: Request) -> Response:
    webhook, query = await _webhook_of(request), read_query(request, DeliveriesQuery)
    found = await services_of(request).webhooks.deliveries(webhook.id, query.limit)
    return JsonResponse(WebhookDeliveryList(deliveries=found))


async def _webhook_of(request: Request) -> Webhook:
    """The user's webhook that the address names. Raises Refusal."""
    webhook_id: str = request.path_params["webhook_id"]
    webhook = await services_of(request).webhooks.get(principal_of(request).user_id, webhook_id)
    if webhook is None:
        raise _missing()
    return webhook


def _missing() -> Refusal:
    return Refusal(NO_WEBHOOK, "You have no webhook of this id.")


def _check_url(url: str, *, allow_private: bool) -> None:
    """Raises Refusal for an address that cannot be used; where its name leads is checked at every delivery."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0 and parts.username is None and parts.password is None
        usable = usable and parts.scheme in ("https", "http") and not parts.fragment and url.isascii()
    except ValueError:
        usable = False
    if not usable or any(character <= " " for character in url):
        raise Refusal(INVALID, "The address must be like https://program.example/hook, without user and fragment.")
    if parts.scheme != "https" and not allow_private:
        raise Refusal(INVALID, "The address must begin with https://, so that nobody on the way reads what is told.")


EXAMPLE: Final = Webhook(
    id="wh-1f0c4e5a7b2d9380",
    url="https://program.example/stich",
    events=["session.completed", "session.failed"],
    description="Deploy what is ready",
    created_at=EXAMPLE_TIME,
)
EXAMPLE_DELIVERY: Final = WebhookDelivery(
    id="msg_4b0f6a7c1d2e4f3a8b9c0d1e2f3a4b5c",
    event="session.completed",
    session_id="s-7b1f0c4e5a2d9380",
    seq=412,
    status="delivered",
    created_at=EXAMPLE_TIME,
    tries=2,
    tried_at=EXAMPLE_TIME,
    next_at=None,
    delivered_at=EXAMPLE_TIME,
    answer_status=204,
)
AWAY: Final = (DATABASE_AWAY, TOO_SLOW)

ENDPOINTS: Final = (
    Endpoint(
        method="POST",
        path="/api/webhooks",
        handler=create,
        name="create_webhook",
        summary="Have an address told of events of all your sessions, signed with a secret that is shown once",
        body=CreateWebhook,
        body_example=CreateWebhook(url="https://program.example/stich", events=["session.completed", "session.failed"]),
        answer=Answer(
            description="It is told from the next event on. The secret is not shown again.",
            status=201,
            schema=WebhookCreated,
            example=WebhookCreated(secret="whsec_...", webhook=EXAMPLE),
        ),
        problems=(TOO_MANY, VAULT_LOCKED, *AWAY),
    ),
    Endpoint(
        method="GET",
        path="/api/webhooks",
        handler=list_webhooks,
        name="list_webhooks",
        summary="Your webhooks, and why one is told nothing any more",
        answer=Answer(description="Never a secret.", schema=WebhookList, example=WebhookList(webhooks=[EXAMPLE])),
        problems=AWAY,
    ),
    Endpoint(
        method="PATCH",
        path="/api/webhooks/{webhook_id}",
        handler=change,
        name="change_webhook",
        summary="Choose other events, or disable or enable a webhook",
        body=ChangeWebhook,
        body_example=ChangeWebhook(enabled=True),
        answer=Answer(description="How it is now.", schema=Webhook, example=EXAMPLE),
        problems=(NO_WEBHOOK, *AWAY),
    ),
    Endpoint(
        method="DELETE",
        path="/api/webhooks/{webhook_id}",
        handler=delete,
        name="delete_webhook",
        summary="Tell an address nothing any more, and forget its secret and its log",
        answer=Answer(description="It is gone.", status=204),
        problems=(NO_WEBHOOK, *AWAY),
    ),
    Endpoint(
        method="POST",
        path="/api/webhooks/{webhook_id}/test",
        handler=test,
        name="test_webhook",
        summary="Deliver an event of type `test` now, once, and say how it went",
        answer=Answer(
            description="How it went: `delivered`, or `given_up` with the error.",
            schema=WebhookDelivery,
            example=EXAMPLE_DELIVERY.model_copy(update={"event": "test", "session_id": None, "seq": None, "tries": 1}),
        ),
        problems=(NO_WEBHOOK, *AWAY),
        seconds=ANSWER_SECONDS + 5,
    ),
    Endpoint(
        method="GET",
        path="/api/webhooks/{webhook_id}/deliveries",
        handler=list_deliveries,
        name="list_webhook_deliveries",
        summary="What was told, or waits to be, of the last 30 days, newest first",
        query=DeliveriesQuery,
        answer=Answer(
            description="The log.",
            schema=WebhookDeliveryList,
            example=WebhookDeliveryList(deliveries=[EXAMPLE_DELIVERY]),
        ),
        problems=(NO_WEBHOOK, *AWAY),
    ),
)
