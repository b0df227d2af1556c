"""Repair each file the moment it is complete, while the next one streams.

What rules can mend costs nothing; what is left of a file that is faulty by itself is given to a model, in few passes.
A file never becomes worse: a repair that does not parse, adds a fault or loses an export is thrown away.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Final, Literal

from temporalio.exceptions import ApplicationError

from activities.material import describe
from activities.model_call import stream_model
from activities.project_files import ProjectFiles
from activities.step import Step
from codegen.context import select_files
from codegen.fixes import find_faults, fix_issues, lost_exports
from codegen.prompts import render
from codegen.scof import ScofParser
from schemas.checks import Issue
from schemas.events import FileFix
from schemas.inference import ActionKey, Finish, Message, TextDelta
from schemas.scof import FileClosed, ScofEvent

PASSES: Final = 2
AT_ONCE: Final = 3  # files under repair by a model beside the stream
PASS_SECONDS: Final = 90.0
FIRST_CALL: Final = 100  # the numbers of the stream's own calls stay below
CONTEXT_TOKENS: Final = 8_000  # of files beside the faulty one
_SHRUNK: Final = 0.6  # a repair that leaves less of a file than this has thrown code away

Status = Literal["fixing", "fixed", "kept"]


class RealtimeFixer:
    """The repairs of one step. `files` stores what they write; `expected` tells which files are still to come."""

    def __init__(
        self, step: Step, files: ProjectFiles, *, packages: Collection[str], expected: Callable[[], Collection[str]]
    ) -> None:
        self._step = step
        self._files = files
        self._packages = packages
        self._expected = expected
        self._running: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._calls = FIRST_CALL

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """Wait for the repairs under way at the end of the block; end them when it fails. Raises Fenced."""
        try:
            yield
            await asyncio.gather(*self._running.values())
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    def look_at(self, path: str, contents: dict[str, str]) -> None:
        """Check a file that was just stored, and repair it beside the stream. `contents` are those of all files; a
        repair changes them."""
        self._running[path] = asyncio.create_task(self._repair(path, contents), name=f"repair of {path}")

    async def give_up(self, path: str) -> None:
        """The file comes anew: an earlier repair of it is ended. Raises Fenced."""
        if (earlier := self._running.pop(path, None)) is not None and not earlier.done():
            earlier.cancel()
            await asyncio.wait({earlier})

    async def _repair(self, path: str, contents: dict[str, str]) -> None:
        text = contents[path]
        expected = frozenset(self._expected()) - {path}
        faults = await asyncio.to_thread(find_faults, path, dict(contents), expected)
        if not faults or await self._is_settled(path, text):
            return
        mended = await asyncio.to_thread(self._by_rule, path, dict(contents), faults)
        if mended != text and await self._keep(path, text, mended, contents, faults, "rule"):
            text = mended
            faults = await asyncio.to_thread(find_faults, path, dict(contents), expected)
        if faults and (await self._step.model_access()).enabled(ActionKey.REALTIME_CODE_FIXER):
            async with self._slots:
                await self._by_model(path, text, contents, faults, expected)

    # --- rules --------------------------------------------------------------------------------------------------------

    def _by_rule(self, path: str, contents: Mapping[str, str], faults: list[Issue]) -> str:
        """The file as rules leave it; they may change nothing else."""
        report = fix_issues(
            contents, faults, packages=self._packages, protected=lambda other: other != path, refused=lambda _: True
        )
        return report.changed.get(path, contents[path])

    # --- the model ----------------------------------------------------------------------------------------------------

    async def _by_model(
        self, path: str, text: str, contents: dict[str, str], faults: list[Issue], expected: Collection[str]
    ) -> None:
        """Ask for the file again until nothing is wrong with it, in few passes."""
        first = text
        for _ in range(PASSES):
            self._show(path, "fixing", "model", faults)
            answer = await self._ask(path, text, contents, faults)
            if answer is None or answer == text:
                continue
            left = await asyncio.to_thread(find_faults, path, {**contents, path: answer}, expected)
            if not _better(path, text, answer, faults, left):
                continue
            if not await self._keep(path, text, answer, contents, faults, "model"):
                return
            text, faults = answer, left
            if not faults:
                return
        if text == first:
            self._show(path, "kept", "model", faults)
        await self._settle(path, text)

    async def _ask(self, path: str, text: str, contents: Mapping[str, str], faults: list[Issue]) -> str | None:
        """The whole file as the model would have it; None when it gave none in time."""
        others = {other: content for other, content in contents.items() if other != path}
        near = {other: content for other, content in others.items() if _named(other, text)}
        shown, omitted = select_files(near, near, CONTEXT_TOKENS)
        messages = render(
            "realtime_code_fixer",
            path=path,
            text=text,
            files=shown,
            omitted=omitted,
            issues=describe(faults),
            expected=sorted(self._expected()),
        )
        try:
            async with asyncio.timeout(PASS_SECONDS):
                return await self._answer(messages, path, dict(contents))
        except (ApplicationError, TimeoutError):
            return None  # the call is in the ledger with its reason; the file stays as the stream wrote it

    async def _answer(self, messages: tuple[Message, ...], path: str, existing: dict[str, str]) -> str | None:
        parser = ScofParser(existing=existing)
        found: str | None = None
        self._calls += 2

        def take(events: list[ScofEvent]) -> None:
            nonlocal found
            for event in events:
                if isinstance(event, FileClosed) and event.path == path:
                    found = event.content

        async for delta in stream_model(self._step, ActionKey.REALTIME_CODE_FIXER, messages, call_number=self._calls):
            if isinstance(delta, TextDelta):
                take(list(parser.feed(delta.text)))
            elif isinstance(delta, Finish) and delta.reason == "length":
                return None
        take(list(parser.finish()))
        return found

    # --- what is kept -------------------------------------------------------------------------------------------------

    async def _keep(
        self,
        path: str,
        before: str,
        after: str,
        contents: dict[str, str],
        faults: list[Issue],
        by: Literal["rule", "model"],
    ) -> bool:
        """Store a repair, unless the stream wrote the file anew meanwhile."""
        if contents[path] != before:
            return False
        reason = f"Repaired as it was written: {faults[0].message}"[:300]
        try:
            stored = await self._files.write(path, after, author="fix", reason=reason)
        except ValueError:  # it grew too large to be stored
            return False
        contents[path] = stored
        self._show(path, "fixed", by, faults)
        return True

    def _show(self, path: str, status: Status, by: Literal["rule", "model"], faults: list[Issue]) -> None:
        self._step.emit(
            FileFix(
                operation_id=self._step.id, path=path, status=status, by=by, problems=[each.message for each in faults]
            )
        )

    # --- what is not paid for twice -----------------------------------------------------------------------------------

    def _note(self, path: str, text: str) -> str:
        digest = hashlib.sha256("\0".join((path, text)).encode()).hexdigest()
        return f"{self._step.id}/realtime/{digest[:32]}"

    async def _is_settled(self, path: str, text: str) -> bool:
        """Whether an attempt at this step has found that this text cannot be repaired here."""
        begun = await self._step.rooms.operations.begin(self._step.session_id, self._note(path, text))
        return begun.result is not None

    async def _settle(self, path: str, text: str) -> None:
        operations, note = self._step.rooms.operations, self._note(path, text)
        await operations.begin(self._step.session_id, note)
        await operations.finish(self._step.session_id, note, "{}")


def _better(path: str, before: str, after: str, faults: list[Issue], left: list[Issue]) -> bool:
    """Whether a repair took faults away and nothing else."""
    known = {(issue.code, issue.message) for issue in faults}
    return (
        len(left) < len(faults)
        and all((issue.code, issue.message) in known for issue in left)
        and len(after) >= _SHRUNK * len(before)
        and not lost_exports(path, before, after)
    )


def _named(path: str, text: str) -> bool:
    """Whether a text may import a file: its name stands in it."""
    stem = path.rpartition("/")[2].partition(".")[0]
    return len(stem) > 1 and f"/{stem}" in text
