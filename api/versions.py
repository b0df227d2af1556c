"""The history of a session over HTTP: its versions, what differs between two, going back to one, going on from one."""

import asyncio
from typing import Final

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api.access import session_of
from api.auth import principal_of
from api.bodies import read_headers, read_query
from api.diffs import MAX_BYTES, unified
from api.endpoints import ANSWER_SECONDS, Answer, Endpoint, JsonResponse, body_of, within
from api.examples import EXAMPLE_ID, EXAMPLE_STATE, EXAMPLE_TIME
from api.images import as_ref
from api.problems import (
    DATABASE_AWAY,
    KEY_REUSED,
    NO_FILE,
    NO_SESSION,
    NO_VERSION,
    NO_WORKER,
    NOT_NOW,
    SESSION_ENDED,
    TEMPORAL_AWAY,
    TOO_SLOW,
    Refusal,
)
from api.services import Services, services_of
from api.session_workflows import CARRY_OUT_SECONDS
from api.sessions import CreateHeaders, start_session
from schemas.http import FileInfo, FileList, ForkSession, SessionCreated
from schemas.session import WORKING_STATES, ForkOrigin, SessionRequest, StateInfo
from schemas.versions import (
    FileChange,
    FileDiff,
    ProjectDiff,
    ProjectVersion,
    Restored,
    RestoreProject,
    VersionList,
)
from storage.file_rows import FileMissing
from storage.images import PROMPT
from storage.versions import Difference

MAX_DIFF: Final = 2_000_000
"""Characters of all diffs of one answer; files beyond it come without their diff."""


class VersionsQuery(BaseModel):
    """Query of `GET /api/sessions/{id}/versions`."""

    before: int | None = Field(
        default=None, ge=1, le=2**31 - 1, description="The `next` of the page before; without it, the newest versions."
    )
    limit: int = Field(default=50, ge=1, le=200, description="How many versions at most.")
    path: str | None = Field(default=None, max_length=500, description="Only versions that changed this file.")


class DiffQuery(BaseModel):
    """Query of `GET /api/sessions/{id}/diff`."""

    from_version: int = Field(ge=0, le=2**31 - 1, description="The version before; 0 is the empty project.")
    to_version: int | None = Field(
        default=None, ge=0, le=2**31 - 1, description="The version after; without it, the project as it stands."
    )
    path: str | None = Field(default=None, max_length=500, description="Only this file.")


async def list_versions(request: Request) -> Response:
    session = await session_of(request, "view")
    query = read_query(request, VersionsQuery)
    found = await services_of(request).versions.history(
        session.id, limit=query.limit + 1, before=query.before, path=query.path
    )
    page = found[: query.limit]
    working = session.record is None or session.record.state in WORKING_STATES
    if page and query.before is None and query.path is None and working:
        page[0].growing = page[0].author in ("model", "fix", "template")
    return JsonResponse(VersionList(versions=page, next=page[-1].version if len(found) > len(page) else None))


async def list_version_files(request: Request) -> Response:
    session, services = await session_of(request, "view"), services_of(request)
    version = await _version_of(services, session.id, request.path_params["version"])
    entries = await services.files.manifest(session.id, version)
    infos = [FileInfo(path=e.path, sha256=e.sha256, size=e.size, version=e.version, author=e.author) for e in entries]
    return JsonResponse(FileList(files=infos))


async def _version_of(services: Services, session_id: str, text: str) -> int:
    last = await services.versions.last(session_id)
    if not (text.isascii() and text.isdecimal()) or len(text) > 10 or not 0 < int(text) <= last:
        raise Refusal(NO_VERSION, f"The session has no version {text[:20]}; the last one is {last}.")
    return int(text)


async def diff(request: Request) -> Response:
    session, services = await session_of(request, "view"), services_of(request)
    query = read_query(request, DiffQuery)
    after = await services.versions.last(session.id) if query.to_version is None else query.to_version
    try:
        found = await services.versions.differences(session.id, query.from_version, after, query.path)
    except FileMissing as missing:
        raise Refusal(NO_VERSION, f"The session has no {missing}.") from None
    files, left = [], MAX_DIFF
    for difference in found:
        shown = await _compared(services, difference) if left > 0 else _only_named(difference)
        left -= len(shown.diff or "")
        files.append(shown)
    return JsonResponse(ProjectDiff(from_version=query.from_version, to_version=after, files=files))


async def _compared(services: Services, difference: Difference) -> FileDiff:
    shown = _only_named(difference)
    if sum(difference.sizes) > MAX_BYTES:
        return shown
    before = None if difference.before is None else (await services.blobs.get(difference.before)).decode()
    after = None if difference.after is None else (await services.blobs.get(difference.after)).decode()
    found = await asyncio.to_thread(unified, difference.path, before, after)
    if found is None:
        return shown
    return shown.model_copy(update={"diff": found.text, "added_lines": found.added, "removed_lines": found.removed})


def _only_named(difference: Difference) -> FileDiff:
    if difference.before is None:
        return FileDiff(path=difference.path, status="added")
    return FileDiff(path=difference.path, status="deleted" if difference.after is None else "changed")


