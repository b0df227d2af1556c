"""`stich up`: run everything until a signal."""

import argparse
import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from stich import __version__
from stich.environment import checked_settings
from stich.home import RunningUp
from stich.settings import Settings
from stich.supervisor import Supervisor

MAIL_SECONDS: Final = 1.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(arguments: argparse.Namespace) -> int:
    env = {**os.environ, **({"PORT": arguments.port} if arguments.port else {})}
    say = silent if arguments.quiet else speak
    return asyncio.run(serve(checked_settings(env), env, say))


async def serve(settings: Settings, env: dict[str, str], say: Callable[[str], None]) -> int:
    """Start everything, wait for a signal, stop everything. The exit status is 0 when a signal ended it."""
    started = time.monotonic()
    supervisor = Supervisor(settings, env, lambda line: say(f"  {line}"))
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, signals.put_nowait, number)
    say(f"stich {__version__} is starting, with its data in {supervisor.home.root}")
    starting = asyncio.create_task(supervisor.start())
    told_to_stop = asyncio.create_task(signals.get())
    try:
        await asyncio.wait([starting, told_to_stop], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            welcome(starting.result(), settings, time.monotonic() - started, say)
            printing = asyncio.create_task(print_mails(supervisor.home.mail, say)) if say is not silent else None
            await told_to_stop
            if printing is not None:
                printing.cancel()
        say("\nstopping (Ctrl-C again to stop at once)")
        return 0
    finally:
        starting.cancel()
        await asyncio.wait([starting])
        await stop(supervisor, signals)
        if told_to_stop.done():
            say("stopped")


async def stop(supervisor: Supervisor, signals: "asyncio.Queue[signal.Signals]") -> None:
    stopping = asyncio.create_task(supervisor.stop())
    told_again = asyncio.create_task(signals.get())
    await asyncio.wait([stopping, told_again], return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        supervisor.kill()
    told_again.cancel()
    await stopping


def welcome(running: RunningUp, settings: Settings, seconds: float, say: Callable[[str], None]) -> None:
    say(f"\nready after {seconds:.1f} s. Open this address:\n\n    {running.sign_in_url}\n")
    if running.demo:
        say("The demo model answers, with recorded sessions: no key of a model provider was found or asked for.")
    else:
        say("Models of the providers whose keys were found answer; `stich models` lists them.")
    if settings.auth == "accounts":
        say("People sign in with accounts; `stich users add --operator E-MAIL` makes the first one.")
    elif not settings.loopback:
        say(f"It listens on {settings.host}: whoever knows the address with its token can use it.")
    if running.temporal_ui:
        say(f"Temporal shows every session at {running.temporal_ui}")
    say("Ctrl-C stops everything; nothing is lost.")


async def print_mails(folder: Path, say: Callable[[str], None]) -> None:
    """Say what no mail server was set for, once each: a link in it is for whoever sits at this terminal."""
    while True:
        for text in take_mails(folder):
            say(f"\nA mail that no mail server was set for (STICH_SMTP_URL):\n\n{text}")
        await asyncio.sleep(MAIL_SECONDS)


def take_mails(folder: Path) -> list[str]:
    """The mails that lie in the folder, oldest first. They are deleted."""
    paths = sorted(folder.glob("*.txt"))
    texts = [path.read_text() for path in paths]
    for path in paths:
        path.unlink()
    return texts


def speak(line: str) -> None:
    print(line, flush=True)


def silent(line: str) -> None:
    """Nothing is said."""
