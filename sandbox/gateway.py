"""Serves all previews on an origin of their own: `http://<name>.preview.localhost:PORT`.

Run by the worker process. The host name tells the session; its development server is started on demand, from stored
files where this machine does not have the session's workspace (any more), or asked at the host that has it. HTTP and
hot reload go through; cookies do not, because neighbouring previews could set them for each other. Published sites are
served below `site.localhost` in the same way.
"""

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from urllib.parse import parse_qs, unquote

import structlog

from sandbox import front, grants, inspector, pages
from sandbox.access import Access, Revision
from sandbox.addresses import LOCAL_SUFFIX, preview_name, session_of
from sandbox.callers import Caller, Callers
from sandbox.errors import PreviewFailed, SandboxError
from sandbox.http1 import Request
from sandbox.places import Claim, Places
from sandbox.preview import DevServer, ServerState
from sandbox.routes import Reply, Route
from sandbox.sandbox import Sandbox
from sandbox.sites import Published, Sites
from sandbox.upstream import UNREACHABLE, Upstream

log = structlog.get_logger(__name__)

_COOKIE, _PLAIN_COOKIE = "__Host-stich", "stich_preview"
_LOCAL_PATH: Final = re.compile(r"/(?![/\\])[\x21-\x7e]*")
_PAGE_PATIENCE: Final = 2.5
_PATIENCE: Final = 30.0
_ELSEWHERE_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Stored:
    """A session's project as stored: what `Sandbox.workspace` needs to make its workspace again."""

    template: str
    files: Mapping[str, str | None]
    dependencies: Sequence[str] = field(default_factory=tuple)


Restore = Callable[[str], Awaitable[Stored | None]]


