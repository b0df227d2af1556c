"""Tools for the project's files."""

from pydantic import Field

from activities.material import template_named
from activities.tools.tool import Bench, FilePath, Tool, ToolFailed
from codegen.prompts import fenced
from codegen.search_replace import apply_search_replace
from schemas.templates import matches
from schemas.versions import MAX_TEXT

MAX_HITS = 100


class ListFiles(Tool):
    """List the paths of all files of the project, with their sizes in characters."""

    name = "list_files"
    effect = "reads"

    def summary(self) -> str:
        return "Looking at the list of files"

    async def run(self, bench: Bench) -> str:
        contents = await bench.contents()
        return "\n".join(f"{path} ({len(text)})" for path, text in sorted(contents.items())) or "There are no files."


class ReadFile(Tool):
    """Read a file, whole or from one line to another (counted from 1, both included)."""

    name = "read_file"
    effect = "reads"
    path: FilePath
    first_line: int | None = Field(default=None, ge=1)
    last_line: int | None = Field(default=None, ge=1)

    def summary(self) -> str:
        return f"Reading {self.path}"

    async def run(self, bench: Bench) -> str:
        text = _existing(await bench.contents(), self.path)
        if matches(self.path, template_named(bench.rooms, bench.template).redacted_files):
            raise ToolFailed(f"{self.path} is not shown.")
        if self.first_line is None and self.last_line is None:
            return fenced(text, "file", path=self.path)
        first, lines = self.first_line or 1, text.splitlines()
        part = lines[first - 1 : self.last_line]
        if not part:
            raise ToolFailed(f"{self.path} has {len(lines)} lines.")
        return fenced("\n".join(part), "file", path=self.path, lines=f"{first}-{first + len(part) - 1}")


class SearchFiles(Tool):
    """Find the lines of all files that contain a text, as it is written."""

    name = "search_files"
    effect = "reads"
    text: str = Field(min_length=1, max_length=1_000)

    def summary(self) -> str:
        return f"Searching for “{self.text[:40]}”"

    async def run(self, bench: Bench) -> str:
        hits = [
            f"{path}:{number}: {line.strip()[:200]}"
            for path, content in sorted((await bench.contents()).items())
            for number, line in enumerate(content.splitlines(), 1)
            if self.text in line
        ]
        more = f"\n... and {len(hits) - MAX_HITS} more" if len(hits) > MAX_HITS else ""
        return fenced("\n".join(hits[:MAX_HITS]) + more, "output") if hits else "No line contains this."


class WriteFile(Tool):
    """Write a file, whole. It replaces one of the same path."""

    name = "write_file"
    effect = "writes"
    path: FilePath
    content: str = Field(max_length=MAX_TEXT)

    def summary(self) -> str:
        return f"Writing {self.path}"

    async def run(self, bench: Bench) -> str:
        if not await bench.done(self.path):
            await bench.files.works_from(self.path, await _read_before(bench))
            await bench.files.write(self.path, self.content)
        return f"Wrote {self.path}."


class EditFile(Tool):
    """Change parts of a file with search/replace blocks (<<<<<<< SEARCH, =======, >>>>>>> REPLACE). Each block's search
    part must occur exactly once in the file."""

    name = "edit_file"
    effect = "writes"
    path: FilePath
    blocks: str = Field(min_length=1, max_length=MAX_TEXT)

    def summary(self) -> str:
        return f"Editing {self.path}"

    async def run(self, bench: Bench) -> str:
        if await bench.done(self.path):
            return f"Edited {self.path}."  # its blocks would no longer be found
        report = apply_search_replace(_existing(await bench.contents(), self.path), self.blocks)
        if not report.blocks:
            raise ToolFailed("There is no search/replace block in this.")
        if report.failed:
            raise ToolFailed("\n".join(f"Block {block.number}: {block.reason}" for block in report.failed))
        await bench.files.write(self.path, report.text)
        return f"Edited {self.path}."


class DeleteFile(Tool):
    """Delete a file."""

    name = "delete_file"
    effect = "writes"
    path: FilePath

    def summary(self) -> str:
        return f"Deleting {self.path}"

    async def run(self, bench: Bench) -> str:
        if bench.files.protects(self.path):
            raise ToolFailed(f"{self.path} belongs to the template and cannot be deleted.")
        if not await bench.done(self.path):
            _existing(await bench.contents(), self.path)
            await bench.files.delete([self.path])
        return f"Deleted {self.path}."


async def _read_before(bench: Bench) -> list[str]:
    """The texts of the files that the model has read whole in this thread."""
    thread = await bench.rooms.transcripts.messages(bench.session_id, bench.phase_id)
    read = [said.text for said in thread if said.role == "tool" and said.name == ReadFile.name and not said.is_error]
    # A fence takes the last line break; without it, a line that goes on would seem to have been read.
    parts = [text.split("\n", 1) for text in read]
    return [body.rsplit("\n", 1)[0] + "\n" for opening, body in parts if " lines=" not in opening]


def _existing(contents: dict[str, str], path: str) -> str:
    if path not in contents:
        raise ToolFailed(f"There is no file {path!r}. list_files shows those there are.")
    return contents[path]
