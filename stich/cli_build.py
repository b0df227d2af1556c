"""`stich build`: one session, from the prompt to a folder with the project."""

import argparse
import asyncio
import contextlib
import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from schemas.http import CreateSession
from schemas.session import MAX_PROMPT
from stich.cli_build_view import Outcome, View, view_for
from stich.client import StichClient, StichHttpError, StichUnreachable
from stich.environment import checked_settings
from stich.errors import StichError
from stich.home import Home, RunningUp
from stich.processes.program import launcher
from stich.processes.roles import python_program, with_packages
from stich.projects import require_empty, write_project
from stich.service import API_KEY, credential
from stich.settings import Settings

START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 15.0


def run(arguments: argparse.Namespace) -> int:
    settings = checked_settings(os.environ)
    request = None if arguments.resume else read_request(arguments)
    if arguments.resume and arguments.prompt:
        raise StichError("--resume goes on with what the session was asked for; leave the prompt away.")
    if arguments.out is not None:
        require_empty(arguments.out)
    view = view_for(as_json=arguments.json)
    with view:
        return asyncio.run(build(settings, request, arguments.resume, arguments.out, view))


def read_request(arguments: argparse.Namespace) -> CreateSession:
    """The session that is asked for. Raises StichError for a prompt that cannot be used."""
    if arguments.prompt is None:
        raise StichError('Say what to build, as in: stich build "A kanban board with drag and drop".')
    prompt = sys.stdin.read() if arguments.prompt == "-" else arguments.prompt
    try:
        return CreateSession(prompt=prompt, mode=arguments.mode, template=arguments.template)
    except ValidationError:
        if not prompt.strip():
            raise StichError("The prompt is empty; say what to build.") from None
        raise StichError(f"The prompt has {len(prompt):,} characters; at most {MAX_PROMPT:,} are allowed.") from None


async def build(
    settings: Settings, request: CreateSession | None, session_id: str | None, out: Path | None, view: View
) -> int:
    """Run or go on with a session, and write the project out when it completed. Returns the exit status."""
    told_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    started = time.monotonic()
    async with service(settings, view, told_to_stop) as running:
        try:
            async with StichClient(running.local_url, credential(running, settings), lost=view.lost) as client:
                if request is not None:
                    session_id = (await client.start(request, secrets.token_hex(16))).id
                assert session_id is not None
                outcome = await steer(client, session_id, view, told_to_stop, resume=request is None)
                if outcome.state == "completed":
                    outcome.out = write_project(await client.export(session_id), out, outcome.title)
        except StichHttpError as error:
            raise StichError(str(error)) from None
        except StichUnreachable as error:
            raise StichError(f"{error} Look into {settings.home / 'logs'}.") from None
    outcome.seconds = time.monotonic() - started
    view.end(outcome)
    return 0 if outcome.state == "completed" else 1


async def steer(
    client: StichClient, session_id: str, view: View, told_to_stop: asyncio.Event, *, resume: bool
) -> Outcome:
    """Follow the session to its end, or stop it when told to."""
    if resume and "resume" in (await client.snapshot(session_id)).progress.state.can:
        await client.resume(session_id)
    following = asyncio.create_task(client.wait(session_id, told=view.show))
    stopping = asyncio.create_task(told_to_stop.wait())
    await asyncio.wait([following, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if following.done():
        return Outcome.of(following.result())
    view.note("stopping the session")
    following.cancel()
    await asyncio.wait([following])
    with contextlib.suppress(StichHttpError):  # it may have come to its end just now
        await client.stop(session_id)
    progress = (await client.snapshot(session_id)).progress
    return Outcome.of(progress)


# ---------------------------------------------------------------- the service


@contextlib.asynccontextmanager
async def service(settings: Settings, view: View, told_to_stop: asyncio.Event) -> AsyncIterator[RunningUp]:
    """The `stich up` of this home, or one for the time of the block. Raises StichError when it does not start."""
    home = Home(settings.home)
    if running := home.running():
        yield running
        return
    view.note("starting stich for the time of this build (`stich up` keeps it running)")
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            *launcher(signal.SIGTERM),
            *python_program("-m", "stich", "up", "--quiet", "--port", "0"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=errors,
            env=with_packages(_for_service(settings)),
            process_group=0,  # Ctrl-C is for us, to stop the session first
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while (running := home.running()) is None:
                if process.returncode is not None:
                    errors.seek(0)
                    words = errors.read().decode(errors="replace").strip().splitlines()
                    raise StichError(words[-1].removeprefix("stich: ") if words else "stich could not be started.")
                if told_to_stop.is_set():
                    raise StichError("Stopped before the session began.")
                if time.monotonic() > deadline:
                    raise StichError(f"stich did not start in time; look into {home.logs}.")
                await asyncio.sleep(0.05)
            yield running
        finally:
            if process.returncode is None:
                process.terminate()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), STOP_SECONDS)
            if process.returncode is None:
                process.kill()
                await process.wait()


def _for_service(settings: Settings) -> dict[str, str]:
    """The environment of a service that is started here. An API key opens it, and is not the secret that it goes by."""
    env = dict(os.environ)
    if settings.auth == "accounts" and settings.token and API_KEY.fullmatch(settings.token.get_secret_value()):
        del env["STICH_TOKEN"]
    return env
