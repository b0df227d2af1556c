"""What can go wrong in the sandbox, as one tree.

SandboxError
  SandboxUnavailable   the machine lacks something; the message says what to do
  NotPrepared          the set-up has not been run for this machine
  UnknownTemplate      no template of that name
  PathRefused          a path outside the workspace, through a link, or of a protected file
  InstallRefused       a package spec that is not a plain name and version
  InstallFailed        the installer ended with an error
  PreviewFailed        the development server does not come up
  BrowserFailed        the browser could not be used
  QuotaExceeded        the workspace is full
  HostFull             the host has no disk space for another workspace
  NothingToPublish     the project has no build that could be published
  HostingFailed        a place to publish at refused, or could not be reached
"""


class SandboxError(Exception):
    """Base of all errors of this room. `code` is stable, the message is one plain sentence."""

    code = "sandbox_error"


class SandboxUnavailable(SandboxError):
    code = "sandbox_unavailable"


class NotPrepared(SandboxError):
    code = "sandbox_not_prepared"


class UnknownTemplate(SandboxError):
    code = "unknown_template"


class PathRefused(SandboxError):
    code = "path_refused"


class InstallRefused(SandboxError):
    code = "install_refused"


class InstallFailed(SandboxError):
    code = "install_failed"


class PreviewFailed(SandboxError):
    code = "preview_failed"


class BrowserFailed(SandboxError):
    code = "browser_failed"


class QuotaExceeded(SandboxError):
    code = "workspace_full"


class HostFull(SandboxError):
    code = "host_full"


class NothingToPublish(SandboxError):
    code = "nothing_to_publish"


class HostingFailed(SandboxError):
    """`retry` says whether trying again can help, `retry_after` in how many seconds."""

    def __init__(
        self, sentence: str, *, code: str = "deployment_failed", retry: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.retry = retry
        self.retry_after = retry_after
