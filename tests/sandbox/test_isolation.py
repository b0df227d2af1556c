"""What code in the sandbox tries, and must not get."""

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from sandbox import Sandbox, SandboxSettings, SandboxUnavailable, Workspace
from sandbox.family import resident_bytes
from sandbox.isolation import Box, Isolation, Mount, owner_of
from sandbox.process import Ending, Finished, run
from sandbox.settings import MEBIBYTE

MakeLimited = Callable[..., Awaitable[Workspace]]


async def sh(workspace: Workspace, script: str, timeout: float = 20.0) -> Finished:
    return await workspace.run(["sh", "-c", script], timeout=timeout)


async def node(workspace: Workspace, script: str, timeout: float = 20.0) -> Finished:
    return await workspace.run(["node", "-e", script], timeout=timeout)


async def test_sees_its_own_files_and_no_other_session(
    sandbox: Sandbox, workspace: Workspace, settings: SandboxSettings
) -> None:
    secret = secrets.token_hex(16)
    other = await sandbox.workspace("neighbour", "react-vite", {"src/secret.ts": f"export const s = '{secret}'\n"})
    assert secret in await other.read("src/secret.ts")

    search = "find /workspace/src /workspace/.. -maxdepth 4 -name secret.ts 2>/dev/null"
    found = await sh(workspace, f"ls {settings.workspaces}; {search}; cat src/App.tsx; ls /workspace/..")

    assert "Your app starts here" in found.stdout
    assert "secret.ts" not in found.stdout
    assert "neighbour" not in found.stdout
    await sandbox.remove("neighbour")


async def test_sees_no_files_of_the_host(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "note").write_text("host-secret")
    files = f"/etc/shadow /etc/passwd {tmp_path}/note {Path.home()}/.bashrc /proc/1/root/etc/shadow"
    found = await sh(workspace, f"cat {files} 2>&1; ls -A /root /home /var /sys /boot 2>&1")
    assert "host-secret" not in found.stdout
    assert "root:" not in found.stdout
    assert found.stdout.count("No such file") + found.stdout.count("Permission denied") >= 9


