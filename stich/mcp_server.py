"""Sessions as tools of programs that speak the Model Context Protocol."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

from schemas.http import CreateSession, PostMessage, SessionSnapshot
from schemas.session import MAX_PROMPT, Mode, Progress, State
from stich import __version__
from stich.client import Sequenced, StichClient, StichHttpError, StichUnreachable
from stich.service import Address

INSTRUCTIONS: Final = (
    "stich builds web applications from a description. Start a session, wait for it, read its files, and send it"
    " messages to have the application changed. Building takes minutes: call wait_for_session again until the session"
    " rests."
)
MAX_WAIT: Final = 600
MAX_TEXT: Final = 100_000

SessionId = Annotated[str, Field(description="The id that start_session returned.", max_length=100)]


class SessionStatus(BaseModel):
    """Where a session is."""

    id: str
    title: str
    state: State
    reason: str
    can: list[str]
    phases: list[str]
    files: int
    cost_usd: str
    preview: str | None
    page: str


def mcp_server(address: Address) -> MCPServer:
    """A server whose tools work on the sessions of one service."""
    server, tools = MCPServer("stich", instructions=INSTRUCTIONS, version=__version__), SessionTools(address)
    for tool in (
        tools.start_session,
        tools.session_status,
        tools.wait_for_session,
        tools.list_sessions,
        tools.list_files,
        tools.read_file,
        tools.send_message,
        tools.stop_session,
        tools.resume_session,
    ):
        server.add_tool(tool)
    return server


class SessionTools:
    """What the tools do. Their descriptions are what the programs' models read."""

    def __init__(self, address: Address) -> None:
        self._address = address

    @contextlib.asynccontextmanager
    async def _service(self) -> AsyncIterator[StichClient]:
        try:
            async with self._address.client() as client:
                yield client
        except (StichHttpError, StichUnreachable) as error:
            raise ToolError(str(error)) from None

    def _status(self, progress: Progress) -> SessionStatus:
        return SessionStatus(
            id=progress.session_id,
            title=progress.title,
            state=progress.state.name,
            reason=progress.state.reason,
            can=list(progress.state.can),
            phases=[f"{phase.plan.name}: {phase.status}" for phase in progress.phases],
            files=len(progress.files),
            cost_usd=str(progress.usage.cost_usd),
            preview=progress.preview.url,
            page=f"{self._address.url}/s/{progress.session_id}",
        )

    async def start_session(
        self,
        prompt: Annotated[
            str, Field(description="What to build, in plain words.", min_length=1, max_length=MAX_PROMPT)
        ],
        request_key: Annotated[
            str,
            Field(
                description="Any text of your own; the same key and prompt lead to the same session.", max_length=100
            ),
        ],
        mode: Mode = "deterministic",
        template: str | None = None,
    ) -> SessionStatus:
        """Start building an application. Returns at once; follow it with wait_for_session."""
        key = hashlib.sha256(f"{request_key}\n{prompt}".encode()).hexdigest()[:40]
        async with self._service() as client:
            created = await client.start(CreateSession(prompt=prompt, mode=mode, template=template), f"mcp-{key}")
            return self._status((await client.snapshot(created.id)).progress)

    async def session_status(self, session: SessionId) -> SessionStatus:
        """Where a session is now, what it costs so far and what can be done."""
        async with self._service() as client:
            return self._status((await client.snapshot(session)).progress)

    async def wait_for_session(
        self, session: SessionId, context: Context[Any], seconds: Annotated[int, Field(ge=1, le=MAX_WAIT)] = 60
    ) -> SessionStatus:
        """Wait until a session rests (completed, failed, stopped, idle), for so many seconds at most."""
        steps = 0
        said: asyncio.Queue[str] = asyncio.Queue()

        def told(item: SessionSnapshot | Sequenced) -> None:
            if isinstance(item, Sequenced) and item.event.type == "operation_started":
                said.put_nowait(item.event.operation.title)

        async def report() -> None:
            nonlocal steps
            while True:
                title = await said.get()
                steps += 1
                await context.report_progress(steps, message=title)

        async with self._service() as client:
            reporting = asyncio.create_task(report())
            try:
                async with asyncio.timeout(seconds):
                    return self._status(await client.wait(session, told=told))
            except TimeoutError:
                return self._status((await client.snapshot(session)).progress)
            finally:
                reporting.cancel()

    async def list_sessions(self) -> list[dict[str, str]]:
        """The newest sessions: id, title, state."""
        async with self._service() as client:
            return [
                {"id": known.id, "title": known.title, "state": known.state}
                for known in (await client.sessions()).sessions
            ]

    async def list_files(self, session: SessionId) -> list[str]:
        """The paths of the application's files."""
        async with self._service() as client:
            return [file.path for file in (await client.files(session)).files]

    async def read_file(self, session: SessionId, path: str) -> str:
        """The text of one file, at most 100,000 characters of it."""
        async with self._service() as client:
            content = await client.read(session, path)
        try:
            return content.decode()[:MAX_TEXT]
        except UnicodeDecodeError:
            raise ToolError(f"{path} is not a text file.") from None

    async def send_message(
        self,
        session: SessionId,
        text: Annotated[str, Field(min_length=1, max_length=MAX_PROMPT)],
        interrupt: bool = False,
    ) -> str:
        """Ask a session for a change, or ask it something. Follow with wait_for_session."""
        async with self._service() as client:
            return (await client.message(session, PostMessage(text=text, interrupt=interrupt))).id

    async def stop_session(self, session: SessionId) -> str:
        """Stop what a session does; what is finished stays."""
        async with self._service() as client:
            return (await client.stop(session)).reason

    async def resume_session(self, session: SessionId) -> str:
        """Go on with a session that was stopped, waits or failed."""
        async with self._service() as client:
            return (await client.resume(session)).reason
