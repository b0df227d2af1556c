"""Keys are planted everywhere a key can be, every call fails with an answer that echoes them, and nothing keeps one."""

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from temporalio.api.common.v1 import Payload
from temporalio.client import Client

from api.model_calls import QUESTION
from stich.home import Home, RunningUp
from stich.processes.postgres import Postgres
from stich.settings import Settings
from stich.temporal import data_converter
from tests.e2e.conftest import MakeUp
from tests.e2e.service import Up, until

# None looks like any provider's key: what hides them must not go by their form.
PLATFORM, USER, SERVER, GATEWAY = (
    f"{name}.Canary!{index}7f3e9d" for index, name in enumerate(("plat", "user", "lab", "gw"))
)
PASTED = "sk-" + "proj-Canary0123456789abcdefghij"
PLANTED = {"platform": PLATFORM, "user": USER, "server": SERVER, "gateway": GATEWAY, "pasted": PASTED}
PROMPT = "A teal abacus that counts penguins"


class Provider(ThreadingHTTPServer):
    """Answers the small calls that try a key; fails every other with all that it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Provider)
        body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
        sent = " ".join(f"{name}={value}" for name, value in self.headers.items())
        self.server.seen.append(f"{self.path} {sent} {body}")
        if QUESTION in body:
            message = {"role": "assistant", "content": "ready"}
            self._answer(200, {"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
        else:
            names = ("authorization", "x-api-key", "cf-aig-authorization")
            bare = " and ".join(self.headers.get(name, "nothing").removeprefix("Bearer ") for name in names)
            self._answer(401, {"error": {"message": f"No such thing as {bare}, {sent}", "type": "auth"}})

    def _answer(self, status: int, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing is said."""


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.timeout(300)
def test_no_key_is_in_anything_that_is_kept_or_shown(make_up: MakeUp, provider: Provider, tmp_path: Path) -> None:
    up = make_up(
        ANTHROPIC_API_KEY=PLATFORM,
        ANTHROPIC_BASE_URL=f"{provider.url}/platform",
        CLOUDFLARE_AI_GATEWAY_URL=f"{provider.url}/gateway",
        CLOUDFLARE_AI_GATEWAY_TOKEN=GATEWAY,
        STICH_ALLOW_PRIVATE_ADDRESSES="1",
        STICH_LOG_LEVEL="debug",
    )
    running = up.wait_ready()
    shown: list[str] = []

    def keep(response: httpx.Response) -> None:
        response.read()
        shown.append(f"{response.headers} {response.text}")

    with httpx.Client(
        base_url=running.local_url,
        headers={"Authorization": f"Bearer {running.token}"},
        trust_env=False,
        timeout=60,
        event_hooks={"response": [keep]},
    ) as http:
        assert http.put("/api/keys/openai", json={"key": USER}).status_code == 200, shown[-1]
        lab = {"title": "Lab", "base_url": f"{provider.url}/lab", "models": [{"id": "m"}], "key": SERVER}
        assert http.put("/api/providers/lab", json=lab).status_code == 200, shown[-1]
        sessions = [
            failed_session(http, model) for model in ("openai/gpt-5-mini", "lab/m", "anthropic/claude-haiku-4.5")
        ]
        look_everywhere(http, sessions)
        read_events(running, sessions, shown)
    sent = "\n".join(provider.seen)
    assert all(key in sent for key in (PLATFORM, USER, SERVER, GATEWAY)), "each was used"
    assert PASTED not in sent, "a pasted key reaches no model"
    kept = {
        "answers": "\n".join(shown).encode(),
        "output": up.output.encode(),
        **{f"log {log.name}": log.read_bytes() for log in (up.home / "logs").iterdir()},
        "database": asyncio.run(database_of(up)),
        "history": asyncio.run(histories_of(up, running, sessions)),
        "Temporal's file": b"".join(file.read_bytes() for file in (up.home / "temporal").glob("temporal.db*")),
    }
    for name in ("answers", "database", "history"):
        assert PROMPT.encode() in kept[name], f"what is searched is there: {name}"
    assert PROMPT.encode() not in kept["Temporal's file"], "what Temporal keeps is encrypted"
    found = [(place, key) for place, text in kept.items() for key in PLANTED if holds(text, PLANTED[key])]
    assert found == []


