"""A demo model inside the test's event loop, on a free port of 127.0.0.1."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette

from stich.demo.faults import FaultPlan
from stich.demo.library import Library
from stich.demo.recording import BUILT_IN, load_all
from stich.demo.request_log import LoggedRequest
from stich.demo.server import DemoModel
from stich.demo.serving import KEEP_ALIVE

COUNTER = "<request>Build a simple counter app</request>"


@asynccontextmanager
async def serving(app: Starlette) -> AsyncIterator[str]:
    """Serve the app and yield its base URL (ending in /v1)."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)  # requests queue until the server is up
    config = uvicorn.Config(
        app, log_level="critical", timeout_keep_alive=KEEP_ALIVE, timeout_graceful_shutdown=1, lifespan="off"
    )
    server = uvicorn.Server(config)
    task = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def demo(
    *folders: Path, rate: float | None = None, faults: list[dict[str, Any]] | None = None
) -> AsyncIterator[tuple[DemoModel, httpx.AsyncClient]]:
    """A demo model (built-in recordings unless folders are given) and a client of it."""
    recordings = [recording for folder in folders or (BUILT_IN,) for recording in load_all(folder)]
    plan = FaultPlan.model_validate({"faults": faults or []})
    model = DemoModel(Library(recordings), rate=rate, faults=plan, control=True)
    async with serving(model.app) as url, httpx.AsyncClient(base_url=url, timeout=20) as client:
        yield model, client


def question(action: str, *texts: str, session: str = "s1", stream: bool = True, **more: Any) -> dict[str, Any]:
    """Arguments of one chat-completions post about an action."""
    body = {
        "model": "demo",
        "stream": stream,
        "messages": [{"role": "system", "content": "Follow the format."}]
        + [{"role": "user", "content": text} for text in texts],
        **({"stream_options": {"include_usage": True}} if stream else {}),
        **more,
    }
    metadata = {"session": session, "operation": f"{action}-1", "action": action}
    return {"url": "/chat/completions", "json": body, "headers": {"x-stich-metadata": json.dumps(metadata)}}


async def ask(client: httpx.AsyncClient, action: str, *texts: str, **more: Any) -> "Answer":
    """Ask and read the stream to its end."""
    return read_stream((await client.post(**question(action, *texts, **more))).text)


async def last_request(model: DemoModel, within: float = 1.0) -> LoggedRequest:
    """The newest request once it has ended; fails when it is still running after `within` seconds."""
    async with asyncio.timeout(within):
        while (entry := model.log.all()[-1]).outcome == "running":  # noqa: ASYNC110 - the log has no event to wait for
            await asyncio.sleep(0.01)
    return entry


class Answer:
    """A stream put together."""

    def __init__(self) -> None:
        self.text = ""
        self.reasoning = ""
        self.tool_calls: dict[int, dict[str, str]] = {}
        self.finish: str | None = None
        self.usage: dict[str, Any] = {}
        self.done = False


def read_stream(body: str) -> Answer:
    """Put a whole stream's frames together; a frame that is no JSON raises."""
    answer = Answer()
    for frame in body.split("\n\n"):
        if not frame.startswith("data: "):
            assert not frame
            continue
        if frame == "data: [DONE]":
            answer.done = True
            continue
        data = json.loads(frame[6:])
        answer.usage = data.get("usage") or answer.usage
        for choice in data["choices"]:
            delta = choice["delta"]
            answer.text += delta.get("content") or ""
            answer.reasoning += delta.get("reasoning_content") or ""
            answer.finish = choice["finish_reason"] or answer.finish
            for call in delta.get("tool_calls", []):
                known = answer.tool_calls.setdefault(call["index"], {"id": "", "name": "", "arguments": ""})
                known["id"] += call.get("id", "")
                known["name"] += call["function"].get("name", "")
                known["arguments"] += call["function"]["arguments"]
    return answer
