"""Tools that run programs in the sandbox."""

import asyncio
from typing import Literal

from pydantic import Field

from activities.material import describe
from activities.project_setup import store_packages
from activities.tools.tool import Bench, Result, Tool, ToolFailed
from activities.workspace import may_heal
from codegen.command_filter import CommandRefused, read_command
from codegen.fixes import find_render_loops, find_stubs
from codegen.prompts import fenced
from inference.tools import bounded
from sandbox import SandboxError
from schemas.blueprint import Line
from schemas.checks import CheckReport, merged
from schemas.events import CommandEvent

MAX_ISSUES = 40  # of one report: what a model can work on, and what history should carry
OUTPUT = 10_000  # characters of a command's output that the model sees
SHOWN = 4_000  # and that people see
COMMAND_SECONDS = 60.0


class InstallPackages(Tool):
    """Install packages, by plain names with or without a version."""

    name = "install_packages"
    effect = "exclusive"
    queue = "sandbox"
    packages: list[Line] = Field(min_length=1, max_length=20)

    def summary(self) -> str:
        return f"Installing {', '.join(self.packages)}"

    async def run(self, bench: Bench) -> str:
        workspace = await bench.workspace()
        self._tell(bench, "running")
        try:
            added = await workspace.install(self.packages)
        except SandboxError as error:
            self._tell(bench, "failed" if may_heal(error) else "refused", str(error))
            raise
        await store_packages(bench.step, workspace, bench.phase_id)
        self._tell(bench, "done")
        return f"Installed. Beside the template's packages the project now has: {', '.join(added)}"

    def _tell(self, bench: Bench, status: Literal["running", "done", "failed", "refused"], output: str = "") -> None:
        command = f"add {' '.join(self.packages)}"[:200]
        bench.step.emit(CommandEvent(operation_id=bench.step.id, command=command, status=status, output=output[:SHOWN]))


class RunChecks(Tool):
    """Check types, style and, when these are clean, the build of the project as it stands."""

    name = "run_checks"
    effect = "exclusive"
    queue = "sandbox"

    def summary(self) -> str:
        return "Checking the code"

    async def run(self, bench: Bench) -> Result:
        workspace = await bench.workspace()
        report = merged(await workspace.check(), await _read(bench))
        if report.ok:
            report = merged(report, (await workspace.build()).report)
        report = report.model_copy(update={"issues": report.issues[:MAX_ISSUES]})
        lines = describe(report.issues)
        return Result(fenced("\n".join(lines), "issue") if lines else "The checks are clean.", report=report)


class RunCommand(Tool):
    """Run one program in the project's folder, without a shell and without network: node, bun run/test/-e, tsc,
    python3, and readers like grep, ls, cat. It ends after a minute. Files that it writes are not kept."""

    name = "run_command"
    effect = "exclusive"
    queue = "sandbox"
    command: str = Field(min_length=1, max_length=2_000)

    def summary(self) -> str:
        return f"Running {self.command.splitlines()[0][:80]}"

    async def run(self, bench: Bench) -> str:
        step = bench.step
        try:
            words = read_command(self.command)
        except CommandRefused as error:
            step.emit(
                CommandEvent(operation_id=step.id, command=self.command[:200], status="refused", output=str(error))
            )
            raise ToolFailed(str(error)) from None
        shown = self.command[:200]
        step.emit(CommandEvent(operation_id=step.id, command=shown, status="running"))
        workspace = await bench.workspace()
        finished = await workspace.run(words, timeout=COMMAND_SECONDS)
        output = "\n".join(part.rstrip() for part in (finished.stdout, finished.stderr) if part.strip())
        step.emit(
            CommandEvent(
                operation_id=step.id,
                command=shown,
                status="done" if finished.ok else "failed",
                output=bounded(output, SHOWN),
            )
        )
        return f"{finished.explain()}\n{fenced(bounded(output, OUTPUT), 'output')}" if output else finished.explain()


async def _read(bench: Bench) -> CheckReport:
    """What no tool of the sandbox sees: modules that only stand in for missing ones, loops of rendering."""
    texts = await bench.contents()
    return CheckReport(issues=await asyncio.to_thread(lambda: [*find_stubs(texts), *find_render_loops(texts)]))
