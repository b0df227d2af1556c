"""HTTP/1.1 messages as the gateway reads and writes them.

Strict on purpose: behind a proxy that keeps connections, a message that two readers take apart in different places
would let one preview answer another's requests. What is not plainly framed is refused, and nothing is framed anew.
"""

import re
from functools import lru_cache
from typing import Final

Headers = list[tuple[bytes, bytes]]

MOST_HEAD: Final = 32 * 1024
HEAD_END: Final = b"\r\n\r\n"
_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_REQUEST: Final = re.compile(rb"(" + _TOKEN + rb") (/[!-~]*+) HTTP/1\.([01])")
_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?")
_LINE: Final = re.compile(rb"(" + _TOKEN + rb"):[ \t]*+([\t\x20-\x7e\x80-\xff]*+)")
_LONE_BREAK: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|$)|\n[ \t]|^[\r\n]")
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")
_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,8}")
_SIZE_BEGUN: Final = re.compile(rb"[0-9A-Fa-f]{0,8}|[0-9A-Fa-f]{1,8}\r")
_SIZE_LINE: Final = 10
_MOST_REMEMBERED: Final = 4 * 1024
_MOST_LINE_REMEMBERED: Final = 256
HOP: Final = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"),
        *(b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    }
)
"""Headers that belong to one connection and end with it."""


METHODS: Final = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})


class Malformed(Exception):
    """A message that is not HTTP/1.1, or that could be read in two ways. `status` is the answer to it."""

    def __init__(self, status: int = 400) -> None:
        super().__init__(f"malformed ({status})")
        self.status = status


class Fields:
    """The headers of a message. `length` is that of its body, None where no length is told."""

    __slots__ = ("_lines", "_values", "chunked", "headers", "length", "options")

    def __init__(self, block: bytes) -> None:
        *lines, end = block.split(b"\r\n")
        if end:
            raise Malformed
        self._lines = [_known(line) if len(line) <= _MOST_LINE_REMEMBERED else _read(line) for line in lines]
        self.headers: Headers = [(name, value) for name, value, _ in self._lines]
        self._values = dict(self.headers)
        several = len(self._values) != len(self.headers)
        lengths = self._values.get(b"content-length")
        coding = self._values.get(b"transfer-encoding")
        if several and len(self.all(b"content-length")) + len(self.all(b"transfer-encoding")) > 1:
            raise Malformed
        if coding is not None and (lengths is not None or coding.lower() != b"chunked"):
            raise Malformed
        if lengths is not None and _LENGTH.fullmatch(lengths) is None:
            raise Malformed
        self.length = int(lengths) if lengths is not None else None
        self.chunked = coding is not None
        said = b",".join(self.all(b"connection")).lower() if several else self._values.get(b"connection", b"").lower()
        self.options = frozenset(option.strip() for option in said.split(b",")) if said else frozenset()

    def get(self, name: bytes) -> bytes:
        """The value of a header, empty where it is missing."""
        return self._values.get(name, b"")

    def all(self, name: bytes) -> list[bytes]:
        """All values of a header."""
        return [value for known, value in self.headers if known == name]

    def __contains__(self, name: bytes) -> bool:
        return name in self._values

    def kept(self, dropped: frozenset[bytes]) -> bytes:
        """The headers as a block, without those that are dropped or named by Connection."""
        options = self.options
        return b"".join(
            [line for name, _, line in self._lines if name not in dropped and (not options or name not in options)]
        )


