"""A finished project on this machine's disk."""

import io
import os
import re
import zipfile
from pathlib import Path, PurePosixPath

from stich.errors import StichError


def require_empty(folder: Path) -> None:
    """Raises StichError where the project would land among other files."""
    ground = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not os.access(ground, os.W_OK):
        raise StichError(f"{ground} cannot be written; name another folder with --out DIR.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StichError(f"{folder} is not an empty directory; name another with --out DIR.")


def write_project(archive: bytes, out: Path | None, title: str, *, replace: bool = False) -> Path:
    """Write the files of a ZIP archive into `out`, or into a new folder named after the title. Returns the folder.

    The one folder that the archive holds everything in is left away. `replace` lets the files replace others.
    """
    folder = out if out is not None else free_folder(slug(title))
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as project:
            entries = [entry for entry in project.infolist() if not entry.is_dir()]
            for entry in entries:
                path = PurePosixPath(entry.filename)
                if path.is_absolute() or ".." in path.parts or len(path.parts) < 2 or "\\" in entry.filename:
                    raise StichError(f"The archive has a path that leaves its folder: {entry.filename[:100]!r}.")
            if not replace:
                require_empty(folder)
            for entry in entries:
                target = folder.joinpath(*PurePosixPath(entry.filename).parts[1:])
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(project.read(entry))
    except OSError as error:
        raise StichError(
            f"The project cannot be written to {folder} ({error.strerror}); name another: --out DIR."
        ) from None
    except zipfile.BadZipFile:
        raise StichError("The service sent a damaged archive; try `stich build --resume` again.") from None
    return folder


def slug(title: str) -> str:
    """A folder name made of the title's letters and digits."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60].strip("-") or "project"


def free_folder(name: str) -> Path:
    """`name`, or with the first number at its end that is free."""
    number = 1
    while (folder := Path(name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return folder
