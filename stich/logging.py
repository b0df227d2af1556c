"""Logs of every process: one JSON object a line for programs, short coloured lines for people; never a secret."""

import logging
import re
import sys
from collections.abc import Callable
from typing import Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from schemas.secrets import mask
from stich.settings import Settings

REDACTED: Final = "[redacted]"
SECRET_NAME: Final = re.compile(
    r"(?i)(^|[_.-])(api_?key|access_?key|secret_?key|private_?key|token|secret|password|passwd|pwd|authorization"
    r"|cookie|credentials?|dsn|database_url)$"
)
SECRET_TEXT: Final = re.compile(
    r"(?i)(?P<keep>bearer\s+|[?&#](?:token|ticket|code|state|key|secret|signature|verify|reset)=|/codec/(?=[0-9a-f]{64}/)|api[_-]?key[\"']?\s*[=:]\s*[\"']?|://[^/\s:@]*:)(?P<value>[^\s\"'&@]{6,})"
    r"|(?P<key>\b(sk|pk|rk|stk|gsk|csk|xai|ghp|gho|github_pat)[-_][A-Za-z0-9_-]{12,}|\bAIza[A-Za-z0-9_-]{20,}|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*)"
)
NOISY: Final = ("httpx", "httpcore", "uvicorn.access", "uvicorn.error", "websockets", "asyncio")


def configure_logging(settings: Settings, role: str, context: Callable[[], dict[str, object]] = dict) -> None:
    """Send the logs of this process, the standard library's too, to stderr. Call once, before anything logs.

    `context` gives fields that every line carries, as they are when it is written.
    """

    def add_context(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {"role": role, **context(), **event}

    for_people = settings.log_format == "console" or (settings.log_format is None and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        add_context,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if for_people else "iso", utc=not for_people),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer = structlog.dev.ConsoleRenderer(pad_event_to=0) if for_people else structlog.processors.JSONRenderer()
    output: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        redact,  # last, when exceptions are text
        renderer,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=output))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


def redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Replace what is named like a secret, and what looks like one inside texts, however deep it lies."""
    return {name: _clean(name, value) for name, value in event.items()}


def _clean(name: str, value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if SECRET_NAME.search(name):
        return REDACTED
    if isinstance(value, str):
        return mask(SECRET_TEXT.sub(lambda found: (found["keep"] or "") + REDACTED, value))
    if isinstance(value, dict):
        return {key: _clean(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(name, item) for item in value]
    return value
