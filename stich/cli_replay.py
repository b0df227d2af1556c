"""`stich replay`: play an exported session again."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory

from schemas.recording import RecordedSession
from stich.errors import StichError
from stich.projects import require_empty, write_project
from stich.replay import Played, differing, read, replay


def run(arguments: argparse.Namespace) -> int:
    recording = read(arguments.file)
    session = recording.session
    assert session is not None
    if arguments.out is not None:
        require_empty(arguments.out)
    if session.missing:
        tell(f"The recording lacks {session.missing} answers of models, which were no longer kept.")
    for left_out in session.left_out:
        tell(f"The recording leaves out {left_out}.")
    with TemporaryDirectory(prefix="stich-replay-") as home:
        folder = Path(home) / "home"
        try:
            played = asyncio.run(until_told_to_stop(replay(recording, os.environ, folder, arguments.model, tell)))
        except TimeoutError:
            raise StichError("The stich that plays the session did not answer in time.") from None
    if played is None:
        tell("Interrupted.")
        return 130
    if arguments.out is not None:
        write_project(played.archive, arguments.out, recording.title)
    if arguments.model is not None:
        return compare(arguments.model, session, played)
    return conclude(session, played)


async def until_told_to_stop(playing: Coroutine[None, None, Played]) -> Played | None:
    """What comes of it; None where a signal ended it, after everything that it had started."""
    task = asyncio.create_task(playing)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await asyncio.wait([task])
    return None if task.cancelled() else task.result()


def conclude(session: RecordedSession, played: Played) -> int:
    """Say whether it came out as it was."""
    tell(f"{played.calls} calls of models, {played.messages} messages, {len(played.files)} files")
    if not played.differences:
        print(f"the same: {played.progress.state.name}, every prompt, every message and every file")
        return 0
    print(f"first difference: {played.differences[0]}")
    for difference in played.differences[1:20]:
        tell(f"  then: {difference}")
    if len(played.differences) > 20:
        tell(f"  and {len(played.differences) - 20} more")
    return 1


def compare(model: str, session: RecordedSession, played: Played) -> int:
    """Say how another model did on the same history."""
    state, usage = played.progress.state, played.progress.usage
    print(f"recorded  {', '.join(session.models)}: {session.state}, {len(session.files)} files, {session.cost_usd} USD")
    print(f"played    {model}: {state.name}, {len(played.files)} files, {usage.cost_usd} USD, {usage.calls} calls")
    print(f"{len(differing(session.files, played.files))} files differ")
    if state.name != "completed":
        tell(state.reason)
    return 0 if state.name == "completed" else 1


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
