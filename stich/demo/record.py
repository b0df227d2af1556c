"""`python -m stich.demo.record`: a proxy before a real provider that writes what it sees as a recording.

Requests and answers pass through unchanged, an answer's bytes as they arrive. What is written is the action, how to
find the exchange again, and the answer; never a header of the request, never a key.
"""

import argparse
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from schemas.recording import Exchange, Match, RecordedError, Recording, Reply
from stich.demo.answer import AnswerReader
from stich.demo.playback import error_response, read_body
from stich.demo.prompt import ChatRequest, Prompt, read_metadata, read_prompt
from stich.demo.recording import FILE_NAME, save
from stich.demo.serving import PortTaken, serve

_LARGEST_BODY = 32 * 1024 * 1024
_TIMEOUT = httpx.Timeout(600, connect=15)
# headers of one connection, or rewritten by the client library; everything else passes
_HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length"}
_KEPT_ERROR_HEADERS = ("retry-after", "retry-after-ms")


class Recorder:
    """The proxy and the recording it fills.

    folder: where the recording goes; it must not hold one yet. upstream: the provider's base URL, as in
    `OPENAI_BASE_URL` (with its `/v1`). client: sends the requests on.
    """

    def __init__(self, folder: Path, upstream: str, client: httpx.AsyncClient) -> None:
        self._folder = folder
        self._upstream = upstream.rstrip("/")
        self._client = client
        self.recording = Recording(
            title="A recorded session", example_prompt="(not seen yet)", by_order=True, exchanges=[]
        )
        path = "/v1/{path:path}"
        self.app = Starlette(routes=[Route(path, self.forward, methods=["GET", "POST"])])

    async def forward(self, request: Request) -> Response:
        """Pass one request on; record it when it is a chat completion that came to its end."""
        body = await read_body(request, _LARGEST_BODY)
        if body is None:
            return _proxy_error(413, f"the request is larger than {_LARGEST_BODY} bytes")
        headers = {name: value for name, value in request.headers.items() if name not in _HOP_BY_HOP}
        headers["accept-encoding"] = "identity"  # the answer is read on its way
        url = httpx.URL(f"{self._upstream}/{request.path_params['path']}", query=request.url.query.encode())
        outgoing = self._client.build_request(request.method, url, headers=headers, content=body or None)
        try:
            answer = await self._client.send(outgoing, stream=True)
        except httpx.HTTPError as error:
            return _proxy_error(502, f"the provider at {url.host} cannot be reached ({type(error).__name__})")
        prompt = _read_chat(request, body) if request.url.path.endswith("/chat/completions") else None
        passed = {name: value for name, value in answer.headers.items() if name not in _HOP_BY_HOP}
        if "content-length" in answer.headers and answer.headers.get("content-encoding", "identity") == "identity":
            passed["content-length"] = answer.headers["content-length"]
        return StreamingResponse(self._pass_through(answer, prompt, _secrets(request)), answer.status_code, passed)

    async def _pass_through(
        self, answer: httpx.Response, prompt: Prompt | None, secrets: list[str]
    ) -> AsyncIterator[bytes]:
        seen = bytearray()
        try:
            async for part in answer.aiter_raw():
                if prompt is not None:
                    seen += part
                yield part
        finally:
            await answer.aclose()
        # reached only when the provider ended its answer and the client took all of it
        if prompt is not None and (reply := _read_reply(answer, bytes(seen), secrets)) is not None:
            self._keep(prompt, reply)

    def _keep(self, prompt: Prompt, reply: Reply) -> None:
        match = Match(
            messages_sha256=prompt.messages_sha256,
            phase=prompt.phase,
            user_message=[message for message in prompt.user_messages[-1:] if message],
            after_tool_call=prompt.last_tool_call if prompt.action == "smart_builder" else None,
        )
        exchange = Exchange(action=prompt.action, match=match, reply=reply)
        exchanges = list(self.recording.exchanges)
        same = (e.action == exchange.action and e.match.messages_sha256 == prompt.messages_sha256 for e in exchanges)
        # the same request again replaces its answer: what a retry got is what counts
        at = next((index for index, is_same in enumerate(same) if is_same), len(exchanges))
        exchanges[at : at + 1] = [exchange]
        update: dict[str, object] = {"exchanges": exchanges}
        if prompt.request and not self.recording.match:
            title = " ".join(prompt.request.split())[:60]
            update |= {"title": title, "example_prompt": prompt.request, "match": [prompt.request]}
        self.recording = self.recording.model_copy(update=update)
        save(self._folder, self.recording)


