"""`stich export`: a session's project, or its recording."""

import argparse
import asyncio
import os
from pathlib import Path

from stich.client import StichHttpError, StichUnreachable
from stich.environment import checked_settings
from stich.errors import StichError
from stich.projects import require_empty, write_project
from stich.service import find


def run(arguments: argparse.Namespace) -> int:
    address = find(checked_settings(os.environ))
    if arguments.recording is not None and arguments.recording.exists():
        raise StichError(f"{arguments.recording} is there already; name another file.")
    if arguments.recording is None and arguments.out is not None:
        require_empty(arguments.out)

    async def fetch() -> tuple[bytes, str]:
        async with address.client() as client:
            if arguments.recording is not None:
                return await client.recording(arguments.session), ""
            title = (await client.snapshot(arguments.session)).progress.title
            return await client.export(arguments.session), title

    try:
        archive, title = asyncio.run(fetch())
    except (StichHttpError, StichUnreachable) as error:
        raise StichError(str(error)) from None
    if arguments.recording is None:
        print(write_project(archive, arguments.out, title))
        return 0
    write(arguments.recording, archive)
    print(arguments.recording)
    return 0


def write(path: Path, content: bytes) -> None:
    """The file as a whole, or StichError: half a recording would look like one."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise StichError(f"{path} cannot be written ({error.strerror}).") from None
