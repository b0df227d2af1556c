"""What activities work with: one object per worker process, made by the composition root."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import get_args

from activities.mcp_clients import McpClients
from inference import Inference
from sandbox import Sandbox
from sandbox.browser import Browser
from sandbox.hosting import DeploymentTokens, Places
from schemas.deployments import Target
from storage.database import Database
from storage.events import EventLog
from storage.files import Files
from storage.ledger import Ledger
from storage.messages import Messages
from storage.model_choices import ModelChoices
from storage.operations import Operations
from storage.preview_reports import PreviewReports
from storage.published import PublishedSites
from storage.sandbox_waits import SandboxWaits
from storage.screenshots import Screenshots
from storage.sessions import Sessions
from storage.transcripts import Transcripts
from storage.vault import Vault


@dataclass(frozen=True, kw_only=True)
class Rooms:
    """Storage, inference and sandbox of this process. `preview_url` and `site_url` give a session's addresses,
    `preview_entrance` the one where our own browser comes in."""

    database: Database
    events: EventLog
    sessions: Sessions
    files: Files
    screenshots: Screenshots
    messages: Messages
    operations: Operations
    transcripts: Transcripts
    ledger: Ledger
    vault: Vault
    model_choices: ModelChoices
    inference: Inference
    sandbox: Sandbox
    browser: Browser
    preview_url: Callable[[str], str]
    preview_entrance: Callable[[str], Awaitable[str]]
    preview_reports: PreviewReports
    site_url: Callable[[str], str]
    published: PublishedSites
    sandbox_waits: SandboxWaits
    deployment_tokens: DeploymentTokens
    targets: frozenset[Target] = frozenset(get_args(Target))
    places: Places
    mcp: McpClients