def _read_chat(request: Request, body: bytes) -> Prompt | None:
    try:
        chat = ChatRequest.model_validate_json(body)
    except ValidationError:
        return None  # the provider will say what is wrong with it
    return read_prompt(chat, read_metadata(request.headers.get("x-stich-metadata")))


def _read_reply(answer: httpx.Response, body: bytes, secrets: list[str]) -> Reply | None:
    """What the provider answered; None for what cannot be played again: refused keys, streams without an end."""
    text = body.decode("utf-8", errors="replace")
    for secret in secrets:
        text = text.replace(secret, "[key]")
    if answer.status_code in (401, 403):
        return None
    if answer.status_code >= 400:
        kept = {name: answer.headers[name] for name in _KEPT_ERROR_HEADERS if name in answer.headers}
        return Reply(error=_read_error(answer.status_code, text, kept))
    reader = AnswerReader()
    try:
        if "text/event-stream" in answer.headers.get("content-type", ""):
            reader.read_stream(text)
        else:
            reader.read_whole(text)
        return reader.reply()
    except ValueError:
        return None


def _read_error(status: int, text: str, headers: dict[str, str]) -> RecordedError:
    try:
        fields = json.loads(text)["error"]
        message, kind, code = fields["message"], fields.get("type"), fields.get("code")
    except (ValueError, KeyError, TypeError):
        message, kind, code = text[:2000], None, None
    return RecordedError(
        status=status,
        message=str(message),
        type=str(kind or "server_error"),
        code=None if code is None else str(code),
        headers=headers,
    )


def _secrets(request: Request) -> list[str]:
    """The caller's keys, which a provider's error text may repeat."""
    values = (request.headers.get(name, "") for name in ("authorization", "x-api-key", "api-key", "x-goog-api-key"))
    return [key for value in values if (key := value.rpartition(" ")[2].strip())]


def _proxy_error(status: int, message: str) -> Response:
    return error_response(RecordedError(status=status, message=message, type="proxy_error"), {})


def main(argv: list[str] | None = None) -> int:
    """Run the proxy; the exit status is 2 when something given on the command line cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m stich.demo.record", description="Record a session with a real provider for playing it again."
    )
    parser.add_argument("--to", type=Path, required=True, help="folder of the new recording")
    parser.add_argument("--upstream", required=True, help="the provider's base URL, as in OPENAI_BASE_URL")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="receives the port number once the proxy accepts")
    options = parser.parse_args(argv)
    try:
        upstream = httpx.URL(options.upstream)
        if upstream.scheme not in ("http", "https") or not upstream.host:
            raise ValueError(f"--upstream must be an http or https URL, not {options.upstream!r}")
        if (options.to / FILE_NAME).exists():
            raise ValueError(f"{options.to} holds a recording already; give a new folder")
        options.to.mkdir(parents=True, exist_ok=True)
        recorder = Recorder(options.to, options.upstream, httpx.AsyncClient(timeout=_TIMEOUT))
        serve(recorder.app, host=options.host, port=options.port, port_file=options.port_file)
    except (PortTaken, ValueError, OSError, httpx.InvalidURL) as error:
        print(f"stich record: {error}", file=sys.stderr)  # noqa: T201 - this is the program's output
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
