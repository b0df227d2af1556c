"""The README of the application, written beside the last checks and kept up to date with every change."""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.readme import ReadmeActivities
    from codegen.readme import PATH
    from schemas.events import ErrorEvent
    from schemas.failures import Failure
    from schemas.operations import FilesResult, ReadmeInput
    from workflows.attempts import Common
    from workflows.options import MODEL_STEP
    from workflows.project import template_of
    from workflows.steps import Session


class Readme:
    """Knows whether the README fits the newest phase. No failure of it holds the session up: it is told and left."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._left_at: str | None = None
        self._task: asyncio.Task[FilesResult | Failure | None] | None = None

    def begin(self) -> None:
        """Begin to write it beside other steps, for the phases so far."""
        if self._task is None and self._is_stale and not self._session.stopped:
            self._task = asyncio.create_task(self._attempt())

    def forget(self) -> None:
        """The project became another one: what was written of it is to be written anew."""
        self._left_at = None

    async def finish(self) -> None:
        """Wait until it is written, anew where it does not fit what was built last."""
        while self._is_stale:
            await self._session.going()
            self.begin()
            await self.settle()

    async def settle(self) -> None:
        """Wait for what `begin` began."""
        if self._task is None:
            return
        task, self._task = self._task, None
        made = await task
        if isinstance(made, Failure):
            self._left_at = self._newest
            operation_id = f"{self._newest}/readme"
            self._session.settle(operation_id)
            self._session.emit(
                ErrorEvent(
                    operation_id=operation_id,
                    code=made.code,
                    sentence=f"The README could not be written. {made.explanation}",
                    next_action="Nothing to do: the application is not affected, and the next change tries again.",
                )
            )
        elif made is not None:
            self._left_at = self._newest
            self._session.take_in(None, made)

    @property
    def _newest(self) -> str:
        return self._session.progress.phases[-1].id

    @property
    def _is_stale(self) -> bool:
        """Whether the newest phase came after it. One that a person wrote is theirs."""
        if self._left_at == self._newest:
            return False
        found = next((file for file in self._session.progress.files if file.path == PATH), None)
        return found is None or (found.author != "user" and found.phase_id != self._newest)

    async def _attempt(self) -> FilesResult | Failure | None:
        session, phase_id = self._session, self._newest

        def given(common: Common) -> ReadmeInput:
            return ReadmeInput(
                **common,
                template=template_of(session),
                phase_id=phase_id,
                phases=[phase.plan for phase in session.progress.phases],
            )

        operation = session.operation(f"{phase_id}/readme", "readme", "Writing the README", phase_id)
        return await session.attempt(ReadmeActivities.write, given, operation, MODEL_STEP)
