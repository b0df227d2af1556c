"""Files out of a model's stream: shown while they are written, stored the moment they are complete."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from contextlib import nullcontext
from typing import Literal

from temporalio.exceptions import ApplicationError

from activities.edit_retry import RETRIES, EditFailed, complete_edit
from activities.material import Material, packages_of
from activities.project_files import ProjectFiles, changes_of
from activities.realtime_fixer import RealtimeFixer
from activities.step import Step, fail
from activities.whole_answer import stream_whole
from codegen.edits import Edited, apply_hunks
from codegen.scof import ScofParser
from schemas.events import ErrorEvent, FileChunk, FileGenerating, FileReset
from schemas.failures import Failure
from schemas.inference import ActionKey, Finish, Message, TextDelta
from schemas.scof import CommandFound, FileChunked, FileClosed, FileFormat, FileOpened, Refused, ScofEvent

MAX_CALLS = 4  # one answer, and three continuations of one that the output limit cut
MAX_RETRIED = 10  # files of one answer whose edits are asked for again

Prompt = Callable[[list[str], dict[str, str]], tuple[Message, ...]]
"""Makes the messages from the files already written and the contents of all files."""


class FileStream:
    """Runs the model calls of one step that writes files. `install` collects the packages it asked for.

    With `repair`, each file is checked as it closes and repaired while the next one streams.
    """

    def __init__(
        self,
        step: Step,
        action: ActionKey,
        *,
        phase_id: str,
        reason: str,
        author: Literal["model", "fix"],
        material: Material,
        repair: bool = False,
    ) -> None:
        self._step = step
        self._action = action
        self._phase_id = phase_id
        self.files = ProjectFiles(
            step, material.template.name, phase_id=phase_id, reason=reason, author=author, seen=material.files
        )
        self._contents = dict(material.files)
        self._format: FileFormat = "full_content"
        self._open: str | None = None
        self._problems: list[str] = []
        self._diff: list[str] = []  # what came so far of the open one
        self._failed: dict[str, list[str]] = {}  # diffs that did not fit, by path
        self.install: list[str] = []
        self._expected: set[str] = set()
        self._fixer = (
            RealtimeFixer(step, self.files, packages=packages_of(material.files), expected=lambda: self._expected)
            if repair
            else None
        )

    async def run(self, prompt: Prompt, planned: Collection[str] = (), meanwhile: Collection[str] = ()) -> None:
        """Ask for the files until an answer is complete. Files that other calls write `meanwhile` may be imported.

        Files that an earlier attempt stored are given to the model as done; when it stored all those `planned`, the
        model is not asked again. Raises `no_files` when nothing came.
        """
        async with self._fixer.beside() if self._fixer else nullcontext():
            await self._run(prompt, planned, meanwhile)

    async def _run(self, prompt: Prompt, planned: Collection[str], meanwhile: Collection[str]) -> None:
        written = await self._written()
        self._expected = {*planned, *meanwhile} - set(written)
        if self._fixer is not None:
            await self._look_again(self._fixer)
        if planned and set(planned) <= set(written):
            return
        numbers, answers = deque(range(MAX_CALLS)), 0
        while numbers:
            complete = await self._one_answer(prompt(written, self._contents), numbers)
            await self._ask_again(MAX_CALLS + answers * MAX_RETRIED * RETRIES)
            written, answers = await self._written(), answers + 1
            if complete:
                break
        if not written:
            raise fail(
                Failure(
                    code="no_files",
                    sentence="The model's answer contained no file.",
                    detail=" ".join(self._problems)[:500],
                ),
                retry=True,
            )

    async def _look_again(self, fixer: RealtimeFixer) -> None:
        """Check what an earlier attempt stored: it may have ended before it could repair it."""
        for version in await self._step.rooms.files.of_operation(self._step.line, self._step.id):
            if version.author == "model" and version.path in self._contents:
                fixer.look_at(version.path, self._contents)

    async def _written(self) -> list[str]:
        files, _ = await changes_of(self._step.rooms, self._step.line, self._step.id)
        return [file.path for file in files]

    async def _one_answer(self, messages: tuple[Message, ...], numbers: deque[int]) -> bool:
        """Read one answer. False when the output limit cut it and the model could not go on in it: the open file is
        dropped, the rest must be asked for."""
        protected = [path for path in self._contents if self.files.protects(path)]
        parser = ScofParser(protected=protected, existing=self._contents)
        reason = "stop"
        try:
            async for delta in stream_whole(self._step, self._action, messages, numbers):
                if isinstance(delta, TextDelta):
                    for event in parser.feed(delta.text):
                        await self._take(event)
                    await self._step.writer.drain()
                elif isinstance(delta, Finish):
                    reason = delta.reason
        except asyncio.CancelledError:
            self._discard("The step was stopped inside it.")
            raise
        except ApplicationError:
            self._discard("The answer broke off inside it.")
            raise
        for event in parser.finish():
            await self._take(event)
        return reason != "length"

    async def _take(self, event: ScofEvent) -> None:
        step = self._step
        match event:
            case FileOpened():
                self._format, self._open = event.format, event.path
                self._diff.clear()
                step.emit(
                    FileGenerating(
                        operation_id=step.id,
                        path=event.path,
                        purpose=event.purpose,
                        format=event.format,
                        phase_id=self._phase_id,
                    )
                )
            case FileChunked():
                if self._format == "unified_diff":
                    self._diff.append(event.text)
                step.emit(
                    FileChunk(
                        operation_id=step.id,
                        path=event.path,
                        offset=event.offset,
                        text=event.text,
                        format=self._format,
                    )
                )
            case FileClosed():
                await self._store(event.path, event.content)
            case CommandFound():
                self.install += [spec for spec in event.packages if spec not in self.install]
            case Refused(code="diff_failed"):
                self._failed.setdefault(event.path, []).append("".join(self._diff))
                self._discard("This edit does not fit the file; it is asked for again.")
            case Refused():
                self._refuse(event.path, event.code, event.sentence)
            case _ if event.truncated is not None:
                self._discard("The answer ended inside it.")

    def _discard(self, reason: str) -> None:
        """What streamed of the open file is not kept, and watchers are told so at once."""
        path, self._open = self._open, None
        if path is not None:
            self._step.emit(FileReset(operation_id=self._step.id, path=path, reason=reason))

    async def _store(self, path: str, content: str) -> None:
        self._open = None
        if self._fixer is not None:
            await self._fixer.give_up(path)
        try:
            stored = await self.files.write(path, content)
        except ValueError as error:
            self._refuse(path, "file_refused", str(error))
        else:
            self._contents[path] = stored
            self._expected.discard(path)
            if self._fixer is not None:
                self._fixer.look_at(path, self._contents)

    async def _ask_again(self, call_number: int) -> None:
        """Ask for the edits of an answer that did not fit: what fits of them is kept, what does not comes anew."""
        failed, self._failed = self._failed, {}
        for place, (path, diffs) in enumerate(failed.items()):
            if self._fixer is not None:
                await self._fixer.give_up(path)
            edited = Edited(self._contents.get(path, ""), 0, ())
            for diff in diffs:
                edited = edited.followed_by(apply_hunks(edited.text, diff))
            try:
                if place >= MAX_RETRIED:
                    raise EditFailed("Too many edits of this answer do not fit.")
                number = call_number + place * RETRIES
                text = await complete_edit(self._step, self._action, path, edited, self._contents, call_number=number)
            except EditFailed as error:
                self._refuse(path, "edit_failed", f"The edit of {path} could not be used. {error}"[:1000])
            else:
                await self._store(path, text)

    def _refuse(self, path: str, code: str, sentence: str) -> None:
        """A file that cannot be taken: watchers see why, and nothing of it is kept."""
        self._problems.append(sentence)
        self._open = None
        if path:
            self._step.emit(FileReset(operation_id=self._step.id, path=path, reason=sentence))
        self._step.emit(
            ErrorEvent(
                operation_id=self._step.id,
                code=code,
                sentence=sentence,
                next_action="Nothing to do: the checks that follow see what is missing.",
            )
        )
