"""Serves all previews on an origin of their own: `http://<name>.preview.localhost:PORT`.

An ASGI application run by the worker process. The host name tells the session; its development server is started on
demand, from stored files where this machine does not have the session's workspace (any more). HTTP and hot reload go
through; cookies do not, because neighbouring previews could set them for each other. Published sites are served below
`site.localhost` in the same way.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from urllib.parse import parse_qs

import structlog
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Origin, Subprotocol

from sandbox import grants, inspector, pages
from sandbox.addresses import LOCAL_SUFFIX, preview_name, session_of
from sandbox.errors import PreviewFailed, SandboxError
from sandbox.preview import DevServer, ServerState
from sandbox.sandbox import Sandbox
from sandbox.sites import Published, Sites
from sandbox.upstream import Answer, Headers, Upstream, UpstreamError

log = structlog.get_logger(__name__)

_COOKIE, _PLAIN_COOKIE = "__Host-stich", "stich_preview"
_LOCAL_PATH = re.compile(r"/(?![/\\])[\x21-\x7e]*")
_REVISION_SECONDS = 3.0
_MOST_REVISIONS = 10_000
_MOST_NAMES = 4_096
_PAGE_PATIENCE = 2.5
_PATIENCE = 30.0
_MOST_WEBSOCKET = 16 * 1024 * 1024
_HOP = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"),
        *(b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    }
)
_NOT_UP = _HOP | {b"cookie", b"authorization", b"expect"}
_NOT_DOWN = _HOP | {b"set-cookie", b"x-frame-options", b"server", b"strict-transport-security"}


@dataclass(frozen=True)
class Stored:
    """A session's project as stored: what `Sandbox.workspace` needs to make its workspace again."""

    template: str
    files: Mapping[str, str | None]
    dependencies: Sequence[str] = field(default_factory=tuple)


Restore = Callable[[str], Awaitable[Stored | None]]
Revision = Callable[[str, str], Awaitable[int | None]]


