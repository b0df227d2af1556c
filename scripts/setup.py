"""Makes a checkout ready to run: system packages, Python packages, web assets, sandbox tools.

`make setup` calls it with any Python 3; it needs nothing but the standard library. Each step remembers a hash of what
it was made from and is skipped while that is unchanged, so a second run takes a fraction of a second. A failure ends
in one sentence that says what to do.
"""

from __future__ import annotations

import argparse
import ctypes.util
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
WEB = ROOT / "web"
STATE = ROOT / ".setup"
LOG = STATE / "log"
UV = "uv==0.13.9"
OLDEST_PYTHON = (3, 11)
OLDEST_NODE = 20
CALM_NPM = {"npm_config_loglevel": "error", "npm_config_update_notifier": "false", "npm_config_fund": "false"}


class SetupError(Exception):
    """Set-up cannot go on; the text says why and what to do."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Make this checkout ready to run.")
    parser.add_argument("--home", help="where stich keeps its data (default: STICH_HOME, else ~/.stich)")
    parser.add_argument("--quiet", action="store_true", help="say nothing when everything is up to date")
    arguments = parser.parse_args()
    use_new_enough_python()
    home = find_home(arguments.home)
    if "HOME" not in os.environ and not has_home():
        os.environ["HOME"] = str(STATE)  # npm wants one
    started = time.monotonic()
    try:
        STATE.mkdir(exist_ok=True)
    except OSError as error:
        raise SetupError(f"{ROOT} cannot be written ({error.strerror}); set-up puts packages there") from None
    with (STATE / "lock").open("w") as lock:
        take_turn(lock)
        LOG.unlink(missing_ok=True)
        stamps = Stamps()
        work = [
            install_system_packages(),
            install_python_packages(stamps),
            build_web(stamps),
            prepare_sandbox(home),
        ]
    if any(work):
        say(f"ready after {time.monotonic() - started:.0f} s")
    elif not arguments.quiet:
        say("everything is up to date")


def say(text: str) -> None:
    print("setup: " + text, flush=True)


def take_turn(lock: IO[str]) -> None:
    """Two set-ups of one checkout would tread on each other."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        say("another set-up of this checkout is running; waiting for it")
        fcntl.flock(lock, fcntl.LOCK_EX)


def find_home(argument: str | None) -> Path:
    chosen = argument or os.environ.get("STICH_HOME")
    try:
        return Path(chosen).expanduser().resolve() if chosen else Path.home() / ".stich"
    except RuntimeError:
        raise SetupError("this user has no home directory; set STICH_HOME to a directory that can be written") from None


def has_home() -> bool:
    try:
        return Path.home().is_dir()
    except RuntimeError:
        return False


# ---------------------------------------------------------------- what was done before


class Stamps:
    """Which content each step was last made from."""

    def __init__(self) -> None:
        self.path = STATE / "stamps.json"
        try:
            self.done: dict[str, str] = json.loads(self.path.read_text())
        except (OSError, ValueError):
            self.done = {}

    def fresh(self, step: str, key: str) -> bool:
        return self.done.get(step) == key

    def remember(self, step: str, key: str) -> None:
        self.done[step] = key
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(self.done, indent=1))
        new.replace(self.path)


def content_key(paths: Iterable[Path], *extra: object) -> str:
    digest = hashlib.sha256(repr(extra).encode())
    for path in sorted(paths):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def files_below(folder: Path, leave_out: set[str]) -> Iterator[Path]:
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in leave_out]
        for name in names:
            file = Path(path, name)
            if file.is_file() and file.suffix not in (".pyc", ".tsbuildinfo"):
                yield file


# ---------------------------------------------------------------- Python


def use_new_enough_python() -> None:
    """Go on in a newer interpreter of this machine when started by an old one."""
    if sys.version_info >= OLDEST_PYTHON:
        return
    for minor in range(20, OLDEST_PYTHON[1] - 1, -1):
        newer = shutil.which(f"python3.{minor}")
        if newer:
            os.execv(newer, [newer, *sys.argv])
    here = ".".join(map(str, sys.version_info[:2]))
    raise SetupError(
        f"Python 3.11 or newer is needed and this is {here}; install one and name it: `make setup PYTHON=python3.12`"
    )


def install_python_packages(stamps: Stamps) -> bool:
    lock, project = ROOT / "requirements.lock", ROOT / "pyproject.toml"
    python, uv = VENV / "bin" / "python", VENV / "bin" / "uv"
    key = content_key([lock, project], UV, sys.version_info[:2], str(ROOT))
    if stamps.fresh("python", key) and python.exists():
        return False
    moved = not stamps.fresh("root", str(ROOT)) and "root" in stamps.done
    if moved or not works(python):
        say("making a virtual environment in .venv")
        run([sys.executable, "-m", "venv", "--clear", str(VENV)], "the virtual environment could not be made")
    stamps.remember("root", str(ROOT))
    say("installing Python packages")
    if not works(uv):
        run([str(python), "-m", "pip", "install", "-q", UV], "`pip install uv` failed; is the package index reachable?")
    here = {"VIRTUAL_ENV": str(VENV), "UV_SYSTEM_CERTS": "1"}  # as pip does: a proxy's certificate may be among them
    failed = "the Python packages could not be installed; is the package index reachable?"
    run([str(uv), "pip", "sync", "-q", "--require-hashes", str(lock)], failed, here)
    run([str(uv), "pip", "install", "-q", "--no-deps", "-e", str(ROOT)], failed, here)
    stamps.remember("python", key)
    return True


