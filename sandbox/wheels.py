"""Installs a template's Python packages for the system's Python, once per machine."""

import asyncio
import contextlib
import functools
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from sandbox.errors import InstallFailed, SandboxUnavailable

PYTHON = "/usr/bin/python3"
_SECONDS = 300.0


@functools.cache
def python_version() -> str:
    """Version of the Python that sandboxed services run under. Raises SandboxUnavailable."""
    try:
        command = [PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxUnavailable("Python is missing in /usr/bin: install the package python3.") from error


async def install_wheels(requirements: bytes, folder: Path) -> None:
    """Install packages named with their hashes into a folder, from wheels only. Raises InstallFailed."""
    staging = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}")
    listing = staging.with_suffix(".txt")
    uv = Path(sys.executable).with_name("uv")
    program = str(uv) if uv.exists() else shutil.which("uv")
    if program is None:
        raise InstallFailed("uv is missing: run `make setup`.")
    try:
        await asyncio.to_thread(listing.write_bytes, requirements)
        process = await asyncio.create_subprocess_exec(
            *(program, "pip", "install", "--quiet", "--no-config", "--python", PYTHON, "--target", str(staging)),
            *("--only-binary", ":all:", "--require-hashes", "--link-mode", "copy", "-r", str(listing)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, errors = await asyncio.wait_for(process.communicate(), _SECONDS)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            raise
        if process.returncode != 0:
            raise InstallFailed(f"The Python packages could not be installed: {errors.decode(errors='replace')[-300:]}")
        await asyncio.to_thread(_publish, staging, folder)
    finally:
        listing.unlink(missing_ok=True)
        await asyncio.to_thread(shutil.rmtree, staging, ignore_errors=True)


def _publish(staging: Path, folder: Path) -> None:
    for parent, folders, _files in os.walk(staging):
        for name in folders:
            Path(parent, name).chmod(0o755)
    staging.chmod(0o755)
    with contextlib.suppress(OSError):
        staging.rename(folder)
