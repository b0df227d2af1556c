"""Mails, by a mail server and into a folder."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiosmtplib
import pytest
from pydantic import SecretStr

from api.mail import Mail, SmtpMailer

MAIL = Mail("ada@example.org", "Hello", "A link:\n\n    https://stich.example.org/sign-in#verify=token\n.\n..\n")


class MailServer:
    """Speaks enough SMTP to take a mail. `refuse` makes it refuse recipients."""

    def __init__(self, refuse: bool = False) -> None:
        self.commands: list[str] = []
        self.data = ""
        self._refuse = refuse

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := (await reader.readline()).decode():
            command = line.strip()
            self.commands.append(command)
            match command.split(" ")[0].upper():
                case "EHLO":
                    writer.write(b"250-here\r\n250 AUTH PLAIN\r\n")
                case "AUTH":
                    writer.write(b"235 welcome\r\n")
                case "RCPT" if self._refuse:
                    writer.write(b"550 nobody\r\n")
                case "DATA":
                    writer.write(b"354 go\r\n")
                    lines = []
                    while (text := (await reader.readline()).decode()) != ".\r\n":
                        lines.append(text.removeprefix("."))
                    self.data = "".join(lines)
                    writer.write(b"250 taken\r\n")
                case "QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                case _:
                    writer.write(b"250 ok\r\n")
        writer.close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]


async def test_a_mail_goes_to_the_server_with_its_text_whole() -> None:
    server = MailServer()
    async with server.listening() as port:
        await SmtpMailer(SecretStr(f"smtp://ada:p%40ss@127.0.0.1:{port}"), "stich <stich@example.org>").send(MAIL)
    assert any(command.startswith("AUTH PLAIN") for command in server.commands)
    assert "RCPT TO:<ada@example.org>" in " ".join(server.commands)
    assert "Subject: Hello" in server.data and "#verify=token" in server.data
    assert server.data.replace("\r\n", "\n").endswith("\n.\n..\n")


async def test_a_mail_that_is_refused_raises() -> None:
    async with MailServer(refuse=True).listening() as port:
        with pytest.raises(aiosmtplib.SMTPException):
            await SmtpMailer(SecretStr(f"smtp://127.0.0.1:{port}"), "stich@example.org").send(MAIL)


async def test_no_mail_goes_in_clear_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    server = MailServer()
    async with server.listening() as port:
        mailer = SmtpMailer(SecretStr(f"smtp://mail.example:{port}"), "stich@example.org")
        real = asyncio.get_running_loop().create_connection

        async def here(factory, host=None, port=None, **rest):  # type: ignore[no-untyped-def]
            return await real(factory, "127.0.0.1", port, **rest)

        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", here)
        with pytest.raises(aiosmtplib.SMTPException, match="STARTTLS"):
            await mailer.send(MAIL)
    assert server.data == ""


@pytest.mark.parametrize("url", ["http://x", "smtp://", "mail.example.org"])
def test_what_is_no_mail_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        SmtpMailer(SecretStr(url), "stich@example.org")
