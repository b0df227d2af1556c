"""Notices about budgets reach the session, the user's mail and the operator's webhook, signed."""

import hmac
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio.exceptions import ApplicationError

from api.budget_notices import NoticeSender, WebhookBody
from api.mail import Mail
from schemas.budgets import BudgetNotice
from storage.budgets import Budgets
from storage.ledger import Ledger
from storage.users import Users
from tests.activities.conftest import ModelRooms, model_rooms  # noqa: F401
from tests.activities.test_conversation import answer, spoken
from tests.api.conftest import bound_socket, serve
from tests.storage.test_ledger import record

SECRET = SecretStr("a-secret-for-webhooks")


class Outbox:
    def __init__(self) -> None:
        self.mails: list[Mail] = []

    async def send(self, mail: Mail) -> None:
        self.mails.append(mail)


async def test_each_part_of_a_budget_is_told_in_the_session_by_mail_and_by_the_webhook(
    model_rooms: ModelRooms,  # noqa: F811
) -> None:
    """From the model call that crosses the line to what arrives: 50 and 80 per cent, and the end."""
    database, outbox = model_rooms.rooms.database, Outbox()
    await database.pool.execute("UPDATE users SET email = 'ida@example.org' WHERE id = 'local'")
    budgets = Budgets(database)
    await budgets.set("local", "user", {"day": Decimal(10)})
    received: list[tuple[bytes, str]] = []

    async def hook(request: Request) -> Response:
        received.append((await request.body(), request.headers["stich-signature"]))
        return Response(status_code=500 if len(received) == 1 else 204)

    async with serve(Starlette(routes=[Route("/hook", hook, methods=["POST"])]), bound_socket()) as url:
        sender = NoticeSender(budgets, Users(database), outbox, f"{url}/hook", SECRET)
        for number, (spent, percent) in enumerate((("4.99999", 50), ("3", 80), ("2", 100))):
            past = record(user_id="local", call_number=number, price=Decimal(spent), started_at=datetime.now(UTC))
            await Ledger(database).settle(past)
            model_rooms.says("All is well.")
            if percent < 100:
                await answer(model_rooms, number=number)
            else:
                with pytest.raises(ApplicationError, match="does not allow this"):
                    await answer(model_rooms, number=number)
            told = await model_rooms.events("budget")
            assert [event["notice"]["percent"] for event in told][-1] == percent and len(told) == number + 1
            sentence = BudgetNotice.model_validate(told[-1]["notice"]).sentence
            assert sentence in [turn["text"] for turn in await spoken(model_rooms) if turn["role"] == "notice"]
            while await sender.send_some():
                pass
        assert len(model_rooms.server.seen) == 2, "the call that nothing is left for is not made"
        await database.pool.execute("UPDATE budget_notices SET hook_next_at = now(), mail_next_at = now()")
        while await sender.send_some():  # what failed at first is sent again, what arrived is not
            pass
    assert [mail.to for mail in outbox.mails] == ["ida@example.org"] * 3
    assert "$5.00 of $10.00" in outbox.mails[0].text
    bodies = [WebhookBody.model_validate_json(body) for body, _ in received]
    assert [body.notice.percent for body in bodies] == [50, 80, 100, 50]
    for body, header in received:
        seconds, given = header.removeprefix("t=").split(",v1=")
        assert given == hmac.digest(SECRET.get_secret_value().encode(), f"{seconds}.".encode() + body, "sha256").hex()
