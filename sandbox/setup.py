"""Prepares a machine for the sandbox: `python -m sandbox.setup --home DIR`.

Everything is made once per machine and found again at once: bun, the templates' packages, and the development server's
pre-bundled libraries. Each thing that is missing is one clear sentence.
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from sandbox.catalogue import PROGRAMS, templates
from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.isolation import Isolation
from sandbox.machine import (
    BUN_VERSION,
    bin_folder,
    browser_missing,
    is_prepared,
    missing,
    prepared_folder,
    programs_folder,
)
from sandbox.sandbox import Sandbox
from sandbox.settings import SandboxSettings
from sandbox.store import INSTALLER

_NPM_SECONDS = 300.0

Say = Callable[[str], None]


async def prepare(settings: SandboxSettings, say: Say) -> None:
    """Make ready what is not yet. Raises SandboxError with one sentence.

    Several processes may call this at once: one works, the others wait and find it done.
    """
    if problems := missing(settings):
        raise SandboxUnavailable(" ".join(problems))
    _make_folders(settings)
    if is_prepared(settings):
        return
    async with _only_one(settings.cache / "setup.lock"):
        if not (settings.cache / "machine.json").exists():
            await _find_registry(settings)
        if not (bin_folder(settings) / "bun").exists():
            say(f"installing bun {BUN_VERSION}")
            await _install_bun(settings)
        _copy_programs(settings)
        for name, template in templates().items():
            folder = prepared_folder(settings, template)
            if (folder / "ready").exists():
                continue
            say(f"preparing the template {name}")
            await _prepare_template(settings, name, folder, say)


async def _prepare_template(settings: SandboxSettings, name: str, folder: Path, say: Say) -> None:
    await asyncio.to_thread(_make_folder, folder)
    async with Sandbox(settings) as sandbox:
        workspace = await sandbox.workspace(f"setup-{os.getpid()}", name, {})
        try:
            await workspace.make_ready(folder, say)
        finally:
            await sandbox.remove(workspace.session_id)
    await asyncio.to_thread((folder / "ready").touch)


def _make_folder(folder: Path) -> None:
    """Untrusted user ids pass through our folders, and list nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)


def _make_folders(settings: SandboxSettings) -> None:
    folders = (
        settings.cache,
        settings.tools,
        settings.store,
        settings.store / "staging",
        settings.store / "cache",
        settings.prepared,
        settings.cache / "run",
        settings.cache / "workspaces",
        settings.workspaces,
    )
    try:
        for folder in folders:
            _make_folder(folder)
        Isolation(settings.unsafe_local).give(settings.store / "cache", INSTALLER)
    except OSError as error:
        raise SandboxUnavailable(
            f"The folder {settings.cache} cannot be written ({error.strerror}): "
            "make it writable, or name another one in STICH_SANDBOX_CACHE."
        ) from error


@contextlib.asynccontextmanager
async def _only_one(path: Path) -> AsyncIterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await asyncio.to_thread(fcntl.flock, descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


async def _npm(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "npm",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), _NPM_SECONDS)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        if isinstance(error, TimeoutError):
            raise SandboxUnavailable("The package registry does not answer: check the network and try again.") from None
        raise
    if process.returncode != 0:
        lines = [line for line in errors.decode(errors="replace").splitlines() if "npm error" in line.lower()]
        detail = "; ".join(line.removeprefix("npm error").strip() for line in lines[:2])[:300]
        raise SandboxUnavailable(f"npm could not reach the package registry or install from it: {detail}")
    return output.decode()


async def _find_registry(settings: SandboxSettings) -> None:
    address = (await _npm("config", "get", "registry")).strip().splitlines()[-1]
    _write(settings.cache / "machine.json", json.dumps({"registry": address}).encode())


async def _install_bun(settings: SandboxSettings) -> None:
    staging = settings.tools / f"staging-{os.getpid()}"
    try:
        await _npm(
            "install", "--prefix", str(staging), "--ignore-scripts", "--no-audit", "--no-fund", f"bun@{BUN_VERSION}"
        )
        folder = bin_folder(settings)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        for binary in sorted(staging.glob("node_modules/@oven/*/bin/bun")):
            target = folder / "bun.new"
            shutil.copyfile(binary, target)
            target.chmod(0o755)
            if await _runs(target):
                _copy_node(folder)
                target.rename(folder / "bun")
                return
        raise SandboxUnavailable(f"bun {BUN_VERSION} does not run on this machine.")
    finally:
        shutil.rmtree(staging, ignore_errors=True)


async def _runs(program: Path) -> bool:
    process = await asyncio.create_subprocess_exec(
        program, "--version", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait() == 0


def _copy_node(folder: Path) -> None:
    """The sandbox sees /usr only; a node installed elsewhere, by a version manager for instance, is copied."""
    node = Path(shutil.which("node") or "node").resolve()
    if not node.is_relative_to("/usr"):
        shutil.copyfile(node, folder / "node.new")
        (folder / "node.new").chmod(0o755)
        (folder / "node.new").rename(folder / "node")


def _copy_programs(settings: SandboxSettings) -> None:
    folder = programs_folder(settings)
    if folder.exists():
        return
    staging = folder.with_name(f"staging-{os.getpid()}")
    shutil.copytree(PROGRAMS, staging, ignore=shutil.ignore_patterns("__pycache__"))
    for path in staging.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    staging.chmod(0o755)
    staging.rename(folder)


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_bytes(content)
    temporary.chmod(0o644)
    temporary.rename(path)


def main() -> int:
    """Entry point of `python -m sandbox.setup`."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.setup", description="Prepare this machine's sandbox.")
    parser.add_argument("--home", type=Path, required=True, help="the stich home")
    arguments = parser.parse_args()
    settings = SandboxSettings(home=arguments.home, unsafe_local=os.environ.get("STICH_UNSAFE_LOCAL") == "1")
    begun = time.monotonic()

    def say(text: str) -> None:
        sys.stdout.write(f"sandbox: {text}\n")
        sys.stdout.flush()

    try:
        asyncio.run(prepare(settings, say))
    except SandboxError as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 1
    if sentence := browser_missing():
        say(f"note: {sentence}")
    say(f"ready ({time.monotonic() - begun:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
