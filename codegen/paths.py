"""Which paths a model may write: relative, inside the workspace, and not protected. Pure text; no file system."""

import re
from collections.abc import Iterable

from schemas.names import UNSEEN, is_gits_own
from schemas.scof import PathCode

MAX_PATH_BYTES = 4_095  # PATH_MAX without its NUL
MAX_NAME_BYTES = 255

# Most paths: plain names, none of which begins with a dot.
_PLAIN = re.compile(r"(?:[\w@(\[$][\w@()\[\]$.-]*+/)*+[\w@(\[$][\w@()\[\]$.-]*+", re.ASCII)
# Controls, the separators that act as line ends elsewhere, and halves of surrogate pairs, which no file name can hold.
_NOT_PRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DRIVE = re.compile(r"[A-Za-z]:")


class PathRefused(ValueError):
    """A path that must not be written: `code` for programs, the text for people."""

    def __init__(self, code: PathCode, message: str) -> None:
        super().__init__(message)
        self.code: PathCode = code


def normalise_path(path: str) -> str:
    """The one spelling of a relative path: forward slashes, no `.` parts. Raises PathRefused."""
    if len(path) <= MAX_NAME_BYTES and _PLAIN.fullmatch(path):
        return path
    if _NOT_PRINTABLE.search(path) or UNSEEN.search(path):
        raise PathRefused("control_character", f"The path {_shown(path)} holds a character that no file name may hold.")
    slashed = path.replace("\\", "/")
    if not slashed.strip():
        raise PathRefused("empty_path", "The path is empty.")
    if _DRIVE.match(slashed.lstrip()):
        raise PathRefused("drive_letter", f"The path {_shown(path)} starts with a drive letter.")
    if slashed.lstrip().startswith("/") or slashed.lstrip().split("/", 1)[0] == "~":
        raise PathRefused("absolute_path", f"The path {_shown(path)} is absolute.")
    parts = slashed.split("/")
    if any(part.strip() == ".." for part in parts):
        raise PathRefused("parent_path", f"The path {_shown(path)} leads out of its folder with '..'.")
    names = [part for part in parts if part not in ("", ".")]
    if not names or parts[-1] in ("", "."):
        raise PathRefused("not_a_file", f"The path {_shown(path)} names a folder, not a file.")
    normal = "/".join(names)
    if len(normal.encode()) > MAX_PATH_BYTES or any(len(name.encode()) > MAX_NAME_BYTES for name in names):
        raise PathRefused("path_too_long", f"The path {_shown(path)} is longer than a file system allows.")
    return normal if normal == path else normalise_path(normal)  # './~' is as good as '~'


class PathRules:
    """Decides about paths for one workspace.

    `protected` holds files that must stay as they are; an entry that ends in `/` protects the whole folder.
    `symlinks` holds the symbolic links known in the workspace: neither they nor anything below them is written.
    """

    def __init__(self, *, protected: Iterable[str] = (), symlinks: Iterable[str] = ()) -> None:
        entries = [entry for entry in protected if entry.strip("/")]
        self._files = {normalise_path(entry) for entry in entries if not entry.endswith("/")}
        self._folders = {normalise_path(entry.rstrip("/")) for entry in entries if entry.endswith("/")}
        self._symlinks = {normalise_path(entry.rstrip("/")) for entry in symlinks}

    def check(self, path: str) -> str:
        """The normalised path, when it may be written. Raises PathRefused."""
        normal = normalise_path(path)
        if is_gits_own(normal):
            raise PathRefused("write_protected", f"{_shown(normal)} belongs to git, which alone writes it.")
        if normal in self._files or self._is_below(normal, self._folders):
            raise PathRefused("write_protected", f"{_shown(normal)} belongs to the template and is write-protected.")
        if self._is_below(normal, self._symlinks):
            raise PathRefused("symbolic_link", f"The path {_shown(normal)} leads through a symbolic link.")
        return normal

    @staticmethod
    def _is_below(path: str, folders: set[str]) -> bool:
        """Whether the path is one of `folders` or in one."""
        if not folders:
            return False
        ends = [end for end, letter in enumerate(path) if letter == "/"]
        return any(path[:end] in folders for end in [*ends, len(path)])


def _shown(path: str) -> str:
    """The path for a message: short, and with its odd characters escaped."""
    return ascii(path if len(path) <= 200 else path[:200] + "...") if not path.isprintable() else f"'{path[:200]}'"
