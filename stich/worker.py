"""One worker process: the workers of its queues, the previews' gateway, and what the activities work with."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Final

import structlog
from temporalio import activity
from temporalio.client import Client

from activities.bulk import give_up_unwanted
from activities.context import Rooms
from activities.mcp_clients import McpClients
from codegen.prompts import set_fence
from inference import Inference
from inference.settings import InferenceSettings, InvalidSetting
from sandbox import Sandbox, SandboxSettings
from sandbox.browser import Browser
from sandbox.gateway import PreviewGateway
from sandbox.hosting import EnvironmentTokens, Places
from stich.builds import build_id
from stich.collector import spare_what_stays
from stich.database import open_database, required_url
from stich.deployment_tokens import UserTokens
from stich.errors import StichError
from stich.home import token_of
from stich.jurisdiction import claim_database, claim_namespace
from stich.keys import fence_of, master_keys
from stich.logging import configure_logging
from stich.mcp_servers import allowed_servers
from stich.preview_places import PreviewPlaces, reached_at
from stich.preview_reports import reporting
from stich.previews import PreviewPlace, naming_secret, page_origins
from stich.queues import serves, temporal_workers
from stich.retention import keep_schedule
from stich.sandbox_host import host_name
from stich.serving import listening_socket, told_to_stop, until_stopped
from stich.settings import Settings
from stich.stored_projects import StoredProjects
from stich.telemetry import telemetry
from stich.temporal import connect_temporal, require_namespace, require_search_attributes
from storage.deployment_accounts import DeploymentAccounts
from storage.events import EventLog
from storage.files import Files
from storage.ledger import Ledger
from storage.messages import Messages
from storage.model_choices import ModelChoices
from storage.operations import Operations
from storage.preview_access import PreviewAccess
from storage.preview_reports import PreviewReports
from storage.published import PublishedSites
from storage.sandbox_hosts import SandboxHosts
from storage.sandbox_waits import SandboxWaits
from storage.screenshots import Screenshots
from storage.sessions import Sessions
from storage.transcripts import Transcripts
from storage.vault import Vault

log: structlog.stdlib.BoundLogger = structlog.get_logger("worker")

LOOKING_SECONDS: Final = 120.0  # how long the browser of the checks may see a preview


async def run_worker(settings: Settings, env: Mapping[str, str]) -> None:
    """Work until SIGINT or SIGTERM, then let running steps end or hand them back. Raises StichError."""
    required_url(settings)
    configure_logging(settings, "worker", activity_context)
    stop = told_to_stop()
    await require_namespace(await connect_temporal(settings, env))
    client = await connect_temporal(settings, env, lazy=False)
    await require_search_attributes(client)
    await claim_namespace(client, settings.jurisdiction)
    await keep_schedule(client, settings.retention)
    with telemetry(env, "worker"):
        await _work(settings, env, client, stop)


async def _work(settings: Settings, env: Mapping[str, str], client: Client, stop: asyncio.Event) -> None:
    async with open_rooms(settings, env) as (rooms, gateway), _previews(settings, gateway) as previews:
        workers = temporal_workers(client, rooms, settings)
        sweeping = asyncio.create_task(give_up_unwanted(rooms))
        running = [asyncio.create_task(worker.run(), name=f"queue {worker.task_queue}") for worker in workers]
        log.info("worker started", build=build_id(settings), queues=[worker.task_queue for worker in workers])
        try:
            await asyncio.sleep(0)
            spare_what_stays()
            if settings.ready_file is not None:
                settings.ready_file.touch()
            await until_stopped(stop, *previews, *running)
        finally:
            sweeping.cancel()
            await asyncio.gather(*(worker.shutdown() for worker in workers))
            await asyncio.gather(sweeping, *running, return_exceptions=True)


@contextlib.asynccontextmanager
async def _previews(settings: Settings, gateway: PreviewGateway) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """Serve previews where this host has sandboxes."""
    if not serves(settings, "sandbox", "host"):
        yield []
        return
    listener = listening_socket(settings, settings.preview_port or settings.port + 1)
    async with gateway.serving(listener) as task:
        yield [task]


@contextlib.asynccontextmanager
async def open_rooms(settings: Settings, env: Mapping[str, str]) -> AsyncIterator[tuple[Rooms, PreviewGateway]]:
    """Everything activities work with, opened, and closed at the end."""
    try:
        inference_settings = InferenceSettings.from_env(env)
    except InvalidSetting as error:
        raise StichError(f"A setting of the model providers cannot be used: {error}.") from None
    set_fence(fence_of(token_of(settings)))
    async with contextlib.AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            open_database(required_url(settings), settings.database_connections, "stich-worker")
        )
        await claim_database(database, settings.jurisdiction)
        events = EventLog(database)
        await events.start()
        stack.push_async_callback(events.aclose)
        inference = await stack.enter_async_context(Inference(inference_settings))
        sandbox = await stack.enter_async_context(
            Sandbox(
                SandboxSettings(
                    home=settings.home,
                    unsafe_local=settings.unsafe_local,
                    memory_bytes=settings.sandbox_memory,
                    disk_bytes=settings.sandbox_disk,
                )
            )
        )
        place = PreviewPlace.of(settings)
        preview_port = settings.preview_port or settings.port + 1
        browser = await stack.enter_async_context(Browser(sandbox.settings, preview_port))
        access = PreviewAccess(database)
        vault = Vault(database, master_keys(settings))
        sessions, files, published = Sessions(database), Files(database), PublishedSites(database)
        preview_places = PreviewPlaces(
            SandboxHosts(database),
            host_name(settings, str(sandbox.settings.workspaces)),
            settings.preview_address or reached_at(settings.host, preview_port),
        )
        gateway = PreviewGateway(
            sandbox,
            naming_secret(token_of(settings)),
            StoredProjects(sessions, files, sandbox),
            published=published,
            revision=access.revision,
            places=preview_places,
            secure=place.secure,
            session_page=lambda session_id: f"{page_origins(settings)[0]}/s/{session_id}",
            frame_ancestors=page_origins(settings),
            suffix=place.suffix,
            site_suffix=place.site_suffix,
        )

        async def looking(session_id: str) -> str:
            revision = await access.revision(session_id) or 0
            path = gateway.entrance(session_id, revision, LOOKING_SECONDS)
            return f"http://{gateway.local_host(session_id)}:{preview_port}{path}"

        rooms = Rooms(
            database=database,
            events=events,
            sessions=sessions,
            files=files,
            messages=Messages(database),
            operations=Operations(database),
            transcripts=Transcripts(database),
            ledger=Ledger(database, settings.limits),
            vault=vault,
            model_choices=ModelChoices(database),
            inference=inference,
            sandbox=sandbox,
            browser=browser,
            screenshots=Screenshots(database),
            preview_entrance=looking,
            preview_reports=PreviewReports(database),
            preview_url=lambda session_id: place.address(gateway.host(session_id)),
            site_url=lambda session_id: place.address(gateway.site_host(session_id)),
            published=published,
            sandbox_waits=SandboxWaits(database),
            deployment_tokens=UserTokens(DeploymentAccounts(vault), EnvironmentTokens(env)),
            targets=settings.targets,
            places=deployment_places(settings),
            mcp=McpClients(allowed_servers(settings.mcp_servers)),
        )
        await stack.enter_async_context(reporting(sandbox.previews, rooms.preview_reports))
        if serves(settings, "sandbox", "host"):
            await stack.enter_async_context(preview_places.kept(sandbox))
        yield rooms, gateway


def deployment_places(settings: Settings) -> Places:
    """Where the hosting services' interfaces are, unless the settings name others."""
    given = {"cloudflare": settings.cloudflare_api, "netlify": settings.netlify_api, "vercel": settings.vercel_api}
    return Places(**{name: url for name, url in given.items() if url is not None})


def activity_context() -> dict[str, object]:
    """What every log line of an activity carries."""
    if not activity.in_activity():
        return {}
    info = activity.info()
    return {"session_id": info.workflow_id, "activity": info.activity_type, "attempt": info.attempt}
