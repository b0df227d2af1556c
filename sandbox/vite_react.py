"""React projects: TypeScript's native compiler, oxlint and Vite, through launchers of our own."""

import asyncio
import platform
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import buildplaces, findings
from sandbox.errors import PathRefused, SandboxError
from sandbox.toolchain import Say
from schemas.checks import CheckReport, Issue, IssueSource

if TYPE_CHECKING:
    from sandbox.workspace import Workspace

_ARCHITECTURES = {"x86_64": "x64", "aarch64": "arm64"}


class ViteReact:
    """Never runs the project's own scripts or configuration."""

    packages = "/workspace/node_modules"
    layers: Sequence[str] = ()

    async def check(self, workspace: "Workspace") -> CheckReport:
        begun = time.monotonic()
        place = workspace.place
        native = _ARCHITECTURES.get(platform.machine(), platform.machine())
        types = [
            place(f"/workspace/node_modules/@typescript/typescript-linux-{native}/lib/tsc"),
            # Threads would each read the libraries' types anew: a third more work, which another session waits for.
            *("--noEmit", "--singleThreaded", "--pretty", "false", "-p", "tsconfig.json"),
        ]
        lint = [
            *("node", place("/workspace/node_modules/oxlint/bin/oxlint"), "src"),
            *("-c", place("/workspace/.oxlintrc.json"), "-f", "json"),
        ]
        typed, linted = await asyncio.gather(workspace.inspect(types), workspace.inspect(lint))
        issues = findings.typescript(typed.stdout) + findings.oxlint(linted.stdout)
        ran: list[IssueSource] = []
        findings.conclude(typed, IssueSource.TYPECHECK, "tsc", issues, ran)
        findings.conclude(linted, IssueSource.LINT, "oxlint", issues, ran)
        return findings.report(issues, ran, time.monotonic() - begun)

    async def build(self, workspace: "Workspace") -> CheckReport:
        begun = time.monotonic()
        program = workspace.place("/opt/stich/programs/build.mjs")
        result = await workspace.make(["node", program], self.environment(workspace))
        issues = [await self._located(workspace, found) for found in findings.build(result.stdout)]
        ran: list[IssueSource] = []
        findings.conclude(result, IssueSource.BUILD, "build", issues, ran)
        return findings.report(issues, ran, time.monotonic() - begun)

    async def _located(self, workspace: "Workspace", found: Issue) -> Issue:
        if found.file is None:
            return found
        try:
            return buildplaces.located(found, await workspace.read(found.file))
        except (OSError, PathRefused):
            return found

    def server(self, workspace: "Workspace", socket: int) -> list[str]:
        return ["node", workspace.place("/opt/stich/programs/dev.mjs"), str(socket)]

    def environment(self, workspace: "Workspace") -> dict[str, str]:
        # The same list for every session of a template: another list makes Vite bundle anew.
        return {"STICH_LIBRARIES": ",".join(workspace.template.package()["dependencies"])}

    async def before_server(self, workspace: "Workspace", prepared: Path) -> None:
        target = workspace.cache / "vite"
        if (prepared / "vite").is_dir() and not target.exists():
            await asyncio.to_thread(self._copy, workspace, prepared / "vite", target)

    async def make_ready(self, workspace: "Workspace", prepared: Path, say: Say) -> None:
        say("bundling its libraries for the development server")
        program = workspace.place("/opt/stich/programs/prebundle.mjs")
        result = await workspace.make(["node", program], self.environment(workspace))
        if not result.ok:
            raise SandboxError(f"The libraries could not be bundled: {(result.stderr or result.explain())[-500:]}")
        staging = prepared / "vite.new"
        shutil.rmtree(staging, ignore_errors=True)
        await asyncio.to_thread(shutil.copytree, workspace.cache / "vite", staging, symlinks=True)
        shutil.rmtree(prepared / "vite", ignore_errors=True)
        staging.rename(prepared / "vite")

    def _copy(self, workspace: "Workspace", source: Path, target: Path) -> None:
        shutil.copytree(source, target, symlinks=True)
        workspace.give_tree(target)