async def test_sees_no_environment_of_ours(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    found = await sh(workspace, "env; for p in /proc/[0-9]*; do tr '\\0' '\\n' < $p/environ; done 2>/dev/null")
    assert "NO_COLOR=1" in found.stdout
    assert "sk-very-secret" not in found.stdout


async def test_can_write_its_workspace_only(workspace: Workspace) -> None:
    found = await sh(
        workspace,
        "echo a > /workspace/mine && cat /workspace/mine; "
        "for t in /usr/x /x /etc/x /dev/x /opt/stich/bin/x /opt/stich/programs/x /workspace/node_modules/x "
        "/workspace/node_modules/react/index.js; do (echo b > $t) 2>/dev/null && echo WROTE $t; done; true",
    )
    assert found.stdout.splitlines() == ["a"]


async def test_has_no_privileges_and_cannot_get_any(workspace: Workspace) -> None:
    found = await sh(
        workspace,
        "grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; id -u; "
        "unshare -Ur true && echo UNSHARED; mount -t tmpfs none /tmp && echo MOUNTED; "
        "chroot / true && echo CHROOTED; true",
    )
    lines = found.stdout.split()
    assert lines[:8] == ["CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1", "Seccomp:", "2"]
    assert lines[8] != "0"
    assert not {"UNSHARED", "MOUNTED", "CHROOTED"} & set(lines)


async def test_sees_no_processes_of_the_host(workspace: Workspace) -> None:
    found = await sh(workspace, f"ls -d /proc/[0-9]* | wc -l; kill -0 {os.getpid()} 2>/dev/null && echo SEEN; true")
    count, *rest = found.stdout.split()
    assert int(count) < 12
    assert rest == []


@pytest.fixture
async def host_service() -> AsyncIterator[int]:
    """Something on the host's loopback, as Postgres and Temporal are."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"host-service")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


_CONNECT_TO_ALL = """
const net = require('net'), dgram = require('dgram')
for (const [host, port] of TARGETS) {
  const socket = net.connect({ host, port, timeout: 1500 })
  socket.on('data', (data) => console.log('REACHED', host, String(data)))
  socket.on('connect', () => console.log('CONNECTED', host))
  socket.on('error', (error) => console.log('refused', host, error.code))
  socket.on('timeout', () => { console.log('refused', host, 'timeout'); socket.destroy() })
}
const udp = dgram.createSocket('udp4')
udp.send('x', 53, '1.1.1.1', (error) => { console.log(error ? 'refused udp' : 'SENT UDP'); udp.close() })
require('dns').lookup('example.com', (error) => console.log(error ? 'refused dns' : 'RESOLVED'))
"""


async def test_reaches_no_network(workspace: Workspace, host_service: int) -> None:
    private = [a[4][0] for a in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    targets = [
        ("127.0.0.1", host_service),
        ("169.254.169.254", 80),
        ("10.0.0.1", 80),
        ("192.168.0.1", 80),
        ("172.17.0.1", 80),
        ("1.1.1.1", 443),
        *((address, host_service) for address in private),
    ]
    script = _CONNECT_TO_ALL.replace("TARGETS", json.dumps(targets))
    found = await node(workspace, script)
    assert found.stdout.count("refused") >= len(targets)
    assert not any(word in found.stdout for word in ("REACHED", "CONNECTED", "SENT UDP", "RESOLVED"))


async def test_reaches_no_abstract_socket_of_the_host(workspace: Workspace) -> None:
    name = f"stich-test-{secrets.token_hex(6)}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0" + name)
        listener.listen()
        script = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect('\\0{name}'); print('REACHED')"
        found = await workspace.run(["/usr/bin/python3", "-c", script])
    assert "REACHED" not in found.stdout
    assert found.exit_code != 0


@pytest.mark.parametrize("family", ["AF_PACKET", "AF_VSOCK"])
async def test_odd_socket_families_are_refused(workspace: Workspace, family: str) -> None:
    found = await workspace.run(
        ["/usr/bin/python3", "-c", f"import socket; socket.socket(socket.{family}, socket.SOCK_STREAM); print('MADE')"]
    )
    assert "MADE" not in found.stdout


_FORK = """
import os, time
count = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(60)
        count += 1
except OSError:
    print("stopped", count)
"""


async def test_fork_bomb_ends_at_its_bound(workspace: Workspace) -> None:
    begun = time.monotonic()
    found = await workspace.run(["/usr/bin/python3", "-c", _FORK], timeout=15)
    assert found.stdout.startswith("stopped")
    assert int(found.stdout.split()[1]) < 300
    assert time.monotonic() - begun < 10


async def test_memory_is_bounded_for_the_whole_tree(limited: MakeLimited) -> None:
    workspace = await limited(memory_bytes=300 * MEBIBYTE)
    eat = "const b=[];for(let i=0;i<90;i++)b.push(Buffer.alloc(1<<20,1));setTimeout(()=>{},30000)"
    script = f"for i in 1 2 3 4 5 6; do node -e '{eat}' & done; wait"
    found = await sh(workspace, script, timeout=25)
    assert found.ending is Ending.MEMORY
    assert found.seconds < 15


async def test_memory_of_one_process_is_bounded(limited: MakeLimited) -> None:
    workspace = await limited(data_bytes=600 * MEBIBYTE)
    script = (
        "const b=[]; try { for(;;) b.push(Buffer.alloc(64<<20, 1)) } catch (e) { console.log('refused', b.length) }"
    )
    found = await node(workspace, script)
    assert found.ending is Ending.EXITED
    assert "refused" in found.stdout


_HOARD = """
import socket, time
try:
    pairs = [socket.socketpair() for _ in range(1000)]
    for pair in pairs:
        pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        pair[0].setblocking(False)
        try:
            while True: pair[0].send(bytes(65536))
        except BlockingIOError: pass
except OSError as error:
    print(error)
time.sleep(20)
"""


async def test_memory_in_sockets_counts(limited: MakeLimited) -> None:
    workspace = await limited(memory_bytes=200 * MEBIBYTE)
    assert (await workspace.run(["/usr/bin/python3", "-c", _HOARD])).ending is Ending.MEMORY


_UNCOUNTED = """
import ctypes
calls = ctypes.CDLL(None)
print(calls.memfd_create(b"a", 0), calls.shmget(0, 4096, 0o1600), calls.msgget(0, 0o1600), calls.semget(0, 1, 0o1600))
"""


async def test_memory_that_no_process_shows_cannot_be_had(workspace: Workspace) -> None:
    found = await workspace.run(["/usr/bin/python3", "-c", _UNCOUNTED])
    assert found.stdout == "-1 -1 -1 -1\n"


async def test_disk_is_bounded_and_cleared(limited: MakeLimited) -> None:
    workspace = await limited(quota_bytes=40 * MEBIBYTE, file_bytes=20 * MEBIBYTE)
    script = "i=0; while :; do i=$((i+1)); head -c 8000000 /dev/zero > fill$i || exit 3; sleep 0.05; done"
    found = await sh(workspace, script)
    assert found.ending is Ending.DISK
    assert not [path for path in await workspace.list() if path.startswith("fill")]
    assert (await workspace.check()).ok


async def test_disk_space_of_nameless_files_counts(limited: MakeLimited) -> None:
    workspace = await limited(quota_bytes=40 * MEBIBYTE)
    script = "exec 3>a; rm a; head -c 80000000 /dev/zero >&3; sleep 20"
    assert (await sh(workspace, script)).ending is Ending.DISK


_MANY = """
import os
for number in range(1200):
    os.mkdir("d"); os.chdir("d")
os.chdir("/workspace")
while True:
    number += 1; os.mkdir(f"e{number}"); open(f"f{number}", "w").close()
"""


async def test_many_small_files_and_folders_are_bounded_and_cleared(limited: MakeLimited) -> None:
    workspace = await limited(quota_files=2_000)
    found = await workspace.run(["/usr/bin/python3", "-c", _MANY])
    assert found.ending is Ending.DISK
    assert len(await workspace.list()) < 100
    assert (await workspace.run(["true"])).ok


_BREAK = r"""
import os
for name in (b"src/\xff.ts", b"src/a\nb.ts", b"src/a\\b.ts", b"src/App.tsx/x", b"/".join([b"q"] * 40) + b"/x"):
    os.path.isfile(os.path.dirname(name)) and os.unlink(os.path.dirname(name))
    os.makedirs(os.path.dirname(name), exist_ok=True)
    open(name, "w").close()
os.rename("src/lib", "gone"); os.symlink("/etc", "src/lib")
os.chmod("src/main.tsx", 0); os.chmod("src", 0); os.chmod(".cache", 0); os.chmod(".", 0)
"""


async def test_whatever_code_does_to_its_files_they_come_back(
    sandbox: Sandbox, workspace: Workspace, session_id: str
) -> None:
    before = await workspace.list()
    assert (await workspace.run(["/usr/bin/python3", "-c", _BREAK])).ok
    again = await sandbox.workspace(session_id, "react-vite", {})
    assert await again.list() == before
    assert (await again.check()).ok
    assert (await again.build()).dist is not None


async def test_file_size_and_scratch_space_are_bounded(limited: MakeLimited) -> None:
    workspace = await limited(file_bytes=1_000_000)
    sizes = "df -k /tmp /dev/shm | awk 'NR>1 {print $2}'"
    found = await sh(workspace, f"head -c 9000000 /dev/zero > big; wc -c < big; {sizes}")
    size, tmp, shared = map(int, found.stdout.split())
    assert size <= 1_000_000
    assert tmp <= 300_000
    assert shared <= 300_000


async def test_endless_output_is_cut(limited: MakeLimited) -> None:
    workspace = await limited(output_bytes=100_000, flood_bytes=20 * MEBIBYTE)
    found = await sh(workspace, "yes abcdefgh", timeout=20)
    assert found.ending is Ending.OUTPUT
    assert found.truncated
    assert len(found.stdout) < 120_000
    assert found.seconds < 10


async def test_ignoring_sigterm_and_leaving_children_does_not_help(workspace: Workspace) -> None:
    number = f"1000.{secrets.randbelow(10**9)}"
    script = f"trap '' TERM INT HUP; setsid nohup sleep {number} & (sleep 1000) & sleep 1000"
    found = await sh(workspace, script, timeout=1.0)
    assert found.ending is Ending.TIMEOUT
    assert found.seconds < 3
    await asyncio.sleep(0.2)
    assert not await _host_has(number)


async def test_cancelling_kills_at_once(workspace: Workspace) -> None:
    number = f"1000.{secrets.randbelow(10**9)}"
    task = asyncio.create_task(sh(workspace, f"trap '' TERM; sleep {number} & sleep {number}", timeout=60))
    await _until(lambda: _host_has(number))
    begun = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - begun < 1.0
    await asyncio.sleep(0.2)
    assert not await _host_has(number)


async def test_cpu_time_is_bounded(limited: MakeLimited) -> None:
    workspace = await limited(cpu_seconds=1)
    found = await node(workspace, "for(;;){}")
    assert found.exit_code != 0
    assert found.seconds < 8


async def test_without_bubblewrap_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxUnavailable, match="missing"):
        Isolation(unsafe_local=False).require()


async def test_a_bubblewrap_that_does_not_work_is_told(settings: SandboxSettings, tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    sandbox = Sandbox(settings)
    sandbox.isolation._bwrap = str(broken)
    with pytest.raises(SandboxUnavailable, match=r"does not work on this machine"):
        await sandbox.workspace("session-x", "react-vite", {})


async def test_unsafe_local_runs_with_bounds_and_a_clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: SandboxSettings
) -> None:
    isolation = Isolation(unsafe_local=True)
    assert isolation.contained  # bubblewrap is here, and then it is used in any case
    monkeypatch.setattr("shutil.which", lambda name: None if name == "bwrap" else f"/usr/bin/{name}")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    isolation = Isolation(unsafe_local=True)
    assert not isolation.contained
    monkeypatch.undo()
    box = Box([Mount(tmp_path, "/workspace", writable=True)], owner_of("x"), settings.command)
    number = f"1000.{secrets.randbelow(10**9)}"
    found = await run(isolation, ["sh", "-c", f"pwd; env; ulimit -f; sleep {number} & echo started"], box)
    assert found.stdout.splitlines()[0] == str(tmp_path)
    assert "sk-very-secret" not in found.stdout
    await asyncio.sleep(0.2)
    assert not await _host_has(number)


async def test_a_sandbox_dies_with_the_service(settings: SandboxSettings, tmp_path: Path) -> None:
    """kill -9 of the process that started it, as of a worker."""
    number = f"1000.{secrets.randbelow(10**9)}"
    script = f"""
import asyncio
from pathlib import Path
from sandbox import Sandbox, SandboxSettings
async def main():
    sandbox = Sandbox(SandboxSettings(home=Path({str(settings.home)!r}), cache=Path({str(settings.cache)!r})))
    workspace = await sandbox.workspace("dying", "react-vite", {{}})
    await workspace.run(["sh", "-c", "setsid sleep {number} & sleep {number}"])
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, cwd=Path(__file__).parents[2])
    await _until(lambda: _host_has(number))
    process.send_signal(signal.SIGKILL)
    await process.wait()
    await asyncio.sleep(0.3)
    assert not await _host_has(number)


async def test_resident_bytes_counts_children() -> None:
    process = await asyncio.create_subprocess_exec("sh", "-c", "sleep 5 & sleep 5")
    try:
        await asyncio.sleep(0.1)
        assert resident_bytes(process.pid) > 0
    finally:
        process.kill()
        await process.wait()


def test_users_are_unprivileged_and_differ_by_session() -> None:
    users = {owner_of(f"session-{number}") for number in range(200)}
    assert len(users) > 190
    assert min(users) >= 30_000
    assert max(users) < 55_000


async def _host_has(word: str) -> bool:
    def look() -> bool:
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    if (
                        word.encode() in (folder / "cmdline").read_bytes()
                        and b"sleep" in (folder / "comm").read_bytes()
                    ):
                        return True
                except OSError:
                    continue
        return False

    return await asyncio.to_thread(look)


async def _until(condition: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    for _ in range(int(seconds / 0.05)):
        if await condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen in time")