def _read(line: bytes) -> tuple[bytes, bytes, bytes]:
    """A header's name, its value, and the line to write for it."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise Malformed
    name, value = found[1].lower(), found[2].rstrip(b" \t")
    return name, value, b"%b: %b\r\n" % (name, value)


# Most lines of a server's answers are those of its answers before.
_known = lru_cache(1024)(_read)


class Request:
    """The head of a request. `lasting` says that the connection may be used again, `modern` that it is HTTP/1.1."""

    __slots__ = ("fields", "lasting", "method", "modern", "path", "query", "target")

    def __init__(self, head: bytes) -> None:
        line, _, block = head.partition(b"\r\n")
        found = _REQUEST.fullmatch(line)
        if found is None:
            raise Malformed
        self.method: bytes = found[1]
        self.target: bytes = found[2]
        self.fields = _request_fields(block)
        if self.method not in METHODS:
            raise Malformed(405)
        path, _, query = self.target.partition(b"?")
        self.path: bytes = path
        self.query: bytes = query
        self.modern = found[3] == b"1"
        if (self.modern and not self.fields.get(b"host")) or (not self.modern and self.fields.chunked):
            raise Malformed
        self.lasting = self.modern and b"close" not in self.fields.options

    @property
    def has_body(self) -> bool:
        """Whether a body follows the head."""
        return self.fields.chunked or bool(self.fields.length)

    @property
    def upgrades(self) -> bool:
        """Whether it asks for a WebSocket."""
        fields = self.fields
        asks = b"upgrade" in fields.options and fields.get(b"upgrade").lower() == b"websocket"
        return asks and self.method == b"GET" and not self.has_body


# A browser sends the same headers again and again.
@lru_cache(512)
def _remembered(block: bytes) -> Fields:
    return Fields(block)


def _request_fields(block: bytes) -> Fields:
    fields = _remembered(block) if len(block) <= _MOST_REMEMBERED else Fields(block)
    if len(fields.all(b"host")) > 1:
        raise Malformed
    return fields


class Answer:
    """The head of a response to a request of `method`. `bodiless` answers end with their head."""

    __slots__ = ("bodiless", "fields", "lasting", "status")

    def __init__(self, head: bytes, method: bytes) -> None:
        line, _, block = head.partition(b"\r\n")
        found = _STATUS.fullmatch(line)
        if found is None:
            raise Malformed
        self.status = int(found[2])
        self.fields = Fields(block)
        if found[1] == b"0" and self.fields.chunked:
            raise Malformed
        self.bodiless = method == b"HEAD" or self.status < 200 or self.status in (204, 304)
        framed = self.bodiless or self.fields.chunked or self.fields.length is not None
        self.lasting = framed and found[1] == b"1" and b"close" not in self.fields.options


def take_head(buffer: bytes) -> tuple[bytes, bytes] | None:
    """Split off a message's head, whose last line keeps its end; None until all of it is there. Raises Malformed."""
    end = buffer.find(HEAD_END, 0, MOST_HEAD)
    if end < 0:
        if len(buffer) >= MOST_HEAD:
            raise Malformed(431)
        if _LONE_BREAK.search(buffer) is not None:
            raise Malformed
        return None
    return buffer[: end + 2], buffer[end + 4 :]


class Body:
    """Takes a body of known length, of chunks, or one that ends with its connection out of what arrives."""

    __slots__ = ("_chunks", "_left", "complete")

    def __init__(self, length: int | None, chunked: bool) -> None:
        self._chunks = _Chunks() if chunked else None
        self._left = length
        self.complete = length == 0 and not chunked

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return (bytes of the body, bytes after its end). Raises Malformed."""
        if self._chunks is not None:
            piece, rest = self._chunks.feed(data)
            self.complete = self._chunks.complete
            return piece, rest
        if self._left is None:
            return data, b""
        piece, rest = data[: self._left], data[self._left :]
        self._left -= len(piece)
        self.complete = self._left == 0
        return piece, rest


class _Chunks:
    """The chunked coding, without extensions and trailers, which nobody here sends."""

    __slots__ = ("_ending", "_held", "_left", "complete")

    def __init__(self) -> None:
        self._held = b""
        self._left = 0
        self._ending = False  # a chunk's bytes are over, the end of its line is not
        self.complete = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        data = self._held + data if self._held else data
        self._held = b""
        pieces: list[bytes] = []
        at = 0
        while at < len(data) and not self.complete:
            if self._left:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                self._ending = self._left == 0
            elif (found := self._line(data, at)) is None:
                self._held = data[at:]
                break
            else:
                at = found
        return b"".join(pieces), data[at:] if self.complete else b""

    def _line(self, data: bytes, at: int) -> int | None:
        """Read the line between two chunks; return where it ends, None where it is not all there."""
        if self._ending:
            if not b"\r\n".startswith(data[at : at + 2]):
                raise Malformed
            if len(data) < at + 2:
                return None
            self._ending = False
            return at + 2
        end = data.find(b"\r\n", at, at + _SIZE_LINE)
        if end < 0:
            if _SIZE_BEGUN.fullmatch(data, at) is None:
                raise Malformed
            return None
        if _SIZE.fullmatch(data, at, end) is None:
            raise Malformed
        size = int(data[at:end], 16)
        if size:
            self._left = size
            return end + 2
        if not b"\r\n".startswith(data[end + 2 : end + 4]):
            raise Malformed
        if len(data) < end + 4:
            return None
        self.complete = True
        return end + 4


def chunk(piece: bytes) -> bytes:
    """A piece of a body in the chunked coding."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


LAST_CHUNK: Final = b"0\r\n\r\n"
