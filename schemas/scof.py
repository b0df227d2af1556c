"""Events of reading a model's output in SCOF, the streaming code output format.

One parser yields, in the order of the stream (class, `type`, fields):

    FileOpened    file_opened   path, format, purpose   a file begins
    FileChunked   file_chunk    path, offset, text      text of it, as soon as it cannot belong to its end marker
    FileClosed    file_closed   path, content           it is complete
    Refused       refused       path, code, sentence    a path, a diff or a command that is not followed
    CommandFound  command       command, packages, dev  an install command between files
    Finished      finished      truncated               the end; the path of the file that was still open, or None

Offsets count characters (Unicode code points) from the start of the file. For the format `full_content` the joined
chunks of an opening are the content of its closing; a file that is appended to starts with a chunk of what it held.
For `unified_diff` the chunks are the text of the diff and the closing holds the whole resulting file, so that who
reads `file_closed` never applies a diff. A file that is refused after it was opened (it grew too large, its diff does
not apply) is never closed and stays as it was.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

FileFormat: TypeAlias = Literal["full_content", "unified_diff"]

PathCode: TypeAlias = Literal[
    "empty_path",
    "absolute_path",
    "parent_path",
    "drive_letter",
    "control_character",
    "path_too_long",
    "not_a_file",
    "symbolic_link",
    "write_protected",
]
RefusalCode: TypeAlias = PathCode | Literal["too_many_files", "file_too_large", "diff_failed", "unsafe_command"]


@dataclass(frozen=True, slots=True)
class FileOpened:
    """A block begins; whatever was shown of the same path before is replaced by what follows."""

    path: str
    format: FileFormat
    purpose: str = ""
    type: Literal["file_opened"] = "file_opened"


@dataclass(slots=True, unsafe_hash=True)
class FileChunked:
    """A piece of the open block. A value like the others, but not frozen: that would triple the cost of making one."""

    path: str
    offset: int
    text: str
    type: Literal["file_chunk"] = "file_chunk"


@dataclass(frozen=True, slots=True)
class FileClosed:
    """The block is complete; `content` is the whole file as it now is, also after an append or a diff."""

    path: str
    content: str
    type: Literal["file_closed"] = "file_closed"


@dataclass(frozen=True, slots=True)
class Refused:
    """Not followed, and without effect. `path` is empty where a command is refused; `hunk` (from 1) is of a diff."""

    path: str
    code: RefusalCode
    sentence: str
    hunk: int | None = None
    type: Literal["refused"] = "refused"


@dataclass(frozen=True, slots=True)
class CommandFound:
    """An install command in plain words; without packages it installs what the project's manifest lists."""

    command: str
    packages: tuple[str, ...] = ()
    dev: bool = False
    type: Literal["command"] = "command"


@dataclass(frozen=True, slots=True)
class Finished:
    """The stream has ended; `truncated` names the file that was still open and has therefore no closing."""

    truncated: str | None = None
    type: Literal["finished"] = "finished"


ScofEvent: TypeAlias = FileOpened | FileChunked | FileClosed | Refused | CommandFound | Finished
