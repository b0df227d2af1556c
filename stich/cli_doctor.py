"""`stich doctor`: is everything here that stich needs, and does it work?"""

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import stich
from inference.settings import InferenceSettings, InvalidSetting
from sandbox.machine import browser_missing, is_prepared, missing
from sandbox.settings import SandboxSettings
from stich.api_server import WEB
from stich.database import open_database, required_url
from stich.environment import problems
from stich.errors import StichError
from stich.home import Home, is_free
from stich.processes.postgres import binary
from stich.processes.temporal import temporal_binary
from stich.settings import Settings
from stich.temporal import connect_temporal, require_namespace

ANSWERS_WITHIN: Final = 5.0


class Finding(NamedTuple):
    """What was looked at, whether it is well, and a sentence."""

    name: str
    well: bool
    sentence: str


def run(arguments: argparse.Namespace) -> int:
    findings = [Finding("settings", False, sentence) for sentence in problems(os.environ)]
    with contextlib.suppress(StichError):  # told already
        findings += examine(Settings.from_env(os.environ))
    for finding in findings:
        print(f"{'ok     ' if finding.well else 'PROBLEM'}  {finding.name:<12} {finding.sentence}")
    return 0 if all(finding.well for finding in findings) else 1


def examine(settings: Settings) -> Iterator[Finding]:
    """Every check, in the order in which things are needed."""
    home = Home(settings.home)
    yield Finding("stich", True, f"{stich.__version__} on Python {sys.version.split()[0]}")
    yield attempt("home", f"{home.root} can be written", home.prepare)
    sandbox = SandboxSettings(home=settings.home, unsafe_local=settings.unsafe_local)
    lacking = missing(sandbox)
    yield Finding("sandbox", not lacking, " ".join(lacking) or "Node.js, npm and isolation work")
    prepared = not lacking and is_prepared(sandbox)
    yield Finding("templates", prepared, "prepared" if prepared else "Not prepared yet; run `make setup`.")
    no_browser = browser_missing()
    yield Finding("browser", no_browser is None, no_browser or "found")
    yield attempt("postgres", "found", lambda: require_file(binary("postgres")))
    yield attempt("temporal", "found", temporal_binary)
    built = (WEB / "index.html").exists()
    yield Finding("web page", built, "built" if built else "Not built yet; run `make setup`.")
    yield models(os.environ)
    if settings.database_url is not None:
        yield attempt("database", "answers, and has every migration", lambda: asyncio.run(database(settings)))
    if settings.temporal_address is not None:
        yield attempt("temporal", "answers, and has the namespace", lambda: asyncio.run(temporal(settings)))
    if running := home.running():
        yield Finding("running", True, f"stich up serves this home at {running.url}")
    else:
        free = is_free(settings.port, settings.host)
        yield Finding(
            "port", free, f"{settings.port} is {'free' if free else 'taken; choose another with PORT=NUMBER'}"
        )


async def database(settings: Settings) -> None:
    """Raises StichError where the database that is named cannot be used as it is."""
    async with open_database(required_url(settings), 1, "stich-doctor") as opened:
        if pending := await opened.pending_migrations():
            raise StichError(f"{len(pending)} migrations are not applied yet; run `stich migrate`.")


async def temporal(settings: Settings) -> None:
    """Raises StichError where the Temporal that is named does not answer, or lacks the namespace."""
    await require_namespace(await connect_temporal(settings, os.environ), ANSWERS_WITHIN)


def attempt(name: str, sentence: str, check: Callable[[], object]) -> Finding:
    try:
        check()
    except StichError as error:
        return Finding(name, False, str(error))
    return Finding(name, True, sentence)


def require_file(path: Path) -> None:
    if not path.exists():
        raise StichError(f"{path.name} is missing; run `make setup`.")


def models(env: Mapping[str, str]) -> Finding:
    try:
        settings = InferenceSettings.from_env(env)
    except InvalidSetting as error:
        return Finding("models", False, f"{error}.")
    names = sorted(set(settings.providers) - {"demo"})
    return Finding(
        "models", True, f"keys for {', '.join(names)}" if names else "no provider key; the demo model answers"
    )
