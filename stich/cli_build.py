"""`stich build`: one session, from the prompt to a folder with the project."""

import argparse
import asyncio
import contextlib
import io
import os
import re
import secrets
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from typing import Final

from pydantic import ValidationError

from schemas.http import CreateSession, SessionSnapshot
from schemas.session import MAX_PROMPT, State, StateInfo
from stich.cli_build_view import Outcome, View, view_for
from stich.client import StichClient, StichHttpError, StichUnreachable
from stich.errors import StichError
from stich.home import Home, RunningUp
from stich.processes.program import launcher
from stich.processes.roles import python_program, with_packages
from stich.settings import Settings

ENDED: Final[frozenset[State]] = frozenset({"completed", "failed", "stopped", "idle"})
START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 15.0


def run(arguments: argparse.Namespace) -> int:
    settings = Settings.from_env(os.environ)
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


def require_empty(folder: Path) -> None:
    """Raises StichError where the project would land among other files."""
    ground = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not os.access(ground, os.W_OK):
        raise StichError(f"{ground} cannot be written; name another folder with --out DIR.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StichError(f"{folder} is not an empty directory; name another with --out DIR.")


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
            async with StichClient(running.local_url, running.token, lost=view.lost) as client:
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
    following = asyncio.create_task(follow(client, session_id, view))
    stopping = asyncio.create_task(told_to_stop.wait())
    await asyncio.wait([following, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if following.done():
        return following.result()
    view.note("stopping the session")
    following.cancel()
    await asyncio.wait([following])
    with contextlib.suppress(StichHttpError):  # it may have come to its end just now
        await client.stop(session_id)
    progress = (await client.snapshot(session_id)).progress
    return Outcome.of(progress)


async def follow(client: StichClient, session_id: str, view: View) -> Outcome:
    """Show what happens until the session rests."""
    newest: StateInfo | None = None
    async with contextlib.aclosing(client.follow(session_id)) as items:
        async for item in items:
            view.show(item)
            if isinstance(item, SessionSnapshot):
                state = item.progress.state
            elif item.event.type == "session_state":
                state = item.event.state
            else:
                continue
            # A snapshot may be ahead of the events that come after it.
            newest = state if newest is None or state.since >= newest.since else newest
            if newest.name in ENDED:
                break
    return Outcome.of((await client.snapshot(session_id)).progress)


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
            env=with_packages(os.environ),
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


# ---------------------------------------------------------------- the project


def write_project(archive: bytes, out: Path | None, title: str) -> Path:
    """Write the files of a ZIP archive into `out`, or into a new folder named after the title. Returns the folder.

    The one folder that the archive holds everything in is left away.
    """
    folder = out if out is not None else free_folder(slug(title))
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as project:
            entries = [entry for entry in project.infolist() if not entry.is_dir()]
            for entry in entries:
                path = PurePosixPath(entry.filename)
                if path.is_absolute() or ".." in path.parts or len(path.parts) < 2 or "\\" in entry.filename:
                    raise StichError(f"The archive has a path that leaves its folder: {entry.filename[:100]!r}.")
            require_empty(folder)
            for entry in entries:
                target = folder.joinpath(*PurePosixPath(entry.filename).parts[1:])
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(project.read(entry))
    except OSError as error:
        raise StichError(
            f"The project cannot be written to {folder} ({error.strerror}); name another: --out DIR."
        ) from None
    except zipfile.BadZipFile:
        raise StichError("The service sent a damaged archive; try `stich build --resume` again.") from None
    return folder


def slug(title: str) -> str:
    """A folder name made of the title's letters and digits."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60].strip("-") or "project"


def free_folder(name: str) -> Path:
    """`name`, or with the first number at its end that is free."""
    number = 1
    while (folder := Path(name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return folder
