"""Reading SCOF, the streaming code output format, while a model writes it; and writing it.

    parser = ScofParser(existing={"src/App.tsx": "..."})
    for text in stream:
        for event in parser.feed(text): ...
    for event in parser.finish(): ...

Files arrive as shell here-documents (`codegen.heredoc` knows the commands), with comments and install commands
between them; anything else there is commentary. What a block holds is taken as it stands: an unquoted marker expands
nothing. `schemas.scof` describes the events. The pieces in which a stream arrives never change what is read, only how
finely `file_chunk` events are cut; halves of a character that a stream has cut are put together.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Protocol

from codegen.block import Block
from codegen.commands import InstallCommand, find_install_commands
from codegen.heredoc import LEAD, Opening, is_opening_word, joins, parse_opening
from codegen.paths import PathRefused, PathRules, normalise_path
from codegen.unified_diff import DiffError, apply_unified_diff
from schemas.scof import CommandFound, FileChunked, FileClosed, FileFormat, FileOpened, Finished, Refused, ScofEvent

__all__ = [
    "CommandFound",
    "FileChunked",
    "FileClosed",
    "FileOpened",
    "Finished",
    "Refused",
    "ScofEvent",
    "ScofParser",
    "serialise",
]

MAX_FILES = 500
MAX_FILE_BYTES = 2_000_000
MAX_DIFF_SHARE = 4  # a diff may be so many times longer than a file: it can hold all of the old and the new one
MAX_COMMAND = 8_192  # characters of a command, over all its lines; a longer line is commentary
MAX_COMMENTS = 8  # lines of a comment, the last ones, that make a purpose

_WORDS = "cat|tee|patch|mkdir|cd|npm|pnpm|yarn|bun"
# What may matter between blocks: comments, lines that begin like a command, code spans with an install command.
_TELLING = re.compile(
    rf"\n[^\S\n]*+(?:\#|{LEAD}(?:{_WORDS})(?![\w-])|[^\n]*`[^\S\n]*+(?:npm|pnpm|yarn|bun)\s)", re.IGNORECASE
)
_COMMAND = re.compile(rf"\s*+{LEAD}(?:{_WORDS})(?![\w-])", re.IGNORECASE)
_FENCE = ("```", "~~~")
_PROSE = re.compile(r"\n[^\S\n]*+(?!```|~~~)\S")

_HIGH_HALVES = ("\ud800", "\udbff")
_HALVES = re.compile(r"[\ud800-\udbff][\udc00-\udfff]")


class ScofParser:
    """Reads one stream: `feed` its pieces in order, then `finish`.

    `protected` are files (or folders, ending in `/`) that must not be written, `symlinks` the symbolic links known in
    the workspace. `existing` holds the files that diffs and appends start from, by path; what the stream itself has
    produced goes before. More than `max_files` paths, and files of more than `max_bytes` (UTF-8), are refused.
    """

    __slots__ = (
        "_block",
        "_commands",
        "_comments",
        "_continued",
        "_existing",
        "_finished",
        "_half",
        "_max_bytes",
        "_max_files",
        "_opened",
        "_overlong",
        "_patches",
        "_pending",
        "_produced",
        "_rest",
        "_rules",
    )

    def __init__(
        self,
        *,
        protected: Iterable[str] = (),
        symlinks: Iterable[str] = (),
        existing: Mapping[str, str] | None = None,
        max_files: int = MAX_FILES,
        max_bytes: int = MAX_FILE_BYTES,
    ) -> None:
        self._rules = PathRules(protected=protected, symlinks=symlinks)
        self._existing = existing or {}
        self._max_files = max_files
        self._max_bytes = max_bytes
        self._produced: dict[str, str] = {}
        self._opened: set[str] = set()
        self._commands: set[str] = set()
        self._block: Block | None = None
        self._patches = False  # whether the open block is a diff
        self._rest = ""  # of a line between blocks that has not ended
        self._overlong = False  # that line is longer than any command
        self._comments: list[str] = []  # above what comes next
        self._pending: str | None = None  # the first lines of a command that may go on
        self._continued = False  # it surely does: a backslash says so
        self._half = ""  # the first half of a surrogate pair
        self._finished = False

    def feed(self, text: str) -> list[ScofEvent]:
        """Read the next piece of the stream, of any length. Raises ValueError after `finish`."""
        extra_bytes = 0
        if self._half or not text.isascii():
            text, extra_bytes = self._whole_characters(text)
        if self._block is not None and text:
            flown = self._block.flow(text, extra_bytes)
            if flown is not None:
                return flown
        if self._finished:
            raise ValueError("This stream is finished; read another one with another parser.")
        events: list[ScofEvent] = []
        self._read(text, events)
        return events

    def finish(self) -> list[ScofEvent]:
        """The stream has ended: the last events, of which `finished` is the very last. Nothing when called again."""
        if self._finished:
            return []
        events: list[ScofEvent] = []
        half, self._half = self._half, ""
        self._read(half, events)
        if self._block is None and not self._overlong:
            self._take_line(self._rest, events)
        if self._block is None and self._pending is not None and self._continued:
            pending, self._pending = self._pending, None
            self._take_line(pending, events)
        truncated: str | None = None
        if self._block is not None:
            self._block.finish(events)
            if self._block.closed:
                self._close(self._block, events)
            elif not self._block.skipped:
                truncated = self._block.path
        self._block = None
        self._finished = True
        events.append(Finished(truncated))
        return events

    def _whole_characters(self, text: str) -> tuple[str, int]:
        """The text with surrogate pairs joined, also with what came before, and its bytes beyond its length."""
        text = self._half + text
        self._half = ""
        if _HIGH_HALVES[0] <= text[-1:] <= _HIGH_HALVES[1]:
            self._half = text[-1]
            text = text[:-1]
        try:
            return text, len(text.encode()) - len(text)
        except UnicodeEncodeError:
            text = _HALVES.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
            return text, len(text.encode("utf-8", "surrogatepass")) - len(text)

    def _read(self, text: str, events: list[ScofEvent]) -> None:
        at = 0
        while at < len(text):
            if self._block is None:
                at = self._read_between(text, at, events)
            else:
                at = self._block.read(text, at, events)
                if self._block.closed:
                    self._close(self._block, events)

    # Between blocks

    def _read_between(self, text: str, at: int, events: list[ScofEvent]) -> int:
        """Read lines up to a command that opens a block, or to the end of `text`; the index reached."""
        end = text.find("\n", at)
        if end < 0:
            return self._keep(text, at)
        line = "" if self._overlong else self._rest + text[at:end]
        if self._overlong or len(line) > MAX_COMMAND:
            self._take_prose()
        else:
            self._take_line(line, events)
        self._rest, self._overlong = "", False
        while self._block is None:
            begin = end if self._pending is not None else self._skip_prose(text, end)
            end = text.find("\n", begin + 1)
            if end < 0:
                return self._keep(text, begin + 1)
            if end - begin > MAX_COMMAND + 1:
                self._take_prose()
            else:
                self._take_line(text[begin + 1 : end], events)
        return end + 1

    def _keep(self, text: str, at: int) -> int:
        """Keep a line that has not ended, unless it is already too long to be a command."""
        if not self._overlong and len(self._rest) + len(text) - at <= MAX_COMMAND:
            self._rest += text[at:]
        else:
            self._rest, self._overlong = "", True
        return len(text)

    def _skip_prose(self, text: str, at: int) -> int:
        """From the newline at `at` to the one before the next line that may matter, or before an unended one."""
        telling = _TELLING.search(text, at)
        begin = telling.start() if telling else text.rfind("\n", at)
        if self._comments and _PROSE.search(text, at, begin):
            self._comments.clear()
        return begin

    def _take_prose(self) -> None:
        self._comments.clear()
        self._pending = None

    def _take_line(self, line: str, events: list[ScofEvent]) -> None:
        """Read one line, without its newline."""
        pending, self._pending = self._pending, None
        if pending is not None and self._continued:
            line = pending + line
            if len(line) > MAX_COMMAND:
                return self._take_prose()
        elif pending is not None:
            if parse_opening(line) is None and joins(pending, line) and (opening := parse_opening(f"{pending} {line}")):
                return self._open(opening, events)
            self._comments.clear()
        if bare := line.strip():
            self._take_words(line, bare, events)
        return None

    def _take_words(self, line: str, bare: str, events: list[ScofEvent]) -> None:
        """Read a line that is not blank; `bare` is without the whitespace around it."""
        if not _TELLING.match("\n" + line):
            if not bare.startswith(_FENCE):
                self._comments.clear()
        elif bare.startswith("#"):
            self._comments = [*self._comments[1 - MAX_COMMENTS :], bare]
        elif bare.endswith("\\") and _COMMAND.match(line):
            self._pending, self._continued = bare[:-1], True
        elif opening := parse_opening(line):
            self._open(opening, events)
        elif is_opening_word(line):
            self._pending, self._continued = line, False
        else:
            self._comments.clear()
            for command in find_install_commands(line):
                if command.text not in self._commands:
                    self._commands.add(command.text)
                    events.append(_command_event(command))

    # Blocks

    def _open(self, opening: Opening, events: list[ScofEvent]) -> None:
        comments, self._comments = self._comments, []
        self._patches = opening.kind == "patch"
        max_bytes = self._max_bytes * (MAX_DIFF_SHARE if self._patches else 1)
        path, refused = self._admit(opening.path)
        self._block = Block(
            path, opening.marker, strip_tabs=opening.strip_tabs, max_bytes=max_bytes, skipped=refused is not None
        )
        if refused is not None:
            events.append(refused)
            return
        self._opened.add(path)
        file_format: FileFormat = "unified_diff" if self._patches else "full_content"
        events.append(FileOpened(path, file_format, _purpose(comments, path)))
        if opening.kind == "append":
            self._block.begin_with(self._current(path), events)

    def _admit(self, written: str) -> tuple[str, Refused | None]:
        try:
            path = self._rules.check(written)
        except PathRefused as error:
            return written, Refused(written, error.code, str(error))
        if path not in self._opened and len(self._opened) >= self._max_files:
            sentence = f"'{path}' is beyond the limit of {self._max_files} files."
            return path, Refused(path, "too_many_files", sentence)
        return path, None

    def _current(self, path: str) -> str:
        """What the file holds now; '' where there is none."""
        return self._produced[path] if path in self._produced else self._existing.get(path, "")

    def _close(self, block: Block, events: list[ScofEvent]) -> None:
        self._block = None
        if block.skipped:
            return
        content = block.content()
        if self._patches:
            try:
                content = apply_unified_diff(self._current(block.path), content)
            except DiffError as error:
                sentence = f"The diff for '{block.path}' was not applied. {error}"
                events.append(Refused(block.path, "diff_failed", sentence, error.hunk))
                return
            if len(content.encode("utf-8", "surrogatepass")) > self._max_bytes:
                sentence = f"The file '{block.path}' is larger than {self._max_bytes:,} bytes."
                events.append(Refused(block.path, "file_too_large", sentence))
                return
        self._produced[block.path] = content
        events.append(FileClosed(block.path, content))


def _command_event(command: InstallCommand) -> ScofEvent:
    if command.unsafe is None:
        return CommandFound(command.text, command.packages, command.dev)
    sentence = f"'{command.text[:200]}' is not followed: '{command.unsafe[:100]}' is no package name of the registry."
    return Refused("", "unsafe_command", sentence)


def _purpose(comments: Sequence[str], path: str) -> str:
    """What the comment above a command says, without its marks and without the path that it may begin with."""
    lines = [comment.lstrip("#").strip() for comment in comments]
    for at, line in enumerate(lines):
        plain = line.lstrip("`*'\"")
        if plain.startswith(path):
            lines[at] = plain[len(path) :].lstrip("`*'\" \t:-–—").strip()
    return " ".join(line for line in lines if line)


# Writing


class SourceFile(Protocol):
    """Anything with a path and a content, such as FileClosed."""

    @property
    def path(self) -> str: ...

    @property
    def content(self) -> str: ...


def serialise(files: Mapping[str, str] | Iterable[SourceFile | tuple[str, str]]) -> str:
    """Files as one SCOF text, which a ScofParser without `existing` reads back identically, whatever they contain.

    A here-document ends with a newline, so a file that does not is written as the diff that creates it.
    Raises ValueError for a path that the parser would refuse or spell differently.
    """
    return "\n".join(_serialised(path, content) for path, content in _pairs(files))


def _pairs(files: Mapping[str, str] | Iterable[SourceFile | tuple[str, str]]) -> Iterator[tuple[str, str]]:
    if isinstance(files, Mapping):
        yield from files.items()
        return
    for file in files:
        yield file if isinstance(file, tuple) else (file.path, file.content)


def _serialised(path: str, content: str) -> str:
    if normalise_path(path) != path:
        raise ValueError(f"The path {path!r} is not in its plain form.")
    quoted = f"'{path}'" if "'" not in path else '"' + re.sub(r'(["$`])', r"\\\1", path) + '"'
    if content and not content.endswith("\n"):
        rows = content.split("\n")
        added = "".join(f"+{row}\n" for row in rows)
        content = f"@@ -0,0 +1,{len(rows)} @@\n{added}\\ No newline at end of file\n"
        marker = _unused_marker(content)
        return f"cat << '{marker}' | patch {quoted}\n{content}{marker}\n"
    marker = _unused_marker(content)
    return f"cat > {quoted} << '{marker}'\n{content}{marker}\n"


def _unused_marker(content: str) -> str:
    """A marker that no line of the content equals, whitespace around it aside."""
    if "EOF" not in content:
        return "EOF"
    lines = {line.strip() for line in content.split("\n")}
    return next(marker for marker in (f"EOF{number or ''}" for number in count()) if marker not in lines)
