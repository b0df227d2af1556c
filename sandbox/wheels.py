"""Installs Python packages for the system's Python: a template's, and what sessions add to them."""

import asyncio
import contextlib
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from sandbox.errors import InstallFailed, SandboxUnavailable
from sandbox.specs import Requirement, normal_name

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


async def install_wheels(requirements: bytes, extra: Sequence[Requirement], folder: Path) -> list[Requirement]:
    """Install packages named with their hashes, and additions beside them, into a new folder, from wheels only.

    Additions do not change the versions of the others. Returns them with exact versions. Raises InstallFailed.
    """
    await asyncio.to_thread(folder.parent.mkdir, parents=True, exist_ok=True)
    listing = folder.with_name(f"{folder.name}.txt")
    try:
        await asyncio.to_thread(listing.write_bytes, requirements)
        await _uv("The template's packages", folder, "--require-hashes", "-r", str(listing))
        if not extra:
            await asyncio.to_thread(_open_up, folder)
            return []
        pins = "".join(f"{name}=={version}\n" for name, version in _versions(folder).items())
        await asyncio.to_thread(listing.write_text, pins)
        wanted = [str(requirement) for requirement in extra]
        await _uv(", ".join(wanted), folder, "--constraint", str(listing), "--", *wanted)
        found = _versions(folder)
        await asyncio.to_thread(_open_up, folder)
        return [Requirement(asked.name, f"=={found[asked.name]}") for asked in extra]
    except KeyError as error:
        raise InstallFailed(f"The package {error.args[0]} was not installed.") from None
    finally:
        listing.unlink(missing_ok=True)


async def _uv(what: str, folder: Path, *arguments: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    program = str(uv) if uv.exists() else shutil.which("uv")
    if program is None:
        raise InstallFailed("uv is missing: run `make setup`.")
    process = await asyncio.create_subprocess_exec(
        *(program, "pip", "install", "--quiet", "--no-config", "--python", PYTHON, "--target", str(folder)),
        *("--only-binary", ":all:", "--link-mode", "copy", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, errors = await asyncio.wait_for(process.communicate(), _SECONDS)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        if isinstance(error, TimeoutError):
            raise InstallFailed(f"Installing {what} took too long.") from None
        raise
    if process.returncode != 0:
        said = " ".join(errors.decode(errors="replace").split())[-400:]
        raise InstallFailed(f"Installing {what} failed: {said}")


def _versions(folder: Path) -> dict[str, str]:
    found = metadata.distributions(path=[str(folder)])
    return {normal_name(package.name): package.version for package in found}


def _open_up(folder: Path) -> None:
    """Let every user id read the folders."""
    for parent, folders, _files in os.walk(folder):
        for name in folders:
            Path(parent, name).chmod(0o755)
    folder.chmod(0o755)
