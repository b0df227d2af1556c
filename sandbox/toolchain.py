"""What the sandbox needs to know of a project type: how its projects are checked, built and served."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from schemas.checks import CheckReport

if TYPE_CHECKING:
    from sandbox.workspace import Workspace

Say = Callable[[str], None]


class Toolchain(Protocol):
    """The tools of one project type. All commands run in the workspace's sandbox."""

    packages: str
    """Where the installed packages are mounted."""

    layers: Sequence[str]
    """Folders of the project, besides `.cache` and `dist`, that its server may write to."""

    async def check(self, workspace: "Workspace") -> CheckReport:
        """Check the sources as they are."""

    async def build(self, workspace: "Workspace") -> CheckReport:
        """Build into the workspace's `dist` folder; the report has errors where there is no usable result."""

    def server(self, workspace: "Workspace", socket: int) -> list[str]:
        """The command line of the development server on a listening socket it inherits."""

    def environment(self, workspace: "Workspace") -> dict[str, str]:
        """Variables for the development server and the build."""

    async def before_server(self, workspace: "Workspace", prepared: Path) -> None:
        """Bring what makes the first start fast."""

    async def make_ready(self, workspace: "Workspace", prepared: Path, say: Say) -> None:
        """Make, once per machine, what `before_server` brings."""
