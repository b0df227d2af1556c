"""Real storage and a real HTTP server in the provider's place, for the activities that call models."""

import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.mcp_clients import McpClients
from inference import Inference
from inference.settings import InferenceSettings, ProviderSettings
from sandbox.catalogue import templates
from schemas.events import Outbox
from schemas.session import Operation
from storage.database import Database
from storage.events import EventLog
from storage.files import Files
from storage.keyring import KeyRing, KeySource, new_key
from storage.ledger import Ledger
from storage.messages import Messages
from storage.model_choices import ModelChoices
from storage.operations import Operations
from storage.sessions import SessionRecord, Sessions
from storage.transcripts import Transcripts
from storage.vault import Vault
from tests.fault_server import Calls, FaultServer
from tests.inference.conftest import KEY, shared_client

PACKAGE = '{"dependencies": {"react": "19.3.1", "zustand": "5.0.0"}, "devDependencies": {"typescript": "7.0.2"}}'
Result = TypeVar("Result")


@dataclass
class ModelRooms:
    """The rooms of one session `s1`, and a provider that answers with what it is told to."""

    rooms: Any
    server: FaultServer

    async def put(self, operation_id: str = "template", **files: str) -> None:
        """Store files: `App="..."` is src/App.tsx, names with a dot are paths."""
        for name, text in {"package.json": PACKAGE, **files}.items():
            path = name if "." in name else f"src/{name}.tsx"
            await self.rooms.files.put("s1", path, text, author="model", reason="", operation_id=operation_id)

    def says(self, *answers: str | Calls) -> None:
        self.server.answers += answers

    def calls(self, name: str, said: str = "", **arguments: Any) -> None:
        """The provider answers next with the call of a tool."""
        self.says(Calls(said, ((name, arguments),)))

    @property
    def prompts(self) -> list[str]:
        return [str(seen.body["messages"]) for seen in self.server.seen]

    def common(self, operation_id: str, action: str) -> dict[str, Any]:
        """The fields that every step's argument has."""
        operation = Operation(id=operation_id, action=action, title="At work", since=datetime.now(UTC))
        return {
            "session_id": "s1",
            "user_id": "local",
            "operation": operation,
            "execution": 1,
            "outbox": Outbox(first=1, events=[]),
        }

    async def run(self, activity: Callable[[Any], Awaitable[Result]], given: object, attempt: int = 1) -> Result:
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(
            environment.info, attempt=attempt, heartbeat_timeout=timedelta(seconds=5)
        )
        return await environment.run(activity, given)

    async def events(self, *types: str) -> list[dict[str, Any]]:
        """The session's events of these types, in order."""

        rows = await self.rooms.database.pool.fetch("SELECT type, data FROM events ORDER BY seq")
        return [json.loads(row["data"]) for row in rows if row["type"] in types]


@pytest.fixture
async def model_rooms(database: Database) -> AsyncIterator[ModelRooms]:
    events = EventLog(database)
    await events.start()
    async with FaultServer() as server:
        provider = ProviderSettings(base_url=server.url("answers"), key=SecretStr(KEY))
        settings = InferenceSettings(providers={"openai": provider}, model="openai/gpt-4.1")
        rooms = SimpleNamespace(
            database=database,
            events=events,
            sessions=Sessions(database),
            files=Files(database),
            messages=Messages(database),
            operations=Operations(database),
            transcripts=Transcripts(database),
            ledger=Ledger(database),
            vault=Vault(database, KeySource.given(KeyRing([new_key()]).text())),
            model_choices=ModelChoices(database),
            inference=Inference(settings, client=shared_client()),
            mcp=McpClients({}),
            sandbox=SimpleNamespace(templates=lambda: [entry.info for entry in templates().values()]),
        )
        await rooms.sessions.create(SessionRecord(id="s1", prompt="A board", mode="deterministic"))
        yield ModelRooms(rooms, server)
    await events.aclose()
