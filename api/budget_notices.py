"""Sends the notices about budgets on: by mail where a server is set, and to the operator's webhook, signed.

Any number of processes may do this: each takes some of the notices that wait, for a while. What could not be delivered
is tried again, later each time. A notice may arrive twice, with the same id, but is not lost.
"""

import asyncio
import hashlib
import hmac
import time
from typing import Final, Literal, Self

import httpx
import structlog
from pydantic import BaseModel, SecretStr

from api.mail import Mail, Mailer, SmtpMailer
from api.services import Services
from schemas.budgets import BudgetNotice
from storage.budgets import Budgets
from storage.users import UserMissing, Users

LOOK_SECONDS: Final = 5.0
HOOK_SECONDS: Final = 10.0
SIGNATURE_HEADER: Final = "Stich-Signature"

log: structlog.stdlib.BoundLogger = structlog.get_logger("notices")


class WebhookBody(BaseModel):
    """What the webhook receives. Its header `Stich-Signature: t=SECONDS,v1=HEX` holds the HMAC-SHA-256 of
    `SECONDS.BODY` under the secret."""

    type: str = "budget"
    sentence: str
    notice: BudgetNotice


class NoticeSender:
    """Delivers until it is cancelled."""

    def __init__(
        self,
        budgets: Budgets,
        users: Users,
        mailer: Mailer | None,
        webhook_url: str | None = None,
        webhook_secret: SecretStr | None = None,
    ) -> None:
        self._budgets = budgets
        self._users = users
        self._mailer = mailer
        self._url = webhook_url
        self._secret = webhook_secret

    @classmethod
    def of(cls, services: Services) -> Self | None:
        """None where neither mails nor a webhook are set."""
        settings = services.settings
        mailer = services.mailer if isinstance(services.mailer, SmtpMailer) else None
        if mailer is None and settings.webhook_url is None:
            return None
        return cls(services.budgets, services.users, mailer, settings.webhook_url, settings.webhook_secret)

    async def run(self) -> None:
        """Look for notices every few seconds."""
        while True:
            try:
                while await self.send_some():
                    pass
            except Exception as error:
                log.warning("notices could not be sent", error=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def send_some(self) -> int:
        """Try to deliver some of the notices that wait. How many were tried."""
        mails = await self._budgets.take_notices("mail") if self._mailer else []
        for notice in mails:
            await self._deliver("mail", notice)
        hooks = await self._budgets.take_notices("hook") if self._url else []
        for notice in hooks:
            await self._deliver("hook", notice)
        return len(mails) + len(hooks)

    async def _deliver(self, way: Literal["mail", "hook"], notice: BudgetNotice) -> None:
        try:
            await (self._mail(notice) if way == "mail" else self._call(notice))
        except Exception as error:  # a server may answer anything; an error's text may hold an address
            log.warning("a notice could not be delivered", way=way, notice=notice.id, error=type(error).__name__)
        else:
            await self._budgets.delivered(notice.id, way)

    async def _mail(self, notice: BudgetNotice) -> None:
        assert self._mailer is not None
        try:
            user = await self._users.get(notice.user_id)
        except UserMissing:
            return
        if user.email is None:
            return
        turns = "" if notice.resets_at is None else f"\nIt begins anew on {notice.resets_at:%d %B at %H:%M} UTC.\n"
        text = f"{notice.sentence}\n{turns}\nSession: {notice.session_id}\n"
        await self._mailer.send(Mail(user.email, f"Budget: {notice.percent} per cent used", text))

    async def _call(self, notice: BudgetNotice) -> None:
        assert self._url is not None and self._secret is not None
        body = WebhookBody(sentence=notice.sentence, notice=notice).model_dump_json().encode()
        headers = {"Content-Type": "application/json", SIGNATURE_HEADER: signature(self._secret, body, time.time())}
        async with httpx.AsyncClient(timeout=HOOK_SECONDS) as client:
            (await client.post(self._url, content=body, headers=headers)).raise_for_status()


def signature(secret: SecretStr, body: bytes, at: float) -> str:
    """The value of the header that proves where a body comes from and when it was sent."""
    seconds = str(int(at))
    digest = hmac.digest(secret.get_secret_value().encode(), seconds.encode() + b"." + body, hashlib.sha256)
    return f"t={seconds},v1={digest.hex()}"
