"""The files of a session over HTTP: the list, one file's text, and everything as a zip."""

import hashlib
import re
import unicodedata
from collections.abc import AsyncIterator, Sequence
from typing import Final

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.access import session_of
from api.bodies import read_query
from api.endpoints import ANSWER_SECONDS, Answer, Endpoint, JsonResponse, within
from api.problems import DATABASE_AWAY, NO_FILE, NO_SESSION, TOO_SLOW, Refusal
from api.services import services_of
from api.zips import Entry, zipped
from schemas.http import FileInfo, FileList
from schemas.session import FileRef
from storage.blobs import Blobs
from storage.files import FileMissing

# A browser may keep a copy, but asks each time whether it still holds.
REVALIDATE: Final = "private, no-cache"


class FileQuery(BaseModel):
    """Query of `GET /api/sessions/{id}/files/{path}`."""

    version: int | None = Field(
        default=None, ge=1, le=2**31 - 1, description="The file as it stood at this version; without it, as it stands."
    )


async def list_files(request: Request) -> Response:
    session = await session_of(request, "view")
    entries = await services_of(request).files.current(session.id)
    infos = [FileInfo(path=e.path, sha256=e.sha256, size=e.size, version=e.version) for e in entries]
    return JsonResponse(FileList(files=infos))


async def read_file(request: Request) -> Response:
    session = await session_of(request, "view")
    path: str = request.path_params["path"]
    version = read_query(request, FileQuery).version
    try:
        if "\0" in path:
            raise FileMissing(path)
        content = (await services_of(request).files.read(session.id, path, version)).encode()
    except FileMissing:
        at = f" at version {version}" if version is not None else ""
        raise Refusal(NO_FILE, f"The session has no file “{path[:200]}”{at}.") from None
    etag = f'"{hashlib.sha256(content).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": REVALIDATE}
    if _is_known(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    # Always plain text: the browser must never run what a model wrote on this origin.
    return Response(content, headers=headers, media_type="text/plain; charset=utf-8")


def _is_known(if_none_match: str, etag: str) -> bool:
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in known or "*" in known


async def read_screenshot(request: Request) -> Response:
    session = await session_of(request, "view")
    services, sha256 = services_of(request), request.path_params["sha256"]
    if sha256 not in {shot.sha256 for shot in await services.screenshots.list(session.id)}:
        raise Refusal(NO_FILE, "The session has no such screenshot.")
    # The address names the content: it never changes.
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    return Response(await services.blobs.get(sha256), headers=headers, media_type="image/png")


async def export(request: Request) -> Response:
    session = await within(ANSWER_SECONDS, session_of(request, "view"))
    services = services_of(request)
    entries = await within(ANSWER_SECONDS, services.files.current(session.id))
    if not entries:
        raise Refusal(NO_FILE, "The session has no files yet.", next_action="Wait until the first file is written.")
    folder = folder_name(session.record.title if session.record else "", session.id)
    return StreamingResponse(
        zipped(_project(entries, services.blobs, folder), session.record.created_at if session.record else None),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{folder}.zip"'},
    )


def folder_name(title: str, fallback: str) -> str:
    """A title as the name of a folder: lower-case letters, digits and dashes, at most 60."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:60].strip("-") or re.sub(r"[^A-Za-z0-9-]+", "-", fallback)


async def _project(entries: Sequence[FileRef], blobs: Blobs, folder: str) -> AsyncIterator[Entry]:
    """Contents go by their hash: a change meanwhile does not mix in."""
    for entry in entries:
        yield f"{folder}/{entry.path}", await within(ANSWER_SECONDS, blobs.get(entry.sha256))


EXAMPLE_FILES: Final = FileList(
    files=[FileInfo(path="src/App.tsx", sha256=hashlib.sha256(b"example").hexdigest(), size=2_113, version=4)]
)

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/files",
        handler=list_files,
        name="list_files",
        guests=True,
        summary="The files of the project as it stands",
        answer=Answer(description="Every file, in order of path.", schema=FileList, example=EXAMPLE_FILES),
        problems=(NO_SESSION, DATABASE_AWAY, TOO_SLOW),
    ),
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/files/{path:path}",
        handler=read_file,
        name="read_file",
        guests=True,
        summary="The text of a file, as it stands or as it stood at a version",
        query=FileQuery,
        answer=Answer(
            description="The text. The ETag is the SHA-256 of the content.",
            media_type="text/plain",
            schema=str,
            example="export default function App() {\n  return <h1>Hello</h1>;\n}\n",
            headers=(("ETag", "SHA-256 of the content, in quotes."),),
        ),
        problems=(NO_SESSION, NO_FILE, DATABASE_AWAY, TOO_SLOW),
    ),
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/screenshots/{sha256}.png",
        handler=read_screenshot,
        name="read_screenshot",
        guests=True,
        summary="A picture of the application, as its phase names it",
        answer=Answer(description="The image.", media_type="image/png", schema=bytes),
        problems=(NO_SESSION, NO_FILE, DATABASE_AWAY, TOO_SLOW),
    ),
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/export.zip",
        handler=export,
        name="export_session",
        guests=True,
        summary="The project as a zip, in a folder named after its title",
        answer=Answer(description="The archive, streamed.", media_type="application/zip", schema=bytes),
        problems=(NO_SESSION, NO_FILE, DATABASE_AWAY, TOO_SLOW),
        seconds=None,
    ),
)
