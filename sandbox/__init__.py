"""Where generated code runs: workspaces, isolation, installs, checks, previews and the browser that looks at them."""

from sandbox.errors import (
    BrowserFailed,
    InstallFailed,
    InstallRefused,
    NotPrepared,
    PathRefused,
    PreviewFailed,
    QuotaExceeded,
    SandboxError,
    SandboxUnavailable,
    UnknownTemplate,
)
from sandbox.sandbox import Sandbox
from sandbox.settings import Limits, SandboxSettings
from sandbox.workspace import Built, Workspace

__all__ = [
    "BrowserFailed",
    "Built",
    "InstallFailed",
    "InstallRefused",
    "Limits",
    "NotPrepared",
    "PathRefused",
    "PreviewFailed",
    "QuotaExceeded",
    "Sandbox",
    "SandboxError",
    "SandboxSettings",
    "SandboxUnavailable",
    "UnknownTemplate",
    "Workspace",
]
