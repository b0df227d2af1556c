"""Users' changes of a session's files over HTTP: write, delete, rename, and choose between the sides of a conflict."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api.access import Session, session_of
from api.auth import principal_of
from api.bodies import read_query
from api.endpoints import Answer, Endpoint, JsonResponse, body_of
from api.examples import EXAMPLE_TIME
from api.problems import (
    BASE_UNKNOWN,
    DATABASE_AWAY,
    FILE_CHANGED,
    INVALID,
    NO_CONFLICT,
    NO_FILE,
    NO_SESSION,
    PATH_TAKEN,
    PROTECTED,
    TEMPORAL_AWAY,
    TOO_MANY,
    TOO_SLOW,
    Refusal,
)
from api.services import Services, services_of
from schemas.session import FileRef
from schemas.templates import matches
from schemas.versions import (
    ConflictList,
    ConflictTexts,
    EditResult,
    FileConflict,
    RenameFile,
    ResolveConflict,
    WriteFile,
)
from storage.edits import BaseUnknown, FileChanged, PathTaken
from storage.file_rows import MAX_FILE_BYTES, BadPath, FileMissing, FileTooLarge, TooManyFiles

TEXT_LIMIT: Final = 6 * MAX_FILE_BYTES + 64 * 1024
"""Bytes of a body with a file's text, each character escaped."""


class DeleteQuery(BaseModel):
    """Query of `DELETE /api/sessions/{id}/files/{path}`."""

    base_sha256: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{64}$",
        description="Hash of the text that the user saw: a file that has changed since stays.",
    )


async def write_file(request: Request) -> Response:
    session, path = await session_of(request, "edit"), request.path_params["path"]
    body = body_of(request, WriteFile)
    services = services_of(request)
    _require_editable(services, session, path)
    async with _refusing(path):
        result = await services.edits.write(
            session.id,
            path,
            body.content,
            base_sha256=body.base_sha256,
            user_id=principal_of(request).user_id,
            operation_id=_edit_id(),
        )
    if result.file is not None and result.outcome != "conflict":
        # An unchanged file is told as well: this may be the second try of an edit whose session was not reached.
        await services.workflows.files_edited(session.id, result.file.version)
    return JsonResponse(result)


async def delete_file(request: Request) -> Response:
    session, path = await session_of(request, "edit"), request.path_params["path"]
    query = read_query(request, DeleteQuery)
    services = services_of(request)
    _require_editable(services, session, path)
    async with _refusing(path):
        result = await services.edits.delete(
            session.id,
            path,
            base_sha256=query.base_sha256,
            user_id=principal_of(request).user_id,
            operation_id=_edit_id(),
        )
    await services.workflows.files_edited(session.id, await services.versions.last(session.id))
    return JsonResponse(result)


async def rename_file(request: Request) -> Response:
    session = await session_of(request, "edit")
    body = body_of(request, RenameFile)
    services = services_of(request)
    for path in (body.path, body.to):
        _require_editable(services, session, path)
    async with _refusing(body.path):
        result = await services.edits.rename(
            session.id,
            body.path,
            body.to,
            base_sha256=body.base_sha256,
            user_id=principal_of(request).user_id,
            operation_id=_edit_id(),
        )
    if result.file is not None:
        await services.workflows.files_edited(session.id, result.file.version - 1)
    return JsonResponse(result)


async def list_conflicts(request: Request) -> Response:
    session = await session_of(request, "view")
    return JsonResponse(ConflictList(conflicts=await services_of(request).conflicts.open(session.id)))


async def read_conflict(request: Request) -> Response:
    session, path = await session_of(request, "view"), request.path_params["path"]
    try:
        return JsonResponse(await services_of(request).conflicts.texts(session.id, path))
    except FileMissing:
        raise Refusal(NO_CONFLICT, f"No conflict waits at “{path[:200]}”.") from None


async def resolve_conflict(request: Request) -> Response:
    session, path = await session_of(request, "edit"), request.path_params["path"]
    services = services_of(request)
    async with _refusing(path):
        try:
            result = await services.edits.resolve(
                session.id,
                path,
                body_of(request, ResolveConflict),
                user_id=principal_of(request).user_id,
                operation_id=_edit_id(),
            )
        except FileMissing:
            raise Refusal(NO_CONFLICT, f"No conflict waits at “{path[:200]}”.") from None
    if result.outcome != "unchanged":
        await services.workflows.files_edited(session.id, await services.versions.last(session.id))
    return JsonResponse(result)


def _edit_id() -> str:
    return f"edit-{secrets.token_hex(10)}"


def is_protected(services: Services, session: Session, path: str) -> bool:
    """Whether a file belongs to the session's template, and cannot be changed by hand."""
    name = session.record.template if session.record else None
    templates = (template for template in services.settings.templates if template.name == name)
    return any(matches(path, template.protected_files) for template in templates)


