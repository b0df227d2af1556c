"""Notices about budgets reach the user's mail and the operator's webhook, signed, however often it fails at first."""

import hashlib
import hmac
from datetime import UTC, datetime
from decimal import Decimal

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.budget_notices import NoticeSender, WebhookBody
from api.mail import Mail
from storage.budgets import Budgets
from storage.database import Database
from storage.ledger import Ledger
from storage.users import Users
from tests.api.conftest import bound_socket, serve
from tests.api.people import add_user
from tests.storage.test_ledger import record

SECRET = SecretStr("a-secret-for-webhooks")


class Outbox:
    def __init__(self) -> None:
        self.mails: list[Mail] = []

    async def send(self, mail: Mail) -> None:
        self.mails.append(mail)


async def test_a_notice_is_mailed_and_posted(database: Database) -> None:
    user = await add_user(database, "ida@example.org")
    budgets, outbox = Budgets(database), Outbox()
    await budgets.set(user.id, "user", {"day": Decimal(10)})
    await Ledger(database).settle(record(user_id=user.id, price=Decimal(8), started_at=datetime.now(UTC)))
    await budgets.claim_notices(user.id, "s1")
    received: list[tuple[bytes, str]] = []

    async def hook(request: Request) -> Response:
        received.append((await request.body(), request.headers["stich-signature"]))
        return Response(status_code=500 if len(received) == 1 else 204)

    async with serve(Starlette(routes=[Route("/hook", hook, methods=["POST"])]), bound_socket()) as url:
        sender = NoticeSender(budgets, Users(database), outbox, f"{url}/hook", SECRET)
        assert await sender.send_some() > 0
        assert await sender.send_some() == 0, "a failed delivery waits for its turn"
        await database.pool.execute("UPDATE budget_notices SET hook_next_at = now()")
        await sender.send_some()
        await database.pool.execute("UPDATE budget_notices SET hook_next_at = now(), mail_next_at = now()")
        assert await sender.send_some() == 0, "what arrived is not sent again"
    assert len(outbox.mails) == 2 and outbox.mails[-1].to == "ida@example.org"
    assert "$8.00 of $10.00" in outbox.mails[-1].text
    body, header = received[-1]
    seconds, given = header.removeprefix("t=").split(",v1=")
    expected = hmac.digest(SECRET.get_secret_value().encode(), f"{seconds}.".encode() + body, hashlib.sha256).hex()
    assert given == expected
    assert WebhookBody.model_validate_json(body).notice.percent in (50, 80)
