"""Tools for the versions of files."""

import difflib

from pydantic import Field

from activities.tools.tool import Bench, FilePath, Tool, ToolFailed
from codegen.prompts import fenced
from storage.files import FileMissing

MAX_VERSIONS = 40


class ListVersions(Tool):
    """List the newest changes of the project, or of one file: version, path, who changed it and why."""

    name = "list_versions"
    effect = "reads"
    path: FilePath | None = None

    def summary(self) -> str:
        return f"Looking at the versions of {self.path or 'the project'}"

    async def run(self, bench: Bench) -> str:
        versions = await bench.rooms.files.versions(bench.session_id, self.path)
        if not versions:
            return "There are no versions yet." if self.path is None else f"{self.path} was never written."
        lines = [
            f"{version.version} {version.path} {'deleted' if version.sha256 is None else f'{version.size} bytes'}"
            f" by {version.author}: {version.reason}"
            for version in reversed(versions[-MAX_VERSIONS:])
        ]
        older = len(versions) - len(lines)
        return fenced("\n".join(lines) + (f"\n... and {older} older ones" if older else ""), "output")


class DiffVersions(Tool):
    """Show what changed in a file, or in all files, between two versions of the project; without `to`, until now.
    Version 0 is the project before it had any file."""

    name = "diff_versions"
    effect = "reads"
    since: int = Field(ge=0)
    to: int | None = Field(default=None, ge=0)
    path: FilePath | None = None

    def summary(self) -> str:
        return f"Comparing {self.path or 'the project'} with version {self.since}"

    async def run(self, bench: Bench) -> str:
        before = await bench.rooms.files.contents(bench.session_id, self.since)
        after = await bench.rooms.files.contents(bench.session_id, self.to)
        paths = sorted(before.keys() | after.keys()) if self.path is None else [self.path]
        if self.path is not None and self.path not in before and self.path not in after:
            raise ToolFailed(f"Neither version has a file {self.path!r}.")
        lines = [line for path in paths for line in _diff(path, before.get(path), after.get(path))]
        return fenced("\n".join(lines), "output") if lines else "Nothing changed."


class RestoreFile(Tool):
    """Make a file what it was at an earlier version of the project."""

    name = "restore_file"
    effect = "writes"
    path: FilePath
    version: int = Field(ge=1)

    def summary(self) -> str:
        return f"Restoring {self.path} from version {self.version}"

    async def run(self, bench: Bench) -> str:
        try:
            content = await bench.rooms.files.read(bench.session_id, self.path, self.version)
        except FileMissing:
            raise ToolFailed(f"At version {self.version} there is no file {self.path!r}.") from None
        if not await bench.done(self.path):
            await bench.files.write(self.path, content)
        return f"{self.path} is as it was at version {self.version}."


def _diff(path: str, before: str | None, after: str | None) -> list[str]:
    if before == after:
        return []
    old, new = (text.splitlines() if text is not None else [] for text in (before, after))
    names = (f"a/{path}" if before is not None else "/dev/null", f"b/{path}" if after is not None else "/dev/null")
    return list(difflib.unified_diff(old, new, *names, lineterm="", n=2))
