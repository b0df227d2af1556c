"""Projects of plain files: Biome reads HTML, CSS and scripts; a small server shows them."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import findings, links
from sandbox.toolchain import Say
from schemas.checks import CheckReport, Issue, IssueSource

if TYPE_CHECKING:
    from sandbox.workspace import Workspace

_PROGRAMS = "/opt/stich/programs"


class StaticPages:
    """Nothing is installed and nothing is compiled."""

    packages = "/opt/stich/node_modules"
    layers: Sequence[str] = ()

    async def check(self, workspace: "Workspace") -> CheckReport:
        begun = time.monotonic()
        issues: list[Issue] = []
        ran: list[IssueSource] = []
        biome = await workspace.inspect(
            [
                *("node", workspace.place(f"{self.packages}/@biomejs/biome/bin/biome"), "lint", "--reporter=json"),
                *("--max-diagnostics=200", "--config-path", workspace.place("/workspace/biome.json"), "."),
            ]
        )
        issues += findings.biome(biome.stdout)
        findings.conclude(biome, IssueSource.MARKUP, "biome", issues, ran)
        if not any(found.source is IssueSource.SANDBOX for found in issues):
            ran.append(IssueSource.LINT)
        issues += await asyncio.to_thread(links.missing, workspace.sources())
        return findings.report(issues, ran, time.monotonic() - begun)

    async def build(self, workspace: "Workspace") -> CheckReport:
        begun = time.monotonic()
        result = await workspace.make(["node", workspace.place(f"{_PROGRAMS}/copy.mjs")], {})
        issues = findings.build(result.stdout)
        ran: list[IssueSource] = []
        findings.conclude(result, IssueSource.BUILD, "build", issues, ran)
        return findings.report(issues, ran, time.monotonic() - begun)

    def server(self, workspace: "Workspace", socket: int) -> list[str]:
        return ["node", workspace.place(f"{_PROGRAMS}/static.mjs"), str(socket)]

    def environment(self, workspace: "Workspace") -> dict[str, str]:
        return {}

    async def before_server(self, workspace: "Workspace", prepared: Path) -> None:
        return

    async def make_ready(self, workspace: "Workspace", prepared: Path, say: Say) -> None:
        return
