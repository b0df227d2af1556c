"""How each type of project is checked, built and served."""

import asyncio
import platform
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sandbox import findings
from sandbox.errors import SandboxError
from schemas.checks import CheckReport, IssueSource
from schemas.templates import ProjectType

if TYPE_CHECKING:
    from sandbox.workspace import Workspace

_ARCHITECTURES = {"x86_64": "x64", "aarch64": "arm64"}


class Toolchain(Protocol):
    """The tools of one project type. All commands run in the workspace's sandbox."""

    async def check(self, workspace: "Workspace") -> CheckReport:
        """Type check, lint and compile the sources as they are."""

    async def build(self, workspace: "Workspace") -> CheckReport:
        """Build into the workspace's `dist` folder; the report has errors where there is no usable result."""

    def server(self, workspace: "Workspace", socket: int) -> list[str]:
        """The command line of the development server on a listening socket it inherits."""

    def environment(self, workspace: "Workspace") -> dict[str, str]:
        """Variables of the development server."""

    async def before_server(self, workspace: "Workspace", prepared: Path) -> None:
        """Bring what makes the first start fast."""

    async def make_ready(self, workspace: "Workspace", prepared: Path, say: Callable[[str], None]) -> None:
        """Make, once per machine, what `before_server` brings."""


class ViteReact:
    """TypeScript's native compiler, oxlint and Vite, through launchers of our own and never the project's scripts."""

    async def check(self, workspace: "Workspace") -> CheckReport:
        begun = time.monotonic()
        place = workspace.place
        native = _ARCHITECTURES.get(platform.machine(), platform.machine())
        types = [
            place(f"/workspace/node_modules/@typescript/typescript-linux-{native}/lib/tsc"),
            *("--noEmit", "--pretty", "false", "-p", "tsconfig.json"),
        ]
        lint = [
            *("node", place("/workspace/node_modules/oxlint/bin/oxlint"), "src"),
            *("-c", place("/workspace/.oxlintrc.json"), "-f", "json"),
        ]
        typed, linted = await asyncio.gather(workspace.inspect(types), workspace.inspect(lint))
        issues = findings.typescript(typed.stdout) + findings.oxlint(linted.stdout)
        ran = []
        for result, source, tool in ((typed, IssueSource.TYPECHECK, "tsc"), (linted, IssueSource.LINT, "oxlint")):
            if problem := findings.unfinished(result, source, tool):
                issues.append(problem)
            elif result.exit_code != 0 and not any(found.source is source for found in issues):
                text = (result.stderr or result.stdout)[-500:]
                issues.append(findings.issue(source, f"{tool}-failed", f"{tool} failed: {text}"))
            else:
                ran.append(source)
        return findings.report(issues, ran, time.monotonic() - begun)

    async def build(self, workspace: "Workspace") -> CheckReport:
        begun = time.monotonic()
        result = await workspace.make(
            ["node", workspace.place("/opt/stich/programs/build.mjs")], self._libraries(workspace)
        )
        issues = findings.build(result.stdout)
        if problem := findings.unfinished(result, IssueSource.BUILD, "build"):
            issues.append(problem)
        elif result.exit_code != 0 and not issues:
            issues.append(findings.issue(IssueSource.BUILD, "build-failed", result.stderr[-1000:] or result.explain()))
        return findings.report(issues, [IssueSource.BUILD], time.monotonic() - begun)

    def server(self, workspace: "Workspace", socket: int) -> list[str]:
        return ["node", workspace.place("/opt/stich/programs/dev.mjs"), str(socket)]

    def environment(self, workspace: "Workspace") -> dict[str, str]:
        return self._libraries(workspace)

    async def before_server(self, workspace: "Workspace", prepared: Path) -> None:
        target = workspace.cache / "vite"
        if (prepared / "vite").is_dir() and not target.exists():
            await asyncio.to_thread(self._copy, workspace, prepared / "vite", target)

    async def make_ready(self, workspace: "Workspace", prepared: Path, say: Callable[[str], None]) -> None:
        say("bundling its libraries for the development server")
        program = workspace.place("/opt/stich/programs/prebundle.mjs")
        result = await workspace.make(["node", program], self._libraries(workspace))
        if not result.ok:
            raise SandboxError(f"The libraries could not be bundled: {(result.stderr or result.explain())[-500:]}")
        staging = prepared / "vite.new"
        shutil.rmtree(staging, ignore_errors=True)
        await asyncio.to_thread(shutil.copytree, workspace.cache / "vite", staging, symlinks=True)
        shutil.rmtree(prepared / "vite", ignore_errors=True)
        staging.rename(prepared / "vite")

    def _libraries(self, workspace: "Workspace") -> dict[str, str]:
        # The same list for every session of a template: another list makes Vite bundle anew.
        return {"STICH_LIBRARIES": ",".join(workspace.template.package()["dependencies"])}

    def _copy(self, workspace: "Workspace", source: Path, target: Path) -> None:
        shutil.copytree(source, target, symlinks=True)
        workspace.give_tree(target)


TOOLCHAINS: dict[ProjectType, ViteReact] = {ProjectType.VITE_REACT: ViteReact()}