class PreviewGateway:
    """Answers requests for previews and sites; see `serving`.

    `restore` gives the stored project of a session, None where there is no such session any more or nobody may see it.
    Without `revision`, whoever knows a preview's address may see it. With it, a browser must come in through an
    `entrance` first: `revision` tells the session's present number for a viewer, and a grant made for another one is
    void; None lets nobody in. The answer is remembered for a few seconds; what lasts longer is asked again.
    `places` tells which host has a session, where there are several.
    `frame_ancestors` are the origins that may show previews in a frame, `suffix` and `site_suffix` the domains below
    which previews and published sites lie. Previews are also found below LOCAL_SUFFIX, where the browser of the checks
    looks at them. `secure` says that previews are reached by https, or at names of this machine.
    `session_page` is where people with a right to see a session are given a way in.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        secret: bytes,
        restore: Restore,
        *,
        revision: Revision | None = None,
        published: Published | None = None,
        places: Places | None = None,
        frame_ancestors: Sequence[str] = (),
        suffix: str = "preview.localhost",
        site_suffix: str = "site.localhost",
        session_page: Callable[[str], str | None] = lambda _: None,
        secure: bool = True,
    ) -> None:
        self._sandbox = sandbox
        self._secret = secret
        self._restore = restore
        self._access = Access(revision) if revision is not None else None
        self._places = places
        self._suffix = "." + suffix
        suffixes = tuple({self._suffix, "." + LOCAL_SUFFIX})
        self._site_suffix = "." + site_suffix
        self._session_page = session_page
        self._cookie = _COOKIE if secure else _PLAIN_COOKIE
        # Browsers take Secure cookies from *.localhost without TLS; Partitioned lets a frame on another site keep it.
        self._cookie_flags = "Secure; HttpOnly; SameSite=None; Partitioned" if secure else "HttpOnly; SameSite=Lax"
        self._sites = Sites(published) if published is not None else None
        self._opening: dict[str, asyncio.Task[DevServer | None]] = {}
        self._upstreams: dict[str, Upstream] = {}
        self._elsewhere: dict[str, tuple[float, Upstream]] = {}
        self._callers = Callers(secret, suffixes, self._access, self._cookie)
        self._inspector = inspector.script(frame_ancestors)
        ancestors = " ".join(("'self'", *frame_ancestors))
        self._added = (
            f"content-security-policy: frame-ancestors {ancestors}\r\n"
            "x-content-type-options: nosniff\r\nreferrer-policy: same-origin\r\norigin-agent-cluster: ?1\r\n"
        ).encode()

    def host(self, session_id: str) -> str:
        """The host name of a session's preview, without the port. Raises ValueError for ids no host name can hold."""
        return preview_name(self._secret, session_id) + self._suffix

    def local_host(self, session_id: str) -> str:
        """A host name of the preview that leads to this machine, whatever the configured domain is."""
        return f"{preview_name(self._secret, session_id)}.{LOCAL_SUFFIX}"

    def entrance(self, session_id: str, revision: int, seconds: float, to: str = "/") -> str:
        """Path and query of the link that lets a browser see the preview for so many seconds."""
        return grants.entrance(self._secret, grants.Grant(session_id, int(time.time() + seconds), revision), to)

    def site_host(self, session_id: str) -> str:
        """The host name of a session's published site, without the port. Raises ValueError like `host`."""
        return preview_name(self._secret, session_id, "site") + self._site_suffix

    @contextlib.asynccontextmanager
    async def serving(self, listener: socket.socket) -> AsyncIterator[asyncio.Task[None]]:
        """Serve on a listening socket until the block is left. The task ends early only when serving failed."""
        try:
            async with front.serving(self, listener) as task:
                yield task
        finally:
            for upstream in self._upstreams.values():
                upstream.close()

    def route(self, request: Request) -> Route | None:
        """Where a request goes that needs nothing looked up: its server runs, and its grant was seen lately."""
        caller = self._callers.read(request.fields)
        session_id = caller.session_id
        if session_id is None or caller.worker or request.path.startswith(b"/__stich/") or request.upgrades:
            return None
        if self._access is not None:
            permission = caller.permission
            if permission is None or not self._access.known(session_id, permission.grant):
                return None
        if (elsewhere := self._elsewhere.get(session_id)) is not None and elsewhere[0] > time.monotonic():
            return self._away(request, caller, elsewhere[1])
        server = self._sandbox.previews.find(session_id)
        return self._here(caller, server) if server is not None and server.state is ServerState.READY else None

    async def answer(self, request: Request) -> Route | Reply:
        """Where any other request goes, or the answer to it."""
        caller = self._callers.read(request.fields)
        if caller.session_id is None:
            if caller.host.endswith(self._site_suffix):
                return await self._site(caller, request)
            return self._page(404, pages.unknown())
        if request.path == grants.ENTRANCE.encode():
            return await self._enter(caller.session_id, request)
        # A service worker would outlive what it was written for, and see the ways in that come later.
        if caller.worker:
            return Reply(403, b"cache-control: no-store\r\n")
        # Browsers do not apply the same-origin rule to WebSockets: foreign pages are refused here.
        foreign = request.upgrades and _origin(request) != request.fields.get(b"host").lower()
        if foreign or not await self._allowed(caller):
            return self._page(403, pages.not_allowed(self._session_page(caller.session_id)))
        if request.path == inspector.PATH.encode():
            return _script(self._inspector, self._added)
        return await self._preview(caller, caller.session_id, request)

    async def _allowed(self, caller: Caller) -> bool:
        return self._access is None or (caller.permission is not None and await caller.permission.holds())

    async def _preview(self, caller: Caller, session_id: str, request: Request) -> Route | Reply:
        patience = _PAGE_PATIENCE if caller.navigation else _PATIENCE
        try:
            claim = await self._claim(session_id, caller)
            if claim.address is not None:
                upstream = self._upstream(claim.address)
                self._elsewhere[session_id] = (time.monotonic() + _ELSEWHERE_SECONDS, upstream)
                return self._away(request, caller, upstream)
            self._elsewhere.pop(session_id, None)
            server = await asyncio.wait_for(self._open(session_id, claim.anew), patience)
            if server is None:
                return self._page(404, pages.unknown())
            await server.ready(patience)
        except TimeoutError:
            return self._page(503, pages.starting())
        except SandboxError as error:
            known = self._sandbox.previews.find(session_id)
            if known is not None and known.state is ServerState.STARTING:
                return self._page(503, pages.starting())
            return self._page(502, pages.failed(str(error), known.log.lines() if known else []))
        return self._here(caller, server)

    async def _claim(self, session_id: str, caller: Caller) -> Claim:
        """Which host the preview is at; a request that another host sent here is answered here."""
        if self._places is None or caller.relayed:
            return Claim(None, anew=False)
        try:
            return await self._places.claim(session_id)
        except Exception as error:  # whatever the store's trouble is, the page tells that there is one
            raise PreviewFailed("The project could not be read.") from error

    def _here(self, caller: Caller, server: DevServer) -> Route:
        known, address = caller.route, server.address
        if known is not None and known.held is server and known.upstream.address == address:
            return known
        upstream, failed = self._upstream(address), partial(self._failed, server)
        caller.route = Route(upstream, caller.up, self._added, failed, server, caller.permission, caller.framed)
        return caller.route

    def _away(self, request: Request, caller: Caller, upstream: Upstream) -> Route:
        """To the gateway of the host that has the session, which looks at the grant itself."""
        session_id = str(caller.session_id)
        up = self._callers.relayed(request.fields, session_id)
        failed = partial(self._gone, session_id, upstream.address, request)
        return Route(upstream, up, b"", failed, permission=caller.permission)

    def _failed(self, server: DevServer, reason: str) -> Reply:
        return self._page(502, pages.failed(reason.capitalize() + ".", server.log.lines()))

    def _gone(self, session_id: str, address: str, request: Request, reason: str) -> Reply:
        """The other host does not answer: asked again, the preview moves to a host that does."""
        self._elsewhere.pop(session_id, None)
        if self._places is not None and reason == UNREACHABLE:
            self._places.lost(address)
            return Reply(307, b"location: %b\r\ncache-control: no-store\r\n" % request.target)
        return self._page(502, pages.failed("The host of this preview does not answer.", []))

    async def _open(self, session_id: str, anew: bool) -> DevServer | None:
        """The session's server, started or starting; None where there is no such session."""
        server = self._sandbox.previews.find(session_id)
        if server is not None and not anew and server.state in (ServerState.READY, ServerState.STARTING):
            server.start()
            return server
        task = self._opening.get(session_id)
        if task is None:
            task = self._opening[session_id] = asyncio.create_task(self._begin(session_id, anew))
            task.add_done_callback(lambda _: self._opening.pop(session_id, None))
        return await asyncio.shield(task)

    async def _begin(self, session_id: str, anew: bool) -> DevServer | None:
        workspace = None if anew else self._sandbox.find(session_id)
        if workspace is None:
            try:
                stored = await self._restore(session_id)
            except Exception as error:
                raise PreviewFailed("The project could not be read.") from error
            if stored is None:
                return None
            workspace = await self._sandbox.workspace(session_id, stored.template, stored.files, stored.dependencies)
        return await workspace.begin_preview()

    def _upstream(self, address: str) -> Upstream:
        upstream = self._upstreams.get(address)
        if upstream is None:
            live = {kept.address for kept in self._sandbox.previews.running()}
            live |= {known.address for _, known in self._elsewhere.values()}
            for gone in [known for known in self._upstreams if known not in live]:
                self._upstreams.pop(gone).close()
            upstream = self._upstreams[address] = Upstream(address)
        return upstream

    async def _enter(self, session_id: str, request: Request) -> Reply:
        query = parse_qs(request.query.decode("latin-1"))
        text, to = query.get("grant", [""])[0], query.get("to", ["/"])[0]
        grant = grants.read(self._secret, text) if self._access is not None else None
        allowed = grant is not None and self._access is not None and await self._access.allows(session_id, grant)
        if grant is None or not allowed or not _LOCAL_PATH.fullmatch(to):
            return self._page(403, pages.not_allowed(self._session_page(session_id)))
        age = max(1, grant.until - int(time.time()))
        cookie = f"{self._cookie}={text}; Path=/; Max-Age={age}; {self._cookie_flags}"
        headers = f"location: {to}\r\nset-cookie: {cookie}\r\ncache-control: no-store\r\n"
        return Reply(303, headers.encode() + self._added)

    async def _site(self, caller: Caller, request: Request) -> Reply:
        session_id = session_of(self._secret, caller.host.removesuffix(self._site_suffix), "site")
        asset = None
        if session_id is not None and self._sites is not None and request.method in (b"GET", b"HEAD"):
            try:
                path = unquote(request.path.decode("latin-1"))
                asset = await self._sites.find(session_id, path, caller.navigation)
            except Exception:  # whatever the store's trouble is, the page tells that there is one
                log.exception("a published site could not be read", session=session_id)
                return self._page(503, pages.unavailable())
        if asset is None:
            return self._page(404, pages.unknown())
        caching = "public, max-age=31536000, immutable" if asset.lasting else "no-cache"
        headers = f"content-type: {asset.media_type}\r\ncache-control: {caching}\r\n"
        return Reply(200, headers.encode() + self._added, asset.content)

    def _page(self, status: int, body: bytes) -> Reply:
        headers = (
            "content-type: text/html; charset=utf-8\r\ncache-control: no-store\r\n"
            f"content-security-policy: default-src 'none'; style-src 'unsafe-inline'; script-src {pages.TELLING}\r\n"
        )
        return Reply(status, headers.encode() + self._added, body)


def _script(body: bytes, added: bytes) -> Reply:
    return Reply(200, b"content-type: text/javascript; charset=utf-8\r\ncache-control: no-cache\r\n" + added, body)


def _origin(request: Request) -> bytes:
    return request.fields.get(b"origin").partition(b"://")[2].lower()
