"""Every session as a git repository over HTTP: clone, fetch, and push back as an edit of the user.

The smart protocol of https://git-scm.com/docs/gitprotocol-http, spoken by dulwich. The repository is built in memory
for each request from what Postgres has, so that any API process can answer any request.
"""

import asyncio
import io
import zlib
from collections.abc import Callable, Coroutine
from typing import Any, Final, Literal, cast

from dulwich.errors import GitProtocolError
from dulwich.objects import ObjectID
from dulwich.protocol import ReceivableProtocol
from dulwich.refs import Ref
from dulwich.server import BackendRepo, DictBackend, Handler, ReceivePackHandler, UploadPackHandler
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api.access import Session, session_of
from api.auth import principal_of
from api.bodies import read_bytes, read_query
from api.edits import is_protected
from api.endpoints import Answer, Endpoint
from api.git_objects import BRANCH, BadPush, History
from api.problems import DATABASE_AWAY, INVALID, NO_SESSION, NOT_ALLOWED, TEMPORAL_AWAY, TOO_LARGE, TOO_SLOW, Refusal
from api.services import Services, services_of
from schemas.versions import ProjectVersion
from storage.file_rows import BadPath, FileTooLarge, FileVersion, TooManyFiles
from storage.git import Outdated

MAX_PACK: Final = 64 * 1024 * 1024
SECONDS: Final = 60.0
UPLOAD_SECONDS: Final = 50.0
PAGE: Final = 200
REPOSITORY: Final = "/"

Service = Literal["git-upload-pack", "git-receive-pack"]


class RefsQuery(BaseModel):
    """Query of `GET /git/{session_id}.git/info/refs`."""

    service: Service = Field(description="What the refs are asked for.")


async def refs(request: Request) -> Response:
    service = read_query(request, RefsQuery).service
    session = await session_of(request, "view" if service == "git-upload-pack" else "edit")
    history = await history_of(services_of(request), session.id)
    out = io.BytesIO()
    protocol = ReceivableProtocol(io.BytesIO().read, out.write)
    protocol.write_pkt_line(f"# service={service}\n".encode())
    protocol.write_pkt_line(None)
    handler = UploadPackHandler if service == "git-upload-pack" else ReceivePackHandler
    await asyncio.to_thread(
        handler(_backend(history), [REPOSITORY], protocol, stateless_rpc=True, advertise_refs=True).handle
    )
    return _answer(f"{service}-advertisement", out)


async def fetch(request: Request) -> Response:
    session = await session_of(request, "view")
    body = await _body(request)
    history = await history_of(services_of(request), session.id)
    out = io.BytesIO()
    await _run(UploadPackHandler(_backend(history), [REPOSITORY], _protocol(body, out), stateless_rpc=True))
    return _answer("git-upload-pack-result", out)


async def push(request: Request) -> Response:
    session = await session_of(request, "edit")
    body = await _body(request)
    services, user_id = services_of(request), principal_of(request).user_id
    history = await history_of(services, session.id)
    out = io.BytesIO()

    async def accept(head: ObjectID) -> None:
        await _accept(services, session, history, head, user_id)

    await _run(_Receiver(history, _protocol(body, out), accept))
    return _answer("git-receive-pack-result", out)


async def _body(request: Request) -> bytes:
    """What git sent, unpacked: it compresses what is long."""
    body = await read_bytes(request, MAX_PACK, UPLOAD_SECONDS)
    if request.headers.get("content-encoding", "").lower() != "gzip":
        return body
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        unpacked = unpacker.decompress(body, MAX_PACK)
    except zlib.error:
        raise Refusal(INVALID, "The body is not what its Content-Encoding says.") from None
    if unpacker.unconsumed_tail:
        raise Refusal(TOO_LARGE, f"A request of git may have at most {MAX_PACK // 1024**2} MB.")
    return unpacked


async def history_of(services: Services, session_id: str) -> History:
    """The session's repository, with commits for all versions that have none yet."""
    while True:
        known = await services.git.commits(session_id)
        files = await services.files.versions(session_id)
        history = History(files, await services.git.contents(session_id))
        for commit in known:
            history.known(commit)
        last = known[-1].version if known else 0
        versions = await _versions_after(services, session_id, last)
        new = [history.continue_with(version) for version in versions if version.version <= _last(files)]
        if not new or await services.git.add(session_id, len(known), new):
            return history


def _last(files: list[FileVersion]) -> int:
    return max((file.version for file in files), default=0)


