"""Reads and writes files below a folder that untrusted code can change at the same time.

Every step of a path is opened relative to its parent and never through a symbolic link, so a link planted inside cannot
lead outside; devices, pipes and sockets are refused.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from sandbox.errors import PathRefused

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAXIMUM_PATH = 400
_MAXIMUM_DEPTH = 24
_DEEPEST = 64


def checked(path: str) -> tuple[str, ...]:
    """Split a relative path into its parts. Raises PathRefused for anything that is not plainly inside."""
    if not path or len(path) > _MAXIMUM_PATH or "\\" in path or any(ord(letter) < 32 for letter in path):
        raise PathRefused(f"{path[:80]!r} is not a usable path.")
    parts = tuple(path.split("/"))
    try:
        odd = any(part in ("", ".", "..") or len(part.encode()) > 200 for part in parts)
    except UnicodeEncodeError:  # a name that is no text
        odd = True
    if odd or len(parts) > _MAXIMUM_DEPTH:
        raise PathRefused(f"{path[:80]!r} is not a path inside the project.")
    return parts


class Folder:
    """Files below one folder. `owner` is given to whatever is created, when the service is root."""

    def __init__(self, root: Path, owner: int) -> None:
        self.root = root
        self._owner = owner if os.geteuid() == 0 else None

    def read(self, path: str, limit: int = 4 * 1024 * 1024) -> bytes:
        """Return a file's bytes. Raises FileNotFoundError, PathRefused (link, device, larger than `limit`)."""
        with self._parent(path) as (parent, name):
            try:
                descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise PathRefused(f"{path!r} is not a plain file.") from error
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                os.close(descriptor)
                raise PathRefused(f"{path!r} is not a plain file.")
            with os.fdopen(descriptor, "rb") as stream:
                if facts.st_size > limit:
                    raise PathRefused(f"{path!r} is too large to read ({facts.st_size} bytes).")
                return stream.read(limit)

    def write(self, path: str, content: bytes) -> bool:
        """Replace a file in one step, making its folders. Returns False where it held the same bytes already."""
        with contextlib.suppress(OSError, PathRefused):
            if self.read(path) == content:
                return False
        with self._parent(path, create=True) as (parent, name):
            with contextlib.suppress(FileNotFoundError):
                if stat.S_ISDIR(os.stat(name, follow_symlinks=False, dir_fd=parent).st_mode):
                    raise PathRefused(f"{path!r} is a folder.")
            temporary = f".{secrets.token_hex(6)}.tmp"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(temporary, flags, 0o644, dir_fd=parent)
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(content)
                    if self._owner is not None:
                        os.fchown(descriptor, self._owner, self._owner)
                os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=parent)
                raise
        return True

    def delete(self, path: str) -> bool:
        """Remove a file or link and the folders it leaves empty. Returns False where there was none."""
        parts = checked(path)
        try:
            with self._parent(path) as (parent, name):
                os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise PathRefused(f"{path!r} is not a file.") from error
        for end in range(len(parts) - 1, 0, -1):
            try:
                with self._parent("/".join(parts[:end])) as (parent, name):
                    os.rmdir(name, dir_fd=parent)
            except OSError:
                break
        return True

    def list(self, skip: frozenset[str] = frozenset(), most: int = 5_000) -> list[str]:
        """Paths of plain files, sorted; left out are links, special files, odd names and `skip` names at the top."""
        found: list[str] = []
        for folder, names, files, descriptor in os.fwalk(self.root, follow_symlinks=False):
            prefix = os.path.relpath(folder, self.root)
            prefix = "" if prefix == "." else prefix + "/"
            names[:] = sorted(name for name in names if prefix or name not in skip)
            if prefix.count("/") >= _MAXIMUM_DEPTH:
                names.clear()
            for name in files:
                if len(found) >= most:
                    return sorted(found)
                with contextlib.suppress(OSError, PathRefused):
                    checked(prefix + name)
                    if stat.S_ISREG(os.stat(name, follow_symlinks=False, dir_fd=descriptor).st_mode) and (
                        prefix or name not in skip
                    ):
                        found.append(prefix + name)
        return sorted(found)

    def keep(self, wanted: Collection[str], skip: frozenset[str] = frozenset()) -> None:
        """Remove everything that is not a readable plain file of a wanted path, whatever it is and however named.

        `skip` names at the top stay.
        """
        folders = {path[:at] for path in wanted for at, letter in enumerate(path) if letter == "/"}

        def tidy(folder: int, prefix: str) -> None:
            for name in os.listdir(folder):
                path = prefix + name
                with contextlib.suppress(FileNotFoundError):
                    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
                    if path in folders and stat.S_ISDIR(mode):
                        inner = _opened(folder, name)
                        try:
                            tidy(inner, path + "/")
                        finally:
                            os.close(inner)
                    elif path not in skip and (path not in wanted or not stat.S_ISREG(mode) or mode & 0o600 != 0o600):
                        _remove(folder, name)

        root = os.open(self.root, _FOLDER)
        try:
            tidy(root, "")
        finally:
            os.close(root)

    @contextlib.contextmanager
    def _parent(self, path: str, create: bool = False) -> Iterator[tuple[int, str]]:
        """Open the folder that holds `path`, step by step, and yield (descriptor, last name)."""
        *folders, name = checked(path)
        current = os.open(self.root, _FOLDER)
        try:
            for part in folders:
                try:
                    following = os.open(part, _FOLDER, dir_fd=current)
                except FileNotFoundError:
                    if not create:
                        raise
                    os.mkdir(part, 0o755, dir_fd=current)
                    following = os.open(part, _FOLDER, dir_fd=current)
                    if self._owner is not None:
                        os.fchown(following, self._owner, self._owner)
                except OSError as error:
                    raise PathRefused(f"{path!r} leads through something that is not a folder.") from error
                os.close(current)
                current = following
            yield current, name
        finally:
            os.close(current)


