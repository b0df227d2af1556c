"""Python services: ruff and an import of the application, served by uvicorn."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import findings
from sandbox.toolchain import Say
from schemas.checks import CheckReport, IssueSource

if TYPE_CHECKING:
    from sandbox.workspace import Workspace

PYTHON = "/usr/bin/python3"
_PROGRAMS = "/opt/stich/programs"


class PythonApi:
    """FastAPI with a page; packages are those of the template."""

    packages = "/opt/stich/python"
    layers: Sequence[str] = ("data",)

    async def check(self, workspace: "Workspace") -> CheckReport:
        begun = time.monotonic()
        ruff = [
            *(
                workspace.place(f"{self.packages}/bin/ruff"),
                "check",
                "--output-format",
                "json",
                "--no-cache",
                "--no-fix",
            ),
            *("--config", workspace.place("/workspace/ruff.toml"), "."),
        ]
        load = [PYTHON, "-X", "frozen_modules=on", workspace.place(f"{_PROGRAMS}/load.py")]
        linted, loaded = await asyncio.gather(
            workspace.inspect(ruff), workspace.make(load, self.environment(workspace))
        )
        issues = findings.ruff(linted.stdout)
        ran: list[IssueSource] = []
        findings.conclude(linted, IssueSource.LINT, "ruff", issues, ran)
        broken = findings.traceback(loaded.stderr) if loaded.exit_code != 0 else None
        # A syntax error is told by ruff already, and better.
        if broken is not None and not any(found.code == "invalid-syntax" for found in issues):
            issues.append(broken)
        if broken is None:
            findings.conclude(loaded, IssueSource.BUILD, "import", issues, ran)
        else:
            ran.append(IssueSource.BUILD)
        return findings.report(issues, ran, time.monotonic() - begun)

    async def build(self, workspace: "Workspace") -> CheckReport:
        """Nothing is built: the sources are what runs. Imports the application once more."""
        return await self.check(workspace)

    def server(self, workspace: "Workspace", socket: int) -> list[str]:
        return [PYTHON, workspace.place(f"{_PROGRAMS}/serve.py"), str(socket)]

    def environment(self, workspace: "Workspace") -> dict[str, str]:
        return {
            "PYTHONPATH": workspace.place(self.packages),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "PYTHONNOUSERSITE": "1",
        }

    async def before_server(self, workspace: "Workspace", prepared: Path) -> None:
        return

    async def make_ready(self, workspace: "Workspace", prepared: Path, say: Say) -> None:
        return
