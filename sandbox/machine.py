"""What this machine has: programs, the package registry, and where the set-up put its parts."""

import functools
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

from sandbox.catalogue import PROGRAMS, Template, templates
from sandbox.errors import NotPrepared, SandboxUnavailable
from sandbox.isolation import Isolation
from sandbox.settings import SandboxSettings

BUN_VERSION = "1.4.5"
OLDEST_NODE = (20, 19)
_BROWSERS = ("/usr/lib/chromium/chromium-headless-shell", "/usr/lib/chromium/chromium")


def missing(settings: SandboxSettings) -> list[str]:
    """What the machine lacks for running code, one sentence each, with what to do; empty when all is there."""
    found: list[str] = []
    node = shutil.which("node")
    if node is None:
        found.append("Node.js is missing: install Node.js 20.19 or newer.")
    elif (version := _node_version(node)) < OLDEST_NODE:
        found.append(f"Node.js {'.'.join(map(str, version))} is too old: install Node.js 20.19 or newer.")
    if shutil.which("npm") is None:
        found.append("npm is missing: install npm (it comes with Node.js).")
    try:
        Isolation(settings.unsafe_local).require()
    except SandboxUnavailable as error:
        found.append(str(error))
    return found


def browser_missing() -> str | None:
    """The sentence for a machine without a browser; None where there is one."""
    if browser_path() is not None:
        return None
    return "A headless browser is missing: install the package chromium-headless-shell (or chromium)."


def browser_path() -> str | None:
    """The browser used for screenshots: Debian's headless shell, else any Chromium."""
    for known in _BROWSERS:
        if Path(known).exists():
            return known
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    return None


def bin_folder(settings: SandboxSettings) -> Path:
    """bun, and node where the machine's own is not under /usr."""
    return settings.tools / f"bin-{BUN_VERSION}"


def programs_folder(settings: SandboxSettings) -> Path:
    """Copies of the launchers: the source tree may be out of reach for unprivileged user ids."""
    return settings.tools / f"programs-{_programs_fingerprint()}"


def prepared_folder(settings: SandboxSettings, template: Template) -> Path:
    """A template's ready-made parts; other contents of the template or the launchers mean another folder."""
    return settings.prepared / f"{template.info.name}-{template.fingerprint()}-{_programs_fingerprint()}"


def registry(settings: SandboxSettings) -> str:
    """The package registry this machine uses, as found by the set-up. Raises NotPrepared."""
    try:
        return str(json.loads((settings.cache / "machine.json").read_text())["registry"])
    except (OSError, ValueError, KeyError) as error:
        raise NotPrepared("The sandbox is not set up on this machine yet: run `make setup`.") from error


def is_prepared(settings: SandboxSettings) -> bool:
    """Whether the set-up is complete for the present versions of tools and templates."""
    parts = [settings.cache / "machine.json", bin_folder(settings) / "bun", programs_folder(settings)]
    parts += [prepared_folder(settings, template) / "ready" for template in templates().values()]
    return all(part.exists() for part in parts)


@functools.cache
def _programs_fingerprint() -> str:
    digest = hashlib.sha256()
    for program in sorted(path for path in PROGRAMS.iterdir() if path.is_file()):
        digest.update(program.name.encode() + b"\0" + program.read_bytes())
    return digest.hexdigest()[:12]


def _node_version(node: str) -> tuple[int, ...]:
    try:
        text = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    return tuple(map(int, re.findall(r"\d+", text)[:3])) or (0,)
