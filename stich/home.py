"""The stich home: one directory with the data, logs and secrets of one installation."""

import fcntl
import json
import os
import secrets
import socket
import time
from pathlib import Path
from typing import IO, Literal

from pydantic import BaseModel, ValidationError

from stich.errors import StichError
from stich.settings import Settings

LOCK_FILE = "up.lock"


class RunningUp(BaseModel):
    """What a running `stich up` leaves in its home for other commands.

    `url` is for people, `local_url` for programs on this machine; neither has the token in it.
    """

    pid: int
    url: str
    local_url: str
    token: str
    temporal_address: str
    temporal_ui: str | None
    demo: bool
    auth: Literal["local", "accounts"] = "local"

    @property
    def sign_in_url(self) -> str:
        return f"{self.url}/?token={self.token}" if self.auth == "local" else f"{self.url}/sign-in"


class Home:
    """The directory and what lies where in it. Nothing is created before `prepare`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.logs = root / "logs"
        self.run = root / "run"
        self.mail = root / "mail"
        self.temporal = root / "temporal"
        self.postgres = root / "postgres"
        self._lock: IO[str] | None = None

    def prepare(self) -> None:
        """Create the directory and its parts, readable by their owner only. Raises StichError when that cannot be."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.logs, self.run, self.temporal, self.postgres):
                folder.mkdir(mode=0o700, exist_ok=True)
            probe = self.run / f".probe-{os.getpid()}"
            probe.write_text("")
            probe.unlink()
        except OSError as error:
            raise StichError(
                f"{self.root} cannot be written ({error.strerror}); make it writable, or name another: STICH_HOME=DIR."
            ) from None

    def lock(self) -> None:
        """Take the home for this process. Raises StichError, with the address of the other, when it is taken."""
        lock = (self.root / LOCK_FILE).open("a+")
        for pause in (0.05, 0.1, 0.2, None):  # `running` holds the lock for a moment
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if pause is not None:
                    time.sleep(pause)
                    continue
                lock.close()
                running = self._read_up()
                where = f" at {running.sign_in_url}" if running else ""
                raise StichError(
                    f"stich is already running on {self.root}{where}; use that one, stop it with Ctrl-C,"
                    " or start another with STICH_HOME=DIR PORT=NUMBER."
                ) from None
        self._lock = lock
        (self.root / "up.json").unlink(missing_ok=True)  # left by one that was killed

    def unlock(self) -> None:
        if self._lock is not None:
            (self.root / "up.json").unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def running(self) -> RunningUp | None:
        """The `stich up` that serves this home now, once it is ready."""
        try:
            with (self.root / LOCK_FILE).open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return None
        except OSError:
            return self._read_up()
        return None

    def announce(self, running: RunningUp) -> None:
        """Tell other commands where this home is served."""
        write_private(self.root / "up.json", running.model_dump_json())

    def _read_up(self) -> RunningUp | None:
        try:
            return RunningUp.model_validate_json((self.root / "up.json").read_text())
        except (OSError, ValidationError):
            return None

    def token(self) -> str:
        """The secret that signs people in here, made on first use."""
        path = self.root / "token"
        try:
            token = path.read_text().strip()
        except FileNotFoundError:
            token = ""
        if len(token) < 16:
            token = secrets.token_urlsafe(24)
            write_private(path, token + "\n")
        return token

    def port(self, name: str) -> int:
        """A free loopback port for an inner service: the one it had before where that is still free."""
        path = self.root / "ports.json"
        try:
            ports = json.loads(path.read_text())
            before = int(ports.get(name, 0))
        except (OSError, ValueError, AttributeError):
            ports, before = {}, 0
        port = before if before and is_free(before) else free_port()
        if port != before:
            write_private(path, json.dumps({**ports, name: port}))
        return port


def token_of(settings: Settings) -> str:
    """The secret that signs people in: the one that was set, else the home's. Several hosts need the same one set."""
    if settings.token is not None:
        return settings.token.get_secret_value()
    home = Home(settings.home)
    home.prepare()
    return home.token()


def write_private(path: Path, text: str) -> None:
    """Replace a file at once, so that no reader sees half of it and nobody else reads it."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    try:
        listen(host, port).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    with listen("127.0.0.1", 0) as listener:
        port: int = listener.getsockname()[1]
        return port


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises OSError when the address is taken or cannot be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except BaseException:
        listener.close()
        raise
    return listener


def port_of(listener: socket.socket) -> int:
    """The port that it listens on."""
    port: int = listener.getsockname()[1]
    return port
