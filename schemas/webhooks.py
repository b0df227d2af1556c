"""Webhooks: what users' programs are told about their sessions, in the form of Standard Webhooks."""

from datetime import datetime
from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

WebhookEvent = Literal[
    "session.starting",
    "session.planning",
    "session.generating",
    "session.reviewing",
    "session.idle",
    "session.stopped",
    "session.waiting_for_capacity",
    "session.waiting_for_budget",
    "session.completed",
    "session.failed",
    "phase.planned",
    "phase.completed",
    "phase.failed",
    "file.generated",
    "deployment.live",
    "deployment.withdrawn",
    "deployment.failed",
    "message.assistant",
    "message.notice",
    "budget.notice",
    "error",
]
EVENTS: Final[tuple[WebhookEvent, ...]] = get_args(WebhookEvent)
DEFAULT_EVENTS: Final[tuple[WebhookEvent, ...]] = ("session.completed", "session.failed", "session.idle")


def _once(events: list[WebhookEvent]) -> list[WebhookEvent]:
    return list(dict.fromkeys(events))


Events = Annotated[list[WebhookEvent], Field(min_length=1, max_length=len(EVENTS)), AfterValidator(_once)]
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class CreateWebhook(BaseModel):
    """Body of `POST /api/webhooks`."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, StringConstraints(strip_whitespace=True, min_length=8, max_length=2_000)]
    events: Events = Field(default_factory=lambda: list(DEFAULT_EVENTS))
    description: Description = ""


class ChangeWebhook(BaseModel):
    """Body of `PATCH /api/webhooks/{webhook_id}`: what is left out stays. `enabled` true takes up a disabled webhook
    again, from the next event on."""

    model_config = ConfigDict(extra="forbid")

    events: Events | None = None
    description: Description | None = None
    enabled: bool | None = None


class Webhook(BaseModel):
    """An address that is told of events. `failing_since` is the first failure after the last success; `disabled_reason`
    says in plain words why nothing is sent any more."""

    id: str
    url: str
    events: list[WebhookEvent]
    description: str = ""
    created_at: datetime
    enabled: bool = True
    failing_since: datetime | None = None
    disabled_at: datetime | None = None
    disabled_reason: str = ""


class WebhookCreated(BaseModel):
    """Answer of `POST /api/webhooks`: the only time that the secret is shown."""

    secret: str
    webhook: Webhook


class WebhookList(BaseModel):
    """Answer of `GET /api/webhooks`, oldest first."""

    webhooks: list[Webhook]


DeliveryStatus = Literal["waiting", "delivered", "given_up"]


class WebhookDelivery(BaseModel):
    """One thing told, or to be told. `id` is its header `webhook-id`, the same in every try; `answer_status` what the
    receiver answered last, `error` what was wrong with the last try."""

    id: str
    event: str
    session_id: str | None
    seq: int | None
    status: DeliveryStatus
    created_at: datetime
    tries: int
    tried_at: datetime | None
    next_at: datetime | None
    delivered_at: datetime | None
    answer_status: int | None
    error: str = ""


class WebhookDeliveryList(BaseModel):
    """Answer of `GET /api/webhooks/{webhook_id}/deliveries`, newest first."""

    deliveries: list[WebhookDelivery]


class WebhookMessage(BaseModel):
    """The body of a delivery: `data` has the fields of the event, with `session_id` and `seq`, its number there."""

    type: str
    timestamp: datetime
    data: dict[str, JsonValue]