class PreviewGateway:
    """The ASGI application.

    `restore` gives the stored project of a session, None where there is no such session any more or nobody may see it.
    Without `revision`, whoever knows a preview's address may see it. With it, a browser must come in through an
    `entrance` first: `revision` tells the session's present number for a viewer, and a grant made for another one is
    void; None lets nobody in. The answer is remembered for a few seconds.
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
        frame_ancestors: Sequence[str] = (),
        suffix: str = "preview.localhost",
        site_suffix: str = "site.localhost",
        session_page: Callable[[str], str | None] = lambda _: None,
        secure: bool = True,
    ) -> None:
        self._sandbox = sandbox
        self._secret = secret
        self._restore = restore
        self._revision = revision
        self._revisions: dict[tuple[str, str], tuple[float, int | None]] = {}
        self._suffix = "." + suffix
        # Both are asked with every request.
        self._session_named = lru_cache(_MOST_NAMES)(partial(session_of, secret))
        self._grant_in = lru_cache(_MOST_NAMES)(partial(grants.read, secret))
        self._suffixes = tuple({self._suffix, "." + LOCAL_SUFFIX})
        self._site_suffix = "." + site_suffix
        self._session_page = session_page
        self._cookie = _COOKIE if secure else _PLAIN_COOKIE
        # Browsers take Secure cookies from *.localhost without TLS; Partitioned lets a frame on another site keep it.
        self._cookie_flags = "Secure; HttpOnly; SameSite=None; Partitioned" if secure else "HttpOnly; SameSite=Lax"
        self._sites = Sites(published) if published is not None else None
        self._opening: dict[str, asyncio.Task[DevServer | None]] = {}
        self._upstreams: dict[str, Upstream] = {}
        self._inspector = inspector.script(frame_ancestors)
        ancestors = " ".join(("'self'", *frame_ancestors))
        self._added: Headers = [
            (b"content-security-policy", f"frame-ancestors {ancestors}".encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),
            (b"origin-agent-cluster", b"?1"),
        ]

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                for upstream in self._upstreams.values():
                    upstream.close()
                return

    def _session(self, scope: Scope) -> str | None:
        host = _host(scope)
        name, dot, rest = host.partition(".")
        return self._session_named(name) if dot + rest in self._suffixes else None

    async def _allowed(self, scope: Scope, session_id: str, text: str | None = None) -> grants.Grant | None:
        """The valid grant of a request, from its cookie or the given text."""
        grant = self._grant_in(text if text is not None else _cookie(scope, self._cookie))
        if grant is None:
            return None
        revision = await self._present_revision(session_id, grant.viewer)
        return grant if revision is not None and grant.holds(session_id, revision) else None

    async def _present_revision(self, session_id: str, viewer: str) -> int | None:
        assert self._revision is not None
        kept = self._revisions.get((session_id, viewer))
        if kept is None or time.monotonic() - kept[0] > _REVISION_SECONDS:
            if len(self._revisions) > _MOST_REVISIONS:
                self._revisions.clear()
            present = await self._revision(session_id, viewer)
            kept = self._revisions[(session_id, viewer)] = (time.monotonic(), present)
        return kept[1]

    async def _enter(self, scope: Scope, send: Send, session_id: str) -> None:
        query = parse_qs(scope["query_string"].decode("latin-1"))
        text, to = query.get("grant", [""])[0], query.get("to", ["/"])[0]
        grant = await self._allowed(scope, session_id, text) if self._revision is not None else None
        if grant is None or not _LOCAL_PATH.fullmatch(to):
            await self._page(send, 403, pages.not_allowed(self._session_page(session_id)))
            return
        age = max(1, grant.until - int(time.time()))
        cookie = f"{self._cookie}={text}; Path=/; Max-Age={age}; {self._cookie_flags}"
        headers: Headers = [
            (b"location", to.encode()),
            (b"set-cookie", cookie.encode()),
            (b"cache-control", b"no-store"),
            (b"content-length", b"0"),
            *self._added,
        ]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _open(self, session_id: str) -> DevServer | None:
        """The session's server, started or starting; None where there is no such session."""
        server = self._sandbox.previews.find(session_id)
        if server is not None and server.state in (ServerState.READY, ServerState.STARTING):
            server.start()
            return server
        task = self._opening.get(session_id)
        if task is None:
            task = self._opening[session_id] = asyncio.create_task(self._begin(session_id))
            task.add_done_callback(lambda _: self._opening.pop(session_id, None))
        return await asyncio.shield(task)

    async def _begin(self, session_id: str) -> DevServer | None:
        workspace = self._sandbox.find(session_id)
        if workspace is None:
            try:
                stored = await self._restore(session_id)
            except Exception as error:  # whatever the store's trouble is, the page tells that there is one
                raise PreviewFailed("The project could not be read.") from error
            if stored is None:
                return None
            workspace = await self._sandbox.workspace(session_id, stored.template, stored.files, stored.dependencies)
        return await workspace.begin_preview()

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        navigation = b"text/html" in _header(scope, b"accept")
        host = _host(scope)
        session_id = self._session(scope)
        if session_id is None and host.endswith(self._site_suffix):
            await self._site(host.removesuffix(self._site_suffix), scope, send, navigation)
            return
        if session_id is None:
            await self._page(send, 404, pages.unknown())
            return
        if scope["path"] == grants.ENTRANCE:
            await self._enter(scope, send, session_id)
            return
        if self._revision is not None and await self._allowed(scope, session_id) is None:
            await self._page(send, 403, pages.not_allowed(self._session_page(session_id)))
            return
        if scope["path"] == inspector.PATH:
            await self._script(send, self._inspector)
            return
        server = self._sandbox.previews.find(session_id)
        if server is not None and server.state is ServerState.READY:
            with server.used():
                await self._forward(server, scope, receive, send)
            return
        try:
            server = await asyncio.wait_for(self._open(session_id), _PAGE_PATIENCE if navigation else _PATIENCE)
            if server is None:
                await self._page(send, 404, pages.unknown())
                return
            await server.ready(_PAGE_PATIENCE if navigation else _PATIENCE)
        except TimeoutError:
            await self._page(send, 503, pages.starting())
            return
        except SandboxError as error:
            server = self._sandbox.previews.find(session_id)
            if server is not None and server.state is ServerState.STARTING:
                await self._page(send, 503, pages.starting())
            else:
                await self._page(send, 502, pages.failed(str(error), server.log.lines() if server else []))
            return
        with server.used():
            await self._forward(server, scope, receive, send)

    async def _site(self, name: str, scope: Scope, send: Send, navigation: bool) -> None:
        session_id = session_of(self._secret, name, "site")
        asset = None
        if session_id is not None and self._sites is not None and scope["method"] in ("GET", "HEAD"):
            try:
                asset = await self._sites.find(session_id, scope["path"], navigation)
            except Exception:  # whatever the store's trouble is, the page tells that there is one
                log.exception("a published site could not be read", session=session_id)
                await self._page(send, 503, pages.unavailable())
                return
        if asset is None:
            await self._page(send, 404, pages.unknown())
            return
        headers: Headers = [
            (b"content-type", asset.media_type.encode()),
            (b"content-length", str(len(asset.content)).encode()),
            (b"cache-control", b"public, max-age=31536000, immutable" if asset.lasting else b"no-cache"),
            *self._added,
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else asset.content})

    async def _forward(self, server: DevServer, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name not in _NOT_UP]
        names = {name for name, _ in scope["headers"]}
        has_body = b"content-length" in names or b"transfer-encoding" in names
        target = scope["raw_path"] or b"/"
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        try:
            upstream = self._upstream(server)
            answer = await upstream.request(scope["method"], target, headers, _body(receive) if has_body else None)
        except UpstreamError as error:
            await self._page(send, 502, pages.failed(str(error).capitalize() + ".", server.log.lines()))
            return
        down = [(name, value) for name, value in answer.headers if name not in _NOT_DOWN]
        passing: Callable[[bytes, bool], bytes] = _as_it_is
        if inspector.belongs_into(scope["method"], _header(scope, b"sec-fetch-dest"), answer.status, down):
            passing = inspector.Insertion().feed
            down = [(name, value) for name, value in down if name != b"content-length"]
        try:
            await send({"type": "http.response.start", "status": answer.status, "headers": down + self._added})
            piece, more = await answer.read()
            await send({"type": "http.response.body", "body": passing(piece, more), "more_body": more})
            if more:
                await _unless_gone(receive, _pass_on(answer, send, passing))
        except UpstreamError:
            return  # headers are out: ending without the last piece tells the browser that the body is cut
        finally:
            answer.release()

    def _upstream(self, server: DevServer) -> Upstream:
        address = server.address
        if address not in self._upstreams:
            live = {kept.address for kept in self._sandbox.previews.running()}
            for gone in [known for known in self._upstreams if known not in live]:
                self._upstreams.pop(gone).close()
            self._upstreams[address] = Upstream(address)
        return self._upstreams[address]

    async def _script(self, send: Send, body: bytes) -> None:
        headers: Headers = [
            (b"content-type", b"text/javascript; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-cache"),
            *self._added,
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _page(self, send: Send, status: int, body: bytes) -> None:
        headers: Headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
            *self._added,
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        session_id = self._session(scope)
        origin = _header(scope, b"origin").decode("latin-1")
        host = _header(scope, b"host").decode("latin-1")
        # Browsers do not apply the same-origin rule to WebSockets: foreign pages are refused here.
        foreign = session_id is None or origin.partition("://")[2].lower() != host.lower()
        if not foreign and self._revision is not None:
            foreign = await self._allowed(scope, str(session_id)) is None
        if foreign or session_id is None:
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            server = await asyncio.wait_for(self._open(session_id), _PATIENCE)
            if server is None:
                await send({"type": "websocket.close", "code": 1008})
                return
            await server.ready()
            target = scope["raw_path"].decode("latin-1") or "/"
            if scope["query_string"]:
                target += "?" + scope["query_string"].decode("latin-1")
            connecting = unix_connect(
                server.address,
                f"ws://{host}{target}",
                origin=Origin(origin),
                subprotocols=[Subprotocol(name) for name in scope["subprotocols"]] or None,
                compression=None,
                max_size=_MOST_WEBSOCKET,
                ping_interval=None,
            )
            async with connecting as upstream:
                with server.used():
                    await send({"type": "websocket.accept", "subprotocol": upstream.subprotocol})
                    await _both_ways(upstream, receive, send)
        except (SandboxError, OSError, TimeoutError, WebSocketException):
            with contextlib.suppress(RuntimeError, OSError):
                await send({"type": "websocket.close", "code": 1011})


def _cookie(scope: Scope, name: str) -> str:
    for part in _header(scope, b"cookie").decode("latin-1").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""


def _host(scope: Scope) -> str:
    return _header(scope, b"host").decode("latin-1").partition(":")[0].lower()


def _header(scope: Scope, name: bytes) -> bytes:
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return b""


def _as_it_is(piece: bytes, more: bool) -> bytes:
    return piece


async def _pass_on(answer: Answer, send: Send, passing: Callable[[bytes, bool], bytes]) -> None:
    more = True
    while more:
        piece, more = await answer.read()
        await send({"type": "http.response.body", "body": passing(piece, more), "more_body": more})


async def _unless_gone(receive: Receive, work: Coroutine[object, object, None]) -> None:
    """Do the work until the browser goes away: a stream of events would otherwise go on for nobody."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise UpstreamError("the browser went away")
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


async def _both_ways(upstream: ClientConnection, receive: Receive, send: Send) -> None:
    async def up() -> None:
        while (message := await receive())["type"] == "websocket.receive":
            text, data = message.get("text"), message.get("bytes")
            await upstream.send(text if text is not None else data or b"")

    async def down() -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in upstream:
                kind = "text" if isinstance(message, str) else "bytes"
                await send({"type": "websocket.send", kind: message})
        await send({"type": "websocket.close", "code": 1001})

    tasks = [asyncio.create_task(up()), asyncio.create_task(down())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
