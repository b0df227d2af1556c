"""Child processes, with real ones: started, watched, restarted, ended, and never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from stich.errors import StichError
from stich.processes.program import Child, Program, launcher

READY_LINE = "import sys,time,pathlib; pathlib.Path(sys.argv[1]).touch(); "
SLEEP = READY_LINE + "time.sleep(60)"
DEAF = "import signal; [signal.signal(s, signal.SIG_IGN) for s in (2, 15)]; " + SLEEP
FAIL = "import sys; print('something else', flush=True); sys.exit('no room on the disk')"

Make = Callable[..., Child]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Makes children out of Python code; all are ended at the end."""
    children: list[Child] = []

    def make(code: str, report: list[str] | None = None, **options: Any) -> Child:
        mark = tmp_path / f"ready-{len(children)}"

        async def ready() -> bool:
            return mark.exists()

        def clear() -> None:
            mark.unlink(missing_ok=True)

        async def ended() -> None:
            pass

        command = [sys.executable, "-S", "-c", code, str(mark)]
        program = Program("part", "The part", command, {"PATH": os.defpath}, ready, before=clear, **options)
        child = Child(program, tmp_path, (report if report is not None else []).append, ended)
        children.append(child)
        return child

    yield make
    for child in children:
        child.kill()
        await child.stop()


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def test_it_starts_in_a_group_of_its_own_and_stops(make: Make) -> None:
    child = make(SLEEP)
    await child.start()
    pid = child.pid
    assert pid is not None and os.getpgid(pid) == pid != os.getpgid(0)
    await child.stop()
    assert child.pid is None and not alive(pid)


async def test_one_that_ignores_the_signal_is_killed(make: Make) -> None:
    child = make(DEAF, stop_within=0.3)
    await child.start()
    pid = child.pid
    started = time.monotonic()
    await child.stop()
    assert pid is not None and not alive(pid) and time.monotonic() - started < 3


async def test_one_that_does_not_start_says_why(make: Make) -> None:
    with pytest.raises(StichError, match=r"^The part did not start: no room on the disk \(log: .*part\.log\)\.$"):
        await make(FAIL).start()


async def test_one_that_does_nothing_is_given_up(make: Make) -> None:
    child = make("print('waiting for Godot', flush=True); import time; time.sleep(60)", idle_within=1.0)
    with pytest.raises(
        StichError, match=r"and has done nothing for 1 s \(log: .*\)\. Its last words: waiting for Godot$"
    ):
        await child.start()


WORK = "import time; end = time.monotonic() + 2.5\nwhile time.monotonic() < end: pass\n"
WRITE = "import time\nfor number in range(12): print(number, flush=True); time.sleep(0.2)\n"


@pytest.mark.parametrize("busy", [WORK, WRITE])
async def test_a_slow_one_is_waited_for(make: Make, busy: str) -> None:
    """However long it takes, as long as it computes or writes something; and one sees that it goes on."""
    report: list[str] = []
    with mock.patch("stich.processes.program.TELL_SECONDS", 0.5):
        await make(busy + SLEEP, report, idle_within=1.2).start()
    assert len(report) >= 2
    assert all(line.startswith("The part is still starting (") for line in report)


async def test_one_that_works_for_ever_is_given_up_at_last(make: Make) -> None:
    child = make("while True: pass", ready_within=1.0)
    with pytest.raises(StichError, match="is not ready after 1 s and is still at it"):
        await child.start()


async def test_one_that_cannot_be_run_says_so(make: Make, tmp_path: Path) -> None:
    child = make(SLEEP)
    child.program = Program("part", "The part", [str(tmp_path / "missing")], {}, child.program.ready)
    with pytest.raises(StichError, match="did not start"):
        await child.start()


async def test_one_that_dies_is_started_again(make: Make) -> None:
    report: list[str] = []
    child = make(SLEEP, report)
    await child.start()
    child.keep()
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.pid not in (None, first) and "is back" in report[-1] if report else False)
    assert "ended (killed by SIGKILL); starting it again" in report[0]
    await child.stop()
    assert child.pid is None


async def test_a_stopped_one_is_not_started_again(make: Make) -> None:
    report: list[str] = []
    child = make(SLEEP, report)
    await child.start()
    child.keep()
    child.kill()
    await child.stop()
    await asyncio.sleep(0.7)
    assert child.pid is None and report == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_it_ends_with_the_process_that_started_it(tmp_path: Path, number: signal.Signals) -> None:
    note = tmp_path / "pid"
    code = (
        "import os, pathlib, signal, subprocess, sys, time\n"
        "from stich.processes.program import launcher\n"
        f"p = subprocess.Popen([*launcher(signal.{number.name}), 'sleep', '60'])\n"
        "time.sleep(0.3)\n"
        "pathlib.Path(sys.argv[1]).write_text(str(p.pid))\n"
        "time.sleep(60)\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(note))
    await until(lambda: note.exists() and note.read_text() != "")
    pid = int(note.read_text())
    assert alive(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: not alive(pid), 3)


def test_the_launcher_starts_nothing_for_a_parent_that_is_gone() -> None:
    command = launcher(signal.SIGKILL)
    command[4] = "1"  # not the process that starts it
    done = subprocess.run([*command, "echo", "started"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_appears_as_someone_else_and_still_reaches_its_files(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (private / "file").write_text("content")
    command = [
        *launcher(signal.SIGKILL, 65534),
        "sh",
        "-c",
        'id -u; cat "$0"; echo more >> "$0"',
        str(private / "file"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "65534\ncontent"
    assert (private / "file").read_text() == "contentmore\n"


def test_orphans_of_a_killed_child_are_ended(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import asyncio, os, pathlib, subprocess, sys\n"
        "from stich.processes.orphans import adopt_orphans, end_orphans\n"
        "adopt_orphans()\n"
        'inner = \'import subprocess,sys,time; p=subprocess.Popen(["sleep","60"], start_new_session=True);'
        " print(p.pid, flush=True); time.sleep(60)'\n"
        "child = subprocess.Popen([sys.executable, '-c', inner], stdout=subprocess.PIPE, text=True)\n"
        "pid = int(child.stdout.readline())\n"
        "kept = subprocess.Popen(['sleep', '60'])\n"
        "child.kill(); child.wait()\n"
        "asyncio.run(end_orphans({kept.pid}))\n"
        "print(os.path.exists(f'/proc/{pid}'), kept.poll() is None)\n"
        "kept.kill()\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(note)], capture_output=True, text=True, timeout=20)
    assert done.stdout.split() == ["False", "True"], done.stderr


def test_without_orphans_nothing_happens() -> None:
    # In a process of its own: this one has children, the servers of other tests, that must live on.
    code = (
        "import asyncio, subprocess, time\n"
        "from stich.processes.orphans import end_orphans\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        "started = time.monotonic()\n"
        "asyncio.run(end_orphans({child.pid}))\n"
        "print(child.poll() is None and time.monotonic() - started < 1)\n"
        "child.kill()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert done.stdout.split() == ["True"], done.stderr