async def _versions_after(services: Services, session_id: str, last: int) -> list[ProjectVersion]:
    """Versions above number `last`, oldest first."""
    found: list[ProjectVersion] = []
    before: int | None = None
    while True:
        page = await services.versions.history(session_id, limit=PAGE, before=before)
        found += [version for version in page if version.version > last]
        if len(page) < PAGE or page[-1].version <= last:
            return found[::-1]
        before = page[-1].version


async def _accept(services: Services, session: Session, history: History, head: ObjectID, user_id: str) -> None:
    """Carry out a push. Raises BadPush with what the person who pushes is told."""
    pushed = history.pushed(head)
    for commit in pushed:
        for path in commit.changes:
            if is_protected(services, session, path):
                raise BadPush(f"{path} belongs to the template and cannot be changed by hand")
    try:
        first = await services.git.push(session.id, len(history.commits), pushed, user_id)
    except Outdated:
        raise BadPush("the session has gone on meanwhile; fetch and rebase first") from None
    except (BadPath, FileTooLarge, TooManyFiles) as error:
        raise BadPush(str(error)[:300]) from None
    if first is not None:
        await services.workflows.files_edited(session.id, first)


class _Receiver(ReceivePackHandler):
    """Takes a push to main when the session takes it; any other ref is refused."""

    def __init__(
        self,
        history: History,
        protocol: ReceivableProtocol,
        accept: Callable[[ObjectID], Coroutine[Any, Any, None]],
    ) -> None:
        super().__init__(_backend(history), [REPOSITORY], protocol, stateless_rpc=True)
        self._accept = accept
        self._loop = asyncio.get_running_loop()

    def _on_update(self, ref_name: Ref, old_sha: ObjectID, new_sha: ObjectID) -> bytes | None:
        if ref_name != BRANCH or set(new_sha) == {ord("0")}:
            return b"only main can be pushed to, and it cannot be deleted"
        if old_sha != self.repo.refs.as_dict().get(BRANCH):
            return b"fetch first"
        try:
            asyncio.run_coroutine_threadsafe(self._accept(new_sha), self._loop).result()
        except BadPush as error:
            return str(error).encode()
        return None


async def _run(handler: Handler) -> None:
    """Let a handler speak; what it cannot read is the client's fault."""
    try:
        await asyncio.to_thread(handler.handle)
    except (ValueError, KeyError, AssertionError, OSError, GitProtocolError):
        raise Refusal(INVALID, "The request does not follow git's protocol.") from None


def _backend(history: History) -> DictBackend:
    # A repository in memory has all that a backend needs; dulwich's protocol for it asks for the types of a disk's.
    return DictBackend({REPOSITORY: cast(BackendRepo, history.repository)})


def _protocol(body: bytes, out: io.BytesIO) -> ReceivableProtocol:
    return ReceivableProtocol(io.BytesIO(body).read, out.write)


def _answer(kind: str, out: io.BytesIO) -> Response:
    return Response(out.getvalue(), media_type=f"application/x-{kind}", headers={"Cache-Control": "no-cache"})


COMMON: Final = (NO_SESSION, TOO_SLOW, DATABASE_AWAY, TEMPORAL_AWAY)
ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/git/{session_id}.git/info/refs",
        handler=refs,
        name="git_refs",
        summary="What `git clone` and `git push` ask first. User name: any; password: the token or an API key",
        answer=Answer(description="The branch", media_type="application/x-git-upload-pack-advertisement", schema=str),
        query=RefsQuery,
        problems=(*COMMON, NOT_ALLOWED),
        seconds=SECONDS,
    ),
    Endpoint(
        method="POST",
        path="/git/{session_id}.git/git-upload-pack",
        handler=fetch,
        name="git_fetch",
        summary="The objects that `git clone` and `git fetch` lack",
        answer=Answer(description="A pack", media_type="application/x-git-upload-pack-result", schema=str),
        upload=("application/x-git-upload-pack-request",),
        scope="read",
        problems=(*COMMON, INVALID, TOO_LARGE),
        seconds=SECONDS,
    ),
    Endpoint(
        method="POST",
        path="/git/{session_id}.git/git-receive-pack",
        handler=push,
        name="git_push",
        summary="Take a `git push` to main as an edit of the user: all of its commits or none",
        answer=Answer(description="What became of it", media_type="application/x-git-receive-pack-result", schema=str),
        upload=("application/x-git-receive-pack-request",),
        problems=(*COMMON, NOT_ALLOWED, INVALID, TOO_LARGE),
        seconds=SECONDS,
    ),
)
