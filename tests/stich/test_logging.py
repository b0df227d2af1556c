"""Logs: one JSON object a line, and no secret in it."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from stich.logging import REDACTED, configure_logging, redact
from stich.settings import Settings


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


Capture = pytest.CaptureFixture[str]


def lines(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


def test_one_json_object_a_line(capsys: Capture) -> None:
    configure_logging(Settings.from_env({"STICH_LOG_FORMAT": "json"}), "worker", lambda: {"session_id": "s-1"})
    structlog.get_logger("inference").info("called", model="m", tokens=3)
    logging.getLogger("other").warning("from %s", "elsewhere")
    first, second = lines(capsys.readouterr().err)
    assert first["event"] == "called" and first["tokens"] == 3
    assert first["role"] == "worker" and first["session_id"] == "s-1" and first["level"] == "info"
    assert second["event"] == "from elsewhere" and second["session_id"] == "s-1"


def test_a_secret_in_an_exception_is_cut_out(capsys: Capture) -> None:
    configure_logging(Settings.from_env({"STICH_LOG_FORMAT": "json"}), "worker")
    try:
        raise ValueError("refused key sk-proj-abcdefghijklmnopqrstuvwxyz")
    except ValueError:
        structlog.get_logger("inference").exception("failed")
    output = capsys.readouterr().err
    assert "abcdefghij" not in output and REDACTED in output and "ValueError" in output


def test_short_lines_for_people(capsys: Capture) -> None:
    configure_logging(Settings.from_env({"STICH_LOG_FORMAT": "console"}), "api")
    structlog.get_logger("api").info("started", api_key="abcdef123456")
    output = capsys.readouterr().err
    assert "started" in output and "abcdef123456" not in output


def test_the_level_is_obeyed(capsys: Capture) -> None:
    configure_logging(Settings.from_env({"STICH_LOG_FORMAT": "json", "STICH_LOG_LEVEL": "error"}), "api")
    structlog.get_logger("api").warning("quiet")
    structlog.get_logger("api").error("loud")
    assert [line["event"] for line in lines(capsys.readouterr().err)] == ["loud"]


@pytest.mark.parametrize(
    "name", ["api_key", "OPENAI_API_KEY", "token", "stich_token", "password", "Authorization", "DATABASE_URL", "cookie"]
)
def test_fields_named_like_secrets_are_redacted(name: str) -> None:
    assert redact(None, "info", {name: "abcdef", "inner": {name: ["abcdef"]}}) == {
        name: REDACTED,
        "inner": {name: REDACTED},
    }


@pytest.mark.parametrize(
    "text",
    [
        "GET /?token=abcdefghijk HTTP/1.1",
        "GET /auth/github/callback?code=abcdefghijk&state=abcdefghijk",
        "GET https://a.example/x?a=1&ticket=abcdefghijk",
        "GET https://a.example/x?key=abcdefghijk",
        "opened https://a.example/sign-in#reset=abcdefghijk",
        "Authorization: Bearer abcdefghijk",
        "postgresql://stich:abcdefghijk@db/stich",
        "sent sk-ant-abcdefghijk0123456789 away",
        "key AIzaabcdefghijk0123456789012345",
    ],
)
def test_texts_that_hold_secrets_are_redacted(text: str) -> None:
    cleaned = redact(None, "info", {"event": text})["event"]
    assert "abcdefghijk" not in cleaned and REDACTED in cleaned


def test_the_ticket_of_the_codec_is_redacted() -> None:
    ticket = "0123456789abcdef" * 4
    for address in (f"http://127.0.0.1:8080/codec/{ticket}/decode", f"GET /codec/{ticket}/decode"):
        assert ticket not in str(redact(None, "info", {"event": address}))


def test_what_only_sounds_like_a_secret_stays() -> None:
    event = {"event": "used 12 tokens of the budget", "input_tokens": 12, "action_key": "blueprint", "sk": "sk-1"}
    assert redact(None, "info", dict(event)) == event
