"""Every guard holds something back: with it an attack fails, and without it the same attack succeeds.

What the attacks are and that they fail in a whole workspace is in test_isolation; here each guard is taken away alone.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox import SandboxSettings, process
from sandbox.family import Held
from sandbox.files import Folder, weight
from sandbox.isolation import Box, Isolation, Mount, owner_of
from sandbox.process import Ending, Finished, run
from sandbox.settings import MEBIBYTE

OWNER = owner_of("guarded")
Change = Callable[[list[str]], list[str]]
PYTHON = "/usr/bin/python3"


class Weakened(Isolation):
    """Isolation whose command line is changed."""

    def __init__(self, change: Change) -> None:
        super().__init__(unsafe_local=False)
        self._change = change

    def command(self, argv: Any, box: Box) -> tuple[list[str], list[int], str | None]:
        line, descriptors, workdir = super().command(argv, box)
        return self._change(line), descriptors, workdir


def without(*options: str) -> Change:
    """Take options away that have no value."""
    return lambda line: [word for word in line if word not in options]


def without_valued(option: str) -> Change:
    """Take an option and its value away."""

    def change(line: list[str]) -> list[str]:
        at = line.index(option)
        return line[:at] + line[at + 2 :]

    return change


def without_limit(name: str) -> Change:
    return lambda line: [word for word in line if not word.startswith(f"--{name}=")]


def with_more(*words: str) -> Change:
    """Let the box see more."""

    def change(line: list[str]) -> list[str]:
        at = line.index("--proc")
        return [*line[:at], *words, *line[at:]]

    return change


@pytest.fixture
def box(settings: SandboxSettings) -> Iterator[Box]:
    """A box with a folder of its own."""
    folder = settings.workspaces / f"guarded-{secrets.token_hex(4)}"
    folder.mkdir(parents=True)
    Isolation(unsafe_local=False).give(folder, OWNER)
    yield Box([Mount(folder, "/workspace", writable=True)], OWNER, replace(settings.command, seconds=20.0))


async def both(box: Box, change: Change, argv: list[str]) -> tuple[Finished, Finished]:
    """The same command with the guard and without it."""
    return await run(Isolation(unsafe_local=False), argv, box), await run(Weakened(change), argv, box)


@pytest.fixture
async def host_service() -> AsyncIterator[int]:
    """Something that listens on the host's loopback, as Postgres and Temporal do."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"host-service")
        writer.close()

    server = await asyncio.start_server(answer, "0.0.0.0", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_the_network_namespace_keeps_the_host_and_its_neighbours_away(box: Box, host_service: int) -> None:
    private = [a[4][0] for a in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    for address in {"127.0.0.1", *map(str, private)}:
        script = f"import socket; print(socket.create_connection(('{address}', {host_service}), 3).recv(99))"
        held, got = await both(box, without("--unshare-net"), [PYTHON, "-c", script])
        assert "host-service" not in held.stdout
        assert "host-service" in got.stdout


async def test_the_metadata_address_needs_a_network(box: Box) -> None:
    script = (
        "import socket, errno; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "print('route', s.connect_ex(('169.254.169.254', 80)) != errno.ENETUNREACH)"
    )
    held, got = await both(box, without("--unshare-net"), [PYTHON, "-c", script])
    assert held.stdout == "route False\n"
    assert got.stdout == "route True\n"


async def test_the_process_namespace_hides_the_hosts_processes(box: Box) -> None:
    held, got = await both(box, without("--unshare-pid"), ["sh", "-c", f"ls -d /proc/{os.getpid()}"])
    assert held.stdout == ""
    assert got.stdout == f"/proc/{os.getpid()}\n"


async def test_only_what_is_mounted_is_seen(box: Box, settings: SandboxSettings, tmp_path: Path) -> None:
    held, got = await both(box, with_more("--ro-bind", "/etc", "/etc"), ["cat", "/etc/passwd"])
    assert "root:" not in held.stdout
    assert "root:" in got.stdout

    other = settings.workspaces / f"other-{secrets.token_hex(4)}"
    other.mkdir()
    (other / "secret.ts").write_text("the neighbour's")
    all_of_them = with_more("--ro-bind", str(settings.workspaces), str(settings.workspaces))
    held, got = await both(box, all_of_them, ["cat", f"{other}/secret.ts"])
    assert "neighbour's" not in held.stdout
    assert "neighbour's" in got.stdout


async def test_the_mounts_are_read_only(box: Box, settings: SandboxSettings) -> None:
    folder = Path(box.mounts[0].source)
    reading = replace(box, mounts=[Mount(folder, "/workspace")])
    attack = ["sh", "-c", "echo x > /workspace/planted && echo WROTE"]
    assert "WROTE" not in (await run(Isolation(unsafe_local=False), attack, reading)).stdout
    assert "WROTE" in (await run(Isolation(unsafe_local=False), attack, box)).stdout
    held, got = await both(box, lambda line: _without_remount(line, "/"), ["sh", "-c", "echo x > /x && echo WROTE"])
    assert "WROTE" not in held.stdout
    assert "WROTE" in got.stdout


def _without_remount(line: list[str], target: str) -> list[str]:
    at = next(n for n, word in enumerate(line) if word == "--remount-ro" and line[n + 1] == target)
    return line[:at] + line[at + 2 :]


async def test_no_environment_of_ours_comes_along(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    attack = ["sh", "-c", "for p in /proc/[0-9]*; do tr '\\0' '\\n' < $p/environ; done 2>/dev/null; true"]
    held = await run(Isolation(unsafe_local=False), attack, box)
    real = asyncio.create_subprocess_exec

    async def careless(*line: str, **options: Any) -> asyncio.subprocess.Process:
        return await real(*line, **{**options, "env": dict(os.environ)})

    monkeypatch.setattr(process.asyncio, "create_subprocess_exec", careless)
    got = await run(Isolation(unsafe_local=False), attack, box)
    assert "sk-very-secret" not in held.stdout
    assert "sk-very-secret" in got.stdout, "bubblewrap's own environment is that of process 1"


async def test_the_system_call_filter_refuses_odd_sockets(box: Box) -> None:
    script = "import socket; socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM); print('MADE')"
    held, got = await both(box, without_valued("--seccomp"), [PYTHON, "-c", script])
    assert "MADE" not in held.stdout
    assert "MADE" in got.stdout


async def test_nested_namespaces_are_refused_twice(box: Box) -> None:
    attack = ["unshare", "-Ur", "echo", "NESTED"]

    def neither(line: list[str]) -> list[str]:
        return without_valued("--seccomp")(without("--disable-userns")(line))

    held, got = await both(box, neither, attack)
    assert "NESTED" not in held.stdout
    assert "NESTED" in got.stdout
    for one in (without("--disable-userns"), without_valued("--seccomp")):
        assert "NESTED" not in (await run(Weakened(one), attack, box)).stdout


FORKS = """
import os, time
try:
    for _ in range(60):
        if os.fork() == 0:
            time.sleep(1)
            os._exit(0)
    print("all")
except OSError:
    print("stopped")
"""


async def test_processes_are_counted(box: Box) -> None:
    few = replace(box, limits=replace(box.limits, processes=30))
    held, got = await both(few, without_limit("nproc"), [PYTHON, "-c", FORKS])
    assert held.stdout == "stopped\n"
    assert got.stdout == "all\n"


@pytest.mark.parametrize(
    "limit,bound,script",
    [
        (
            "fsize",
            {"file_bytes": 1000},
            "f = open('/workspace/f', 'wb'); f.write(b'x' * 5000); f.flush(); print('DONE')",
        ),
        ("data", {"data_bytes": 64 * MEBIBYTE}, "b = bytearray(128 << 20); print('DONE')"),
        ("nofile", {"open_files": 20}, "f = [open('/dev/null') for _ in range(40)]; print('DONE')"),
        ("cpu", {"cpu_seconds": 1}, "import time\nwhile time.process_time() < 1.6: pass\nprint('DONE')"),
    ],
)
async def test_resources_are_limited(box: Box, limit: str, bound: dict[str, int], script: str) -> None:
    bounded = replace(box, limits=replace(box.limits, **bound))
    held, got = await both(bounded, without_limit(limit), [PYTHON, "-c", script])
    assert "DONE" not in held.stdout
    assert "DONE" in got.stdout


async def test_the_memory_of_the_whole_tree_is_watched(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    bounded = replace(box, limits=replace(box.limits, memory_bytes=60 * MEBIBYTE))
    eat = "b = bytearray(b'x' * (40 << 20)); import time; time.sleep(1)"
    attack = ["sh", "-c", f'{PYTHON} -c "{eat}" & {PYTHON} -c "{eat}" & wait; echo SURVIVED']
    held = await run(Isolation(unsafe_local=False), attack, bounded)
    monkeypatch.setattr(process, "held", lambda _: Held(0, 0, too_many_files=False))
    got = await run(Isolation(unsafe_local=False), attack, bounded)
    assert held.ending is Ending.MEMORY
    assert "SURVIVED" in got.stdout


async def test_the_disk_is_watched(box: Box) -> None:
    folder = Path(box.mounts[0].source)

    async def overfull(_: int) -> bool:
        return weight(folder, 100, 100_000)[1] > 10_000

    attack = ["sh", "-c", "for i in 1 2 3 4 5 6; do head -c 5000 /dev/zero > f$i; sleep 0.2; done; echo FILLED"]
    held = await run(Isolation(unsafe_local=False), attack, box, overfull)
    got = await run(Isolation(unsafe_local=False), attack, box)
    assert held.ending is Ending.DISK
    assert "FILLED" in got.stdout


async def test_output_is_counted(box: Box) -> None:
    attack = ["sh", "-c", "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero; sleep 0.2; echo DONE"]
    little = replace(box, limits=replace(box.limits, flood_bytes=1_000_000))
    held = await run(Isolation(unsafe_local=False), attack, little)
    got = await run(Isolation(unsafe_local=False), attack, box)
    assert held.ending is Ending.OUTPUT
    assert got.stdout.endswith("DONE\n")


async def test_what_ignores_signals_dies_with_its_namespace(box: Box) -> None:
    mark = Path(box.mounts[0].source) / "alive"
    attack = ["sh", "-c", "trap '' TERM INT HUP; (setsid sh -c 'sleep 1.5; touch alive') & sleep 9"]
    short = replace(box, limits=replace(box.limits, seconds=0.5))

    async def outlives(isolation: Isolation) -> bool:
        assert (await run(isolation, attack, short)).ending is Ending.TIMEOUT
        await asyncio.sleep(2.0)
        return mark.exists()

    assert not await outlives(Isolation(unsafe_local=False))
    assert await outlives(Weakened(without("--unshare-pid", "--die-with-parent")))


def test_links_are_not_followed_by_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret"
    secret.write_text("host-secret")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "link").symlink_to(secret)
    folder = Folder(tmp_path / "files", os.getuid())
    with pytest.raises(Exception, match="link"):
        folder.read("link")
    monkeypatch.setattr(os, "O_NOFOLLOW", 0)
    assert folder.read("link") == b"host-secret"
