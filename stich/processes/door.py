"""The listening socket of a part, which outlives the part's processes: they inherit it by its number."""

import os
import socket

from stich.errors import StichError
from stich.home import listen


class Door:
    """While processes restart, connections wait behind it. Shut, because none can be started, it refuses them."""

    def __init__(self, host: str, port: int) -> None:
        """Raises OSError when the address is taken or cannot be bound."""
        self._socket = listen(host, port)
        self._address = self._socket.getsockname()
        self._is_shut = False

    @property
    def port(self) -> int:
        port: int = self._address[1]
        return port

    def fileno(self) -> int:
        """The number to inherit; it stays the same."""
        return self._socket.fileno()

    def shut(self) -> None:
        """Refuse connections from now on, and those that wait."""
        if not self._is_shut:
            with socket.socket(self._socket.family) as nothing:
                os.dup2(nothing.fileno(), self.fileno(), inheritable=False)
            self._is_shut = True

    def unlock(self) -> None:
        """Make ready for a process, which opens it by listening. Raises StichError when somebody took the address."""
        if not self._is_shut:
            return
        with socket.socket(self._socket.family) as bound:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                bound.bind(self._address)
            except OSError as error:
                raise StichError(f"Port {self.port} was taken meanwhile ({os.strerror(error.errno or 0)}).") from None
            os.dup2(bound.fileno(), self.fileno(), inheritable=False)
        self._is_shut = False

    def close(self) -> None:
        self._socket.close()