async def restore(request: Request) -> Response:
    session, services = await within(ANSWER_SECONDS, session_of(request, "edit")), services_of(request)
    body = body_of(request, RestoreProject).model_copy(update={"user_id": principal_of(request).user_id})
    await within(ANSWER_SECONDS, _version_of(services, session.id, str(body.version)))
    if body.path is not None:
        then = await within(ANSWER_SECONDS, services.files.manifest(session.id, body.version))
        now = await within(ANSWER_SECONDS, services.files.current(session.id))
        if body.path not in {file.path for file in (*then, *now)}:
            raise Refusal(NO_FILE, f"There is no file “{body.path[:200]}”, neither now nor at version {body.version}.")
    return JsonResponse(await services.workflows.restore(session.id, body))


async def check(request: Request) -> Response:
    session = await within(ANSWER_SECONDS, session_of(request, "edit"))
    return JsonResponse(await services_of(request).workflows.check(session.id))


async def fork(request: Request) -> Response:
    session, services = await session_of(request, "own"), services_of(request)
    if session.record is None:
        raise Refusal(NOT_NOW, "The session has just begun: there is nothing to go on from yet.")
    version = await _version_of(services, session.id, str(body_of(request, ForkSession).version))
    begun = session.record.request or SessionRequest(prompt=session.record.prompt, mode=session.record.mode)
    images = [as_ref(image) for image in await services.images.of_messages(session.id, [PROMPT])]
    own: dict[str, object] = {
        "template": session.record.template,  # by now it is chosen
        "user_id": principal_of(request).user_id,
        "images": images,
        "fork": ForkOrigin(session_id=session.id, version=version),
        "keep_open": True,
        "carried": None,
    }
    wanted = begun.model_copy(update=own)  # everything else is asked for as it was
    return await start_session(services, wanted, read_headers(request, CreateHeaders).idempotency_key)


EXAMPLE_VERSION: Final = ProjectVersion(
    version=23,
    first=15,
    parent=14,
    author="model",
    reason="Board with columns",
    phase_id="phase-1",
    operation_id="phase-1/implement",
    created_at=EXAMPLE_TIME,
    finished_at=EXAMPLE_TIME,
    changes=[FileChange(path="src/App.tsx", status="changed")],
)
READING: Final = (NO_SESSION, DATABASE_AWAY, TOO_SLOW)
STEERING: Final = (NO_SESSION, NOT_NOW, SESSION_ENDED, NO_WORKER, DATABASE_AWAY, TEMPORAL_AWAY, TOO_SLOW)

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/versions",
        handler=list_versions,
        name="list_versions",
        guests=True,
        summary="The history of the project: every phase, repair, edit and restore, newest first",
        query=VersionsQuery,
        answer=Answer(
            description="A page of versions.", schema=VersionList, example=VersionList(versions=[EXAMPLE_VERSION])
        ),
        problems=READING,
    ),
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/versions/{version}/files",
        handler=list_version_files,
        name="list_version_files",
        guests=True,
        summary="The files of the project at a version; read one with `?version=`",
        answer=Answer(
            description="Every file, in order of path.",
            schema=FileList,
            example=FileList(files=[FileInfo(path="src/App.tsx", sha256="1" * 64, size=2_113, version=4)]),
        ),
        problems=(NO_VERSION, *READING),
    ),
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/diff",
        handler=diff,
        name="diff_versions",
        guests=True,
        summary="What differs between two versions, as unified diffs",
        query=DiffQuery,
        answer=Answer(
            description="Files that differ.",
            schema=ProjectDiff,
            example=ProjectDiff(
                from_version=14,
                to_version=23,
                files=[
                    FileDiff(
                        path="src/App.tsx",
                        status="changed",
                        added_lines=1,
                        removed_lines=1,
                        diff="--- a/src/App.tsx\n+++ b/src/App.tsx\n@@ -1 +1 @@\n-old\n+new\n",
                    )
                ],
            ),
        ),
        problems=(NO_VERSION, *READING),
    ),
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/restore",
        handler=restore,
        name="restore_version",
        summary="Make the project, or one file, what it was at a version; a session at work has to be stopped first",
        body=RestoreProject,
        body_example=RestoreProject(version=14),
        answer=Answer(
            description="The new version; none when nothing was different.",
            schema=Restored,
            example=Restored(version=26, files=["src/App.tsx"]),
        ),
        problems=(NO_VERSION, NO_FILE, *STEERING),
        seconds=3 * ANSWER_SECONDS + CARRY_OUT_SECONDS,
    ),
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/forks",
        handler=fork,
        name="fork_session",
        summary="Start a session that goes on from a version of this one",
        headers=CreateHeaders,
        body=ForkSession,
        body_example=ForkSession(version=14),
        answer=Answer(
            status=201,
            description="The new session has started, now or by an earlier request with the same Idempotency-Key.",
            schema=SessionCreated,
            example=SessionCreated(id=EXAMPLE_ID, url=f"http://127.0.0.1:8300/s/{EXAMPLE_ID}"),
            headers=(("Location", "Address of the session."),),
        ),
        problems=(NO_VERSION, NOT_NOW, KEY_REUSED, NO_SESSION, DATABASE_AWAY, TEMPORAL_AWAY, TOO_SLOW),
    ),
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/check",
        handler=check,
        name="check_session",
        summary="Check the project of a session at rest, after edits for instance; no model is called",
        answer=Answer(description="The check begins.", schema=StateInfo, example=EXAMPLE_STATE),
        problems=STEERING,
        seconds=ANSWER_SECONDS + CARRY_OUT_SECONDS,
    ),
)
