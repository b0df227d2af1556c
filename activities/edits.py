"""What users do to a session's files, shown where the session shows them; restores; and sessions that fork."""

from collections.abc import Callable, Sequence

from temporalio import activity

from activities.context import Rooms
from activities.material import BLUEPRINT, blueprint_of
from activities.project_files import file_ref
from activities.step import fail, running
from activities.workspace import may_heal, sandbox_failure, workspace_of
from sandbox import SandboxError
from schemas.events import Event, FileDeleted, FileGenerated
from schemas.failures import Failure
from schemas.operations import (
    DiscardInput,
    DiscardResult,
    EditsInput,
    EditsResult,
    ForkInput,
    ForkResult,
    RestoreInput,
    RestoreResult,
)
from schemas.session import PhaseProgress
from storage.file_rows import FileMissing, FileVersion
from storage.forks import Forks, NotOwned
from storage.sessions import SessionMissing
from storage.versions import ForkPoint, Versions

SHOW_ATTEMPTS = 3


class EditActivities:
    """Brings users' edits to the workspace."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="show_edits")
    async def show(self, given: EditsInput) -> EditsResult:
        """Write users' edits into the workspace that this host has of the session, so that an open preview shows them.

        A workspace that cannot take them is left to the next check, which says what is wrong.
        """
        async with running(self._rooms, given) as step:
            if given.template is not None and self._rooms.sandbox.find(given.session_id) is not None:
                try:
                    await workspace_of(self._rooms, given.session_id, given.template)
                except SandboxError as error:
                    if may_heal(error) and step.attempt < SHOW_ATTEMPTS:
                        raise sandbox_failure(error) from error
            standing = await Versions(self._rooms.database).since(given.session_id, given.since)
            seq, usage = await step.ended()
            return EditsResult(
                last_seq=seq,
                usage=usage,
                files=[file_ref(version) for version in standing if version.sha256 is not None],
                deleted={version.path: version.version for version in standing if version.sha256 is None},
            )


class RestoreActivities:
    """Goes back to versions, and on from those of other sessions. Needs nothing but Postgres."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="restore_project")
    async def restore(self, given: RestoreInput) -> RestoreResult:
        """Make the project, or one file, what it was at a version, as a new version. Raises `version_not_found`."""
        async with running(self._rooms, given) as step:
            wanted = given.wanted
            try:
                changes = await Versions(self._rooms.database).restore(
                    step.writer, wanted.version, path=wanted.path, user_id=wanted.user_id, announce=_announce(step.id)
                )
            except FileMissing as error:
                raise _missing(str(error)) from error
            files = await self._rooms.files.current(given.session_id)
            seq, usage = await step.ended()
            return RestoreResult(
                last_seq=seq,
                usage=usage,
                files=files,
                changed=[change.path for change in changes],
                version=changes[-1].version if changes else None,
            )

    @activity.defn(name="discard_phases")
    async def discard(self, given: DiscardInput) -> DiscardResult:
        """Make the project what it was before phases, as a new version. Raises `version_not_found`."""
        async with running(self._rooms, given) as step:
            versions, changes = Versions(self._rooms.database), list[FileVersion]()
            before = await versions.before_phases(given.session_id, given.phase_ids)
            if before:
                try:
                    changes = await versions.restore(
                        step.writer, before, path=None, user_id=given.wanted_by, announce=_announce(step.id)
                    )
                except FileMissing as error:
                    raise _missing(str(error)) from error
            files = await self._rooms.files.current(given.session_id)
            stood = changes[0].version - 1 if changes else await versions.last(given.session_id)
            seq, usage = await step.ended()
            return DiscardResult(
                last_seq=seq,
                usage=usage,
                files=files,
                stood=stood,
                went_back_to=before if changes else None,
                version=changes[-1].version if changes else None,
            )

    @activity.defn(name="fork_session")
    async def fork(self, given: ForkInput) -> ForkResult:
        """Give a new session what another one of the same user had at a version: files by reference, plan, phases.

        Raises `version_not_found`.
        """
        async with running(self._rooms, given) as step:
            origin, forks = given.origin, Forks(self._rooms.database)
            try:
                source = await forks.source(origin.session_id, given.session_id)
                point = await Versions(self._rooms.database).fork_point(origin.session_id, origin.version)
            except (FileMissing, SessionMissing, NotOwned) as error:
                raise _missing(f"version {origin.version} of {origin.session_id}") from error
            await Versions(self._rooms.database).copy(origin.session_id, origin.version, given.session_id, step.id)
            await forks.copy_conversation(origin.session_id, given.session_id, point.at)
            await forks.copy_plan(origin.session_id, given.session_id, BLUEPRINT, point.at)
            blueprint = await blueprint_of(self._rooms, given.session_id)
            phases = carried_phases(await forks.phases(origin.session_id), point, smart=given.mode == "smart")
            files = await self._rooms.files.current(given.session_id)
            for file in files:
                step.emit(FileGenerated(operation_id=step.id, file=file))
            if source.template is not None:
                await self._rooms.sessions.set_template(given.session_id, source.template)
            await self._rooms.sessions.set_title(given.session_id, source.title)
            seq, usage = await step.ended()
            return ForkResult(
                last_seq=seq,
                usage=usage,
                title=source.title,
                template=source.template,
                blueprint=blueprint,
                phases=phases,
                files=files,
            )


def carried_phases(phases: Sequence[PhaseProgress], point: ForkPoint, *, smart: bool) -> list[PhaseProgress]:
    """The phases that a fork has: those begun at its version, of which one that was not over is taken up again, without
    those that a retry had taken back by then.

    Pictures stay with the session that took them.
    """
    carried = []
    for phase in phases:
        if phase.discarded_at is not None and phase.discarded_at < point.version:
            continue
        if phase.id not in point.begun:
            break
        over = phase.id in point.over and phase.status == "completed"
        again = {"status": "generating" if smart else "planned", "checks": None, "fix_rounds": 0, "finished_at": None}
        carried.append(phase.model_copy(update={"screenshots": [], "discarded_at": None, **({} if over else again)}))
        if not over:
            break
    return carried


def _announce(operation_id: str) -> Callable[[FileVersion], Event]:
    def announce(version: FileVersion) -> Event:
        if version.sha256 is None:
            return FileDeleted(operation_id=operation_id, path=version.path)
        return FileGenerated(operation_id=operation_id, file=file_ref(version))

    return announce


def _missing(what: str) -> Exception:
    return fail(
        Failure(
            code="version_not_found",
            sentence=f"There is no {what}.",
            next_action="Choose one of the versions that the session lists.",
        )
    )
