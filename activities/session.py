"""The session's own rows: created first, its state and events written down whether or not a model or sandbox runs."""

from temporalio import activity

from activities.context import Rooms
from activities.project_files import changes_of
from activities.step import record, running
from schemas.inference import ActionKey
from schemas.operations import (
    CreateSessionInput,
    FilesResult,
    OperationResult,
    ReadBackInput,
    RecordEventsInput,
    SessionCreatedResult,
)
from schemas.session import SessionRequest
from storage.budgets import Budgets
from storage.images import PROMPT, Images
from storage.sessions import SessionRecord


class SessionActivities:
    """Run on the workflow's own queue: short, and needing nothing but Postgres."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="create_session")
    async def create(self, given: CreateSessionInput) -> SessionCreatedResult:
        """Create the session's rows, whoever started the workflow, keep the model settings that its user has now, and
        say which model will answer."""
        progress = given.progress
        await self._rooms.sessions.create(
            SessionRecord(
                id=given.session_id,
                user_id=given.user_id,
                title=progress.title,
                prompt=progress.prompt,
                mode=progress.mode,
                template=progress.template,
                request=SessionRequest.model_validate(
                    {**given.asked, "prompt": progress.prompt, "user_id": given.user_id}
                ),
            )
        )
        if progress.images:
            await Images(self._rooms.database).attach(given.session_id, PROMPT, progress.images)
        async with running(self._rooms, given) as step:
            if given.max_cost_usd is not None:
                await Budgets(self._rooms.database).begin_session(given.session_id, given.max_cost_usd)
            await self._rooms.model_choices.take(given.session_id, given.user_id)
            model, demo = await step.serves(ActionKey.PHASE_IMPLEMENTATION)
            shown = progress.model_copy(update={"model": model, "demo": demo})
            await self._rooms.sessions.save_progress(given.session_id, shown)
            seq, usage = await step.ended()
            return SessionCreatedResult(last_seq=seq, usage=usage, model=model, demo=demo)

    @activity.defn(name="record_events")
    async def record_events(self, given: RecordEventsInput) -> OperationResult:
        """Write down the workflow's events that no step carries."""
        seq = await record(self._rooms, given.session_id, given.outbox)
        if given.progress is not None:
            await self._rooms.sessions.save_progress(given.session_id, given.progress)
        return OperationResult(last_seq=seq)

    @activity.defn(name="read_back")
    async def read_back(self, given: ReadBackInput) -> FilesResult:
        """The files that an interrupted step had finished."""
        async with running(self._rooms, given) as step:
            files, deleted = await changes_of(self._rooms, given.session_id, given.of)
            seq, usage = await step.ended()
            return FilesResult(last_seq=seq, usage=usage, files=files, deleted=deleted)