def failed_session(http: httpx.Client, model: str) -> str:
    """A session whose first model call is refused, with a message that is not answered either."""
    for action in ("blueprint", "conversation"):
        chosen = http.put(f"/api/settings/models/{action}", json={"model": model, "fallback": model})
        assert chosen.status_code == 200, chosen.text
    body = {"prompt": f"{PROMPT}. My key: {PASTED}", "template": "static-html"}
    created = http.post("/api/sessions", json=body).json()
    assert created["masked"][0]["provider"] == "openai"
    session_id: str = created["id"]
    said = http.post(f"/api/sessions/{session_id}/messages", json={"text": f"Use {PASTED} for it"}).json()
    assert said["masked"][0]["hint"] == "…ghij"

    def failed() -> bool:
        answer = http.get(f"/api/sessions/{session_id}").json()
        told = [turn["text"] for turn in answer["conversation"] if turn["role"] == "notice"]
        unanswered = any("could not be answered" in text for text in told)
        return bool(answer["progress"]["state"]["name"] == "failed" and unanswered)

    until(failed, 90)
    return session_id


def look_everywhere(http: httpx.Client, sessions: list[str]) -> None:
    """Ask for everything that can be asked for without an id of its own, in good ways and bad."""
    document = http.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        if "get" in methods and "events" not in path:
            for session_id in sessions:
                http.get(path.replace("{session_id}", session_id).replace("{action}", "blueprint"))
    http.put("/api/keys/openai", json={"key": [USER]})
    http.put("/api/keys/openai", json={"key": USER, "more": SERVER})
    http.put("/api/keys/openai", content=f'{{"key": "{USER}"', headers={"content-type": "application/json"})
    http.put("/api/keys/anthropic", json={"key": f"{USER}\n{SERVER}"})
    http.post("/api/keys/openai/test")
    http.post("/api/providers/lab/test")


def read_events(running: RunningUp, sessions: list[str], shown: list[str]) -> None:
    """The events of each session, from the first."""
    for session_id in sessions:
        with httpx.stream(
            "GET",
            f"{running.local_url}/api/sessions/{session_id}/events",
            params={"after": "0"},
            headers={"Authorization": f"Bearer {running.token}"},
            trust_env=False,
            timeout=20,
        ) as response:
            ends = time.monotonic() + 15
            for line in response.iter_lines():
                shown.append(line)
                if '"failed"' in line or time.monotonic() > ends:
                    break


async def database_of(up: Up) -> bytes:
    """Every table, as COPY writes it."""
    connection = await asyncpg.connect(Postgres(Home(up.home), {}).dsn)
    parts: list[bytes] = []

    async def keep(part: bytes) -> None:
        parts.append(part)

    for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        await connection.copy_from_table(row["tablename"], output=keep)
    await connection.close()
    return b"".join(parts)


async def histories_of(up: Up, running: RunningUp, sessions: list[str]) -> bytes:
    """The histories of the sessions, with every payload opened."""
    converter = data_converter(Settings.from_env({"STICH_HOME": str(up.home)}))
    assert converter.payload_codec is not None
    client = await Client.connect(running.temporal_address, data_converter=converter)
    parts: list[bytes] = []
    for session_id in sessions:
        history = await client.get_workflow_handle(session_id).fetch_history()
        for event in history.events:
            kept = MessageToDict(event)
            parts.append(json.dumps(kept).encode())
            for payload in payloads_in(kept):
                (opened,) = await converter.payload_codec.decode([payload])
                parts.append(opened.SerializeToString())
    return b"\n".join(parts)


def payloads_in(value: Any) -> Iterator[Payload]:
    if isinstance(value, dict):
        if "metadata" in value and "data" in value:
            metadata = {name: base64.b64decode(text) for name, text in value["metadata"].items()}
            yield Payload(metadata=metadata, data=base64.b64decode(value["data"]))
        for part in value.values():
            yield from payloads_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from payloads_in(part)


def holds(text: bytes, key: str) -> bool:
    """Whether a text has the key, as it is or in another form."""
    raw = key.encode()
    return any(form in text for form in (raw, base64.b64encode(raw), raw.hex().encode(), raw[:12], raw[-10:]))
