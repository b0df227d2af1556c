"""Mails with links: by SMTP where it is set, else into a folder that only the operator reads."""

import os
import secrets
import time
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from typing import Final, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib
from pydantic import SecretStr

SEND_SECONDS: Final = 20.0


class Mail(NamedTuple):
    """A mail. Its text holds a link that signs somebody in: it goes to nobody else, and into no log."""

    to: str
    subject: str
    text: str


class Mailer(Protocol):
    """Delivers mails."""

    async def send(self, mail: Mail) -> None:
        """Raises OSError or aiosmtplib.SMTPException when it could not be delivered."""
        ...


class SmtpMailer:
    """Delivers by an SMTP server: `smtp://[user:password@]host[:port]`, or `smtps://` for TLS from the beginning.

    Without TLS nothing is sent to a server on another machine.
    """

    def __init__(self, url: SecretStr, sender: str) -> None:
        parts = urlsplit(url.get_secret_value())
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("not an smtp:// or smtps:// address")
        self._sender = sender
        self._host = parts.hostname
        self._tls = parts.scheme == "smtps"
        self._port = parts.port or (465 if self._tls else 587)
        self._user = unquote(parts.username) if parts.username else None
        self._password = SecretStr(unquote(parts.password)) if parts.password else None

    async def send(self, mail: Mail) -> None:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = mail.to
        message["Subject"] = mail.subject
        message["Message-ID"] = make_msgid(domain=self._sender.rpartition("@")[2].strip("> ") or None)
        message.set_content(mail.text)
        local = self._host in ("localhost", "127.0.0.1", "::1")
        await aiosmtplib.send(
            message,
            hostname=self._host,
            port=self._port,
            username=self._user,
            password=self._password.get_secret_value() if self._password else None,
            use_tls=self._tls,
            start_tls=None if local or self._tls else True,
            timeout=SEND_SECONDS,
        )


class NoMailer:
    """Stands where neither a server nor a folder is set: every mail fails."""

    async def send(self, mail: Mail) -> None:
        raise OSError("no way to send mails is set")


class FolderMailer:
    """Puts each mail into a file that only this user of the machine reads; `stich up` prints it once and deletes it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, mail: Mail) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{time.time_ns()}-{secrets.token_hex(4)}"
        hidden = self._folder / f".{name}"
        with os.fdopen(os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"To: {mail.to}\nSubject: {mail.subject}\n\n{mail.text}")
        hidden.replace(self._folder / f"{name}.txt")