def weight(root: Path, most_files: int, most_bytes: int) -> tuple[int, int]:
    """Count files and bytes below a folder; stops early once a bound is passed. Links count as themselves.

    Folders that lie deeper than any project's count as too many files.
    """
    files = size = 0
    most_parts = str(root).count("/") + _DEEPEST
    for folder, names, found, descriptor in os.fwalk(root, follow_symlinks=False):
        files += len(names) + len(found)
        for name in found:
            with contextlib.suppress(OSError):
                size += os.stat(name, follow_symlinks=False, dir_fd=descriptor).st_blocks * 512
        if folder.count("/") > most_parts:
            files = most_files + 1
        if files > most_files or size > most_bytes:
            break
    return files, size


def remove_tree(path: Path) -> None:
    """Remove a folder that untrusted code wrote to, however deep. What is still being written to stays."""
    with contextlib.suppress(OSError):
        parent = os.open(path.parent, _FOLDER)
        try:
            _remove(parent, path.name)
        finally:
            os.close(parent)


def _remove(parent: int, name: str) -> None:
    """Remove whatever has this name. Folders are taken apart from the top, so their depth takes no room anywhere."""
    try:
        os.unlink(name, dir_fd=parent)
        return
    except (IsADirectoryError, PermissionError):
        top = _opened(parent, name)
    try:
        waiting = os.listdir(top)  # noqa: PTH208 - Path takes no descriptor
        while waiting:
            each = waiting.pop()
            try:
                os.unlink(each, dir_fd=top)
            except (IsADirectoryError, PermissionError):
                folder = _opened(top, each)
                try:
                    for inner in os.listdir(folder):  # noqa: PTH208
                        try:
                            os.unlink(inner, dir_fd=folder)
                            continue
                        except (IsADirectoryError, PermissionError):
                            os.close(_opened(folder, inner))  # a shut folder could not be moved
                        raised = secrets.token_hex(8)
                        os.rename(inner, raised, src_dir_fd=folder, dst_dir_fd=top)
                        waiting.append(raised)
                finally:
                    os.close(folder)
                os.rmdir(each, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=parent)


def _opened(parent: int, name: str) -> int:
    """Open a folder that its owner may have shut, and open it for good."""
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if os.fstat(handle).st_mode & 0o700 != 0o700:
            Path(f"/proc/self/fd/{handle}").chmod(0o755)
        return os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(handle)
