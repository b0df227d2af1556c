"""Users' webhooks, and what has to be told to each. The rows of deliveries come from a trigger on the event log."""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import asyncpg

from schemas.webhooks import ChangeWebhook, CreateWebhook, DeliveryStatus, Webhook, WebhookDelivery
from storage.database import Database

MOST: Final = 20
"""Webhooks of one user."""
KEPT: Final = timedelta(days=30)
"""How long the log of deliveries goes back."""

_UNUSED: Final = "This webhook was disabled before it could be told."


class TooManyWebhooks(Exception):
    """The user has as many as one may have."""


class Delivery(NamedTuple):
    """A delivery that its holder tries now; `tries` includes this one."""

    id: str
    webhook_id: str
    user_id: str
    url: str
    session_id: str | None
    seq: int | None
    event: str
    data: str
    created_at: datetime
    tries: int


class Webhooks:
    """Repository of webhooks and deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pool = database.pool

    async def add(self, user_id: str, given: CreateWebhook) -> Webhook:
        """Raises TooManyWebhooks."""
        async with self._database.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 7100))", user_id)
            count = await connection.fetchval("SELECT count(*) FROM webhooks WHERE user_id = $1", user_id)
            if count >= MOST:
                raise TooManyWebhooks
            row = await connection.fetchrow(
                """INSERT INTO webhooks (id, user_id, url, events, description)
                   VALUES ($1, $2, $3, $4, $5) RETURNING *""",
                f"wh-{secrets.token_hex(8)}",
                user_id,
                given.url,
                given.events,
                given.description,
            )
        assert row is not None
        return _webhook(row)

    async def of_user(self, user_id: str) -> list[Webhook]:
        """A user's webhooks, oldest first."""
        rows = await self._pool.fetch("SELECT * FROM webhooks WHERE user_id = $1 ORDER BY created_at, id", user_id)
        return [_webhook(row) for row in rows]

    async def get(self, user_id: str, webhook_id: str) -> Webhook | None:
        row = await self._pool.fetchrow("SELECT * FROM webhooks WHERE user_id = $1 AND id = $2", user_id, webhook_id)
        return _webhook(row) if row else None

    async def change(self, user_id: str, webhook_id: str, change: ChangeWebhook) -> Webhook | None:
        """Change what is given, and return how it is then. None where there is none."""
        row = await self._pool.fetchrow(
            """UPDATE webhooks SET
                 events = coalesce($3, events), description = coalesce($4, description),
                 failing_since = CASE WHEN $5 THEN NULL ELSE failing_since END,
                 disabled_at = CASE WHEN $5 THEN NULL WHEN NOT $5 THEN coalesce(disabled_at, now())
                                    ELSE disabled_at END,
                 disabled_reason = CASE WHEN $5 THEN '' WHEN NOT $5 AND disabled_at IS NULL THEN 'You disabled it.'
                                        ELSE disabled_reason END
               WHERE user_id = $1 AND id = $2 RETURNING *""",
            user_id,
            webhook_id,
            change.events,
            change.description,
            change.enabled,
        )
        if row is not None and row["disabled_at"] is not None:
            await self._give_up_waiting(webhook_id)
        return _webhook(row) if row else None

    async def delete(self, user_id: str, webhook_id: str) -> bool:
        """Forget a webhook with its deliveries. False where there is none."""
        status: str = await self._pool.execute(
            "DELETE FROM webhooks WHERE user_id = $1 AND id = $2", user_id, webhook_id
        )
        return status != "DELETE 0"

    # --- deliveries -----------------------------------------------------------------------------------------------

    async def deliveries(self, webhook_id: str, limit: int) -> list[WebhookDelivery]:
        """The log of a webhook, newest first."""
        rows = await self._pool.fetch(
            "SELECT * FROM webhook_deliveries WHERE webhook_id = $1 ORDER BY created_at DESC, seq DESC LIMIT $2",
            webhook_id,
            limit,
        )
        return [_delivery(row) for row in rows]

    async def delivery(self, delivery_id: str) -> WebhookDelivery:
        row = await self._pool.fetchrow("SELECT * FROM webhook_deliveries WHERE id = $1", delivery_id)
        assert row is not None, "the caller has it"
        return _delivery(row)

    async def add_test(self, user_id: str, webhook: Webhook, data: str) -> Delivery:
        """A delivery of no session's event, which the caller tries once."""
        row = await self._pool.fetchrow(
            """INSERT INTO webhook_deliveries (id, webhook_id, user_id, event, data, next_at, tries, tried_at)
               VALUES ($1, $2, $3, 'test', $4, NULL, 1, now()) RETURNING *""",
            f"msg_{secrets.token_hex(16)}",
            webhook.id,
            user_id,
            data,
        )
        assert row is not None
        return _taken(row, webhook.url)

    async def take(self, busy: Collection[str], limit: int, lease: timedelta) -> list[Delivery]:
        """Deliveries that are due, the oldest of each webhook that is not `busy`, for the caller to try. Unless it
        tells how that went, they are due again after `lease`."""
        rows = await self._pool.fetch(
            """WITH due AS (
                 SELECT DISTINCT ON (d.webhook_id) d.id FROM webhook_deliveries d
                 WHERE d.next_at <= now() AND d.webhook_id <> ALL ($1)
                 ORDER BY d.webhook_id, d.created_at, d.seq LIMIT $2)
               UPDATE webhook_deliveries d SET tries = d.tries + 1, tried_at = now(), next_at = now() + $3
               FROM webhooks w
               WHERE d.id IN (SELECT id FROM due) AND d.next_at <= now() AND w.id = d.webhook_id
                 AND w.disabled_at IS NULL
               RETURNING d.*, w.url""",
            list(busy),
            limit,
            lease,
        )
        return [_taken(row, row["url"]) for row in rows]

    async def delivered(self, delivery: Delivery, answer_status: int) -> None:
        """The receiver took it."""
        async with self._database.transaction() as connection:
            await connection.execute(
                """UPDATE webhook_deliveries SET delivered_at = now(), next_at = NULL, answer_status = $2, error = ''
                   WHERE id = $1""",
                delivery.id,
                answer_status,
            )
            await connection.execute(
                "UPDATE webhooks SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL",
                delivery.webhook_id,
            )

    async def failed(
        self, delivery: Delivery, error: str, answer_status: int | None, again: timedelta | None
    ) -> timedelta:
        """A try went wrong; the next one comes after `again`, or never. Returns for how long the webhook has failed."""
        async with self._database.transaction() as connection:
            await connection.execute(
                """UPDATE webhook_deliveries SET next_at = now() + $4, answer_status = $2, error = $3
                   WHERE id = $1 AND delivered_at IS NULL""",
                delivery.id,
                answer_status,
                error[:500],
                again,
            )
            failing: timedelta | None = await connection.fetchval(
                """UPDATE webhooks SET failing_since = coalesce(failing_since, now()) WHERE id = $1
                   RETURNING now() - failing_since""",
                delivery.webhook_id,
            )
        return failing or timedelta()

    async def disable(self, webhook_id: str, reason: str) -> bool:
        """Send nothing to it any more. False where that was so already."""
        row = await self._pool.fetchrow(
            """UPDATE webhooks SET disabled_at = now(), disabled_reason = $2
               WHERE id = $1 AND disabled_at IS NULL RETURNING id""",
            webhook_id,
            reason,
        )
        await self._give_up_waiting(webhook_id)
        return row is not None

    async def forget_old(self) -> None:
        """Drop what is older than the log goes back."""
        await self._pool.execute(
            "DELETE FROM webhook_deliveries WHERE created_at < now() - $1::interval AND next_at IS NULL", KEPT
        )

    async def _give_up_waiting(self, webhook_id: str) -> None:
        await self._pool.execute(
            """UPDATE webhook_deliveries SET next_at = NULL, error = CASE error WHEN '' THEN $2 ELSE error END
               WHERE webhook_id = $1 AND next_at IS NOT NULL""",
            webhook_id,
            _UNUSED,
        )


def _webhook(row: asyncpg.Record) -> Webhook:
    return Webhook(
        **{name: row[name] for name in Webhook.model_fields if name in row}, enabled=row["disabled_at"] is None
    )


def _delivery(row: asyncpg.Record) -> WebhookDelivery:
    status: DeliveryStatus = "waiting" if row["next_at"] is not None else "given_up"
    return WebhookDelivery(
        **{name: row[name] for name in WebhookDelivery.model_fields if name in row},
        status="delivered" if row["delivered_at"] is not None else status,
    )


def _taken(row: asyncpg.Record, url: str) -> Delivery:
    return Delivery(**{name: row[name] for name in Delivery._fields if name != "url"}, url=url)