def _require_editable(services: Services, session: Session, path: str) -> None:
    """Raises Refusal PROTECTED for files that the service needs as they are."""
    if is_protected(services, session, path):
        raise Refusal(PROTECTED, f"The file “{path[:200]}” belongs to the template and cannot be changed by hand.")


@asynccontextmanager
async def _refusing(path: str) -> AsyncIterator[None]:
    """Turns what storage refuses into problems."""
    shown = path[:200]
    try:
        yield
    except FileMissing:
        raise Refusal(NO_FILE, f"The session has no file “{shown}”.") from None
    except FileChanged:
        raise Refusal(FILE_CHANGED, f"The file “{shown}” is not what you saw any more.") from None
    except BaseUnknown:
        raise Refusal(BASE_UNKNOWN, f"The file “{shown}” never had the text that base_sha256 names.") from None
    except PathTaken as taken:
        raise Refusal(PATH_TAKEN, f"There is “{str(taken)[:200]}” already.") from None
    except BadPath:
        raise Refusal(INVALID, f"“{shown}” is no path inside the project.") from None
    except FileTooLarge:
        raise Refusal(INVALID, f"A file may have at most {MAX_FILE_BYTES // 1024**2} MB.") from None
    except TooManyFiles:
        raise Refusal(TOO_MANY, "The session has as many files as it may have.") from None


EXAMPLE_CONFLICT: Final = FileConflict(
    path="src/App.tsx", base_sha256="1" * 64, mine_sha256="2" * 64, version=23, user_id="local", since=EXAMPLE_TIME
)
EXAMPLE_RESULT: Final = EditResult(
    outcome="saved", file=FileRef(path="src/App.tsx", sha256="2" * 64, size=2_113, version=24, author="user")
)
EDITING: Final = (NO_SESSION, DATABASE_AWAY, TEMPORAL_AWAY, TOO_SLOW)

ENDPOINTS: Final = (
    Endpoint(
        method="PUT",
        path="/api/sessions/{session_id}/files/{path:path}",
        handler=write_file,
        name="write_file",
        summary="Write a file; what the session changed since the text that the edit began with is merged",
        body=WriteFile,
        body_limit=TEXT_LIMIT,
        body_example=WriteFile(content="export default 1;\n", base_sha256="1" * 64),
        answer=Answer(
            description="What became of the edit; a `conflict` is kept until one side is chosen.",
            schema=EditResult,
            example=EXAMPLE_RESULT,
        ),
        problems=(PROTECTED, BASE_UNKNOWN, PATH_TAKEN, TOO_MANY, *EDITING),
    ),
    Endpoint(
        method="DELETE",
        path="/api/sessions/{session_id}/files/{path:path}",
        handler=delete_file,
        name="delete_file",
        summary="Delete a file, as a new version",
        query=DeleteQuery,
        answer=Answer(description="The file is gone.", schema=EditResult, example=EditResult(outcome="deleted")),
        problems=(NO_FILE, FILE_CHANGED, PROTECTED, *EDITING),
    ),
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/rename",
        handler=rename_file,
        name="rename_file",
        summary="Give a file another path, as a new version",
        body=RenameFile,
        body_example=RenameFile(path="src/Old.tsx", to="src/New.tsx"),
        answer=Answer(description="The file under its new path.", schema=EditResult, example=EXAMPLE_RESULT),
        problems=(NO_FILE, FILE_CHANGED, PATH_TAKEN, PROTECTED, TOO_MANY, *EDITING),
    ),
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/conflicts",
        handler=list_conflicts,
        name="list_conflicts",
        guests=True,
        summary="Edits that could not be merged and wait for a choice",
        answer=Answer(
            description="In order of path.", schema=ConflictList, example=ConflictList(conflicts=[EXAMPLE_CONFLICT])
        ),
        problems=(NO_SESSION, DATABASE_AWAY, TOO_SLOW),
    ),
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/conflicts/{path:path}",
        handler=read_conflict,
        name="read_conflict",
        summary="Both sides of a conflict, and both in one text with markers",
        answer=Answer(
            description="`mine` is the user's text, `theirs` the one that stands in the project.",
            schema=ConflictTexts,
            example=ConflictTexts(
                conflict=EXAMPLE_CONFLICT,
                base="a\n",
                mine="b\n",
                theirs="c\n",
                marked="<<<<<<< your edit\nb\n=======\nc\n>>>>>>> the session\n",
            ),
        ),
        problems=(NO_SESSION, NO_CONFLICT, DATABASE_AWAY, TOO_SLOW),
    ),
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/conflicts/{path:path}",
        handler=resolve_conflict,
        name="resolve_conflict",
        summary="Choose one side of a conflict, or another text",
        body=ResolveConflict,
        body_limit=TEXT_LIMIT,
        body_example=ResolveConflict(choice="mine"),
        answer=Answer(description="The file as it stands now.", schema=EditResult, example=EXAMPLE_RESULT),
        problems=(NO_CONFLICT, PATH_TAKEN, TOO_MANY, *EDITING),
    ),
)