def works(program: Path) -> bool:
    try:
        return subprocess.run([str(program), "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


# ---------------------------------------------------------------- system


def missing_packages() -> list[str]:
    """Debian packages whose content is not there, found by looking for the content: it may have come another way."""
    missing = []
    if not shutil.which("bwrap"):
        missing.append("bubblewrap")
    if not shutil.which("git"):
        missing.append("git")
    if not any(map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"))):
        missing.append("chromium-headless-shell")
    if not any(Path("/usr/share/fonts", kind).is_dir() for kind in ("truetype", "opentype")):
        missing.append("fonts-liberation")
    if not ctypes.util.find_library("seccomp"):
        missing.append("libseccomp2")
    if not Path("/etc/ssl/certs/ca-certificates.crt").exists():
        missing.append("ca-certificates")
    if importlib.util.find_spec("ensurepip") is None and not (VENV / "bin" / "pip").exists():
        missing.append(f"python3.{sys.version_info.minor}-venv")
    return missing


def install_system_packages() -> bool:
    check_node()
    packages = missing_packages()
    if not packages:
        return False
    names = " ".join(packages)
    by_hand = f"as root, run `apt-get install -y {names}`, then `make setup` again"
    if not shutil.which("apt-get"):
        raise SetupError(f"these are missing: {names}; install what your system calls so, then run `make setup` again")
    if os.geteuid() == 0:
        as_root = []
    elif shutil.which("sudo"):
        as_root = ["sudo"] if sys.stdin.isatty() else ["sudo", "-n"]
    else:
        raise SetupError(f"system packages are missing; {by_hand}")
    say(f"installing system packages: {names}")
    failed = f"system packages could not be installed; {by_hand}"
    apt = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=120"]
    install = [*apt, "install", "-y", "--no-install-recommends", *packages]
    if attempt(install):  # the package lists may be old or absent
        run([*apt, "update"], failed)
        run(install, failed)
    return True


def check_node() -> None:
    advice = "install one from your system or nodejs.org, then run `make setup` again"
    if not shutil.which("node") or not shutil.which("npm"):
        raise SetupError(f"Node.js {OLDEST_NODE} or newer with npm is needed; {advice}")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = version.lstrip("v").split(".")[0]
    if not major.isdigit() or int(major) < OLDEST_NODE:
        raise SetupError(f"Node.js {OLDEST_NODE} or newer is needed and this is {version or 'not working'}; {advice}")


# ---------------------------------------------------------------- web assets and sandbox


def build_web(stamps: Stamps) -> bool:
    packages = content_key([WEB / "package.json", WEB / "package-lock.json"])
    installed = stamps.fresh("web packages", packages) and (WEB / "node_modules").is_dir()
    if not installed:
        say("installing web packages")
        # Not `npm ci`: it refuses a lock when a registry lacks the binaries of some other system.
        install = ["npm", "install", "--no-save", "--no-audit", "--no-progress"]
        run(install, "the web packages could not be installed; is the npm registry reachable?", CALM_NPM, WEB)
        stamps.remember("web packages", packages)
    sources = content_key(files_below(WEB, {"node_modules", "dist", ".vite"}))
    if installed and stamps.fresh("web", sources) and (WEB / "dist" / "index.html").exists():
        return False
    say("building the web page")
    run(["npm", "run", "build"], "the web page could not be built", CALM_NPM, WEB)
    stamps.remember("web", sources)
    return True


def prepare_sandbox(home: Path) -> bool:
    """Tools and templates that sessions share. The sandbox itself knows what is missing; it says so line by line."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{home} cannot be made ({error.strerror}); name another with STICH_HOME=DIR") from None
    command = [str(VENV / "bin" / "python"), "-m", "sandbox.setup", "--home", str(home)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    lines = []
    with process, LOG.open("a") as log:
        for line in process.stdout:
            log.write(line)
            lines.append(line.strip().removeprefix("sandbox: "))
            if line.startswith("sandbox: ") and not lines[-1].startswith("ready"):
                say(lines[-1])
    if process.returncode:
        raise SetupError((lines or ["the sandbox could not be prepared"])[-1])
    return any(line.startswith(("installing", "preparing")) for line in lines)


# ---------------------------------------------------------------- running programs


def run(command: list[str], failed: str, environment: dict[str, str] | None = None, folder: Path = ROOT) -> None:
    """Run a program with its output in the log. Raises SetupError, with the end of that output shown, when it fails."""
    tail = attempt(command, environment, folder)
    if tail is not None:
        print("\n".join("  | " + line for line in tail), file=sys.stderr)
        raise SetupError(f"{failed} (its whole output is in {LOG})")


def attempt(command: list[str], environment: dict[str, str] | None = None, folder: Path = ROOT) -> list[str] | None:
    """Run a program with its output in the log; the last lines of it when it failed."""
    with LOG.open("a+b") as log:
        log.write(f"\n$ {' '.join(command)}\n".encode())
        log.flush()
        before = log.tell()
        try:
            result = subprocess.run(
                command, cwd=folder, env={**os.environ, **(environment or {})}, stdout=log, stderr=log, check=False
            )
        except OSError as error:
            return [f"{command[0]}: {error.strerror}"]
        if result.returncode == 0:
            return None
        log.seek(before)
        return log.read().decode(errors="replace").strip().splitlines()[-15:] or ["(no output)"]


if __name__ == "__main__":
    try:
        main()
    except SetupError as error:
        sys.exit(f"setup: {error}")
    except KeyboardInterrupt:
        sys.exit("\nsetup: stopped; run it again to go on")
