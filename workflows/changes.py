"""What users do to a session's files beside its builders: edits, restores, checks that they ask for."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.edits import EditActivities, RestoreActivities
    from schemas.failures import Failure
    from schemas.operations import EditsInput, EditsResult, ForkInput, RestoreInput
    from schemas.session import ForkOrigin
    from schemas.versions import FilesEdited, Restored, RestoreProject
    from workflows.attempts import AT_REST
    from workflows.options import SANDBOX_STEP, SESSION_STEP
    from workflows.steps import Session

IN_SANDBOX = frozenset({"checks", "project_setup", "preview", "tool"})


class UserChanges:
    """The changes that users make to the project of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._edited_since: int | None = None
        self._showing = False

    @property
    def quiet(self) -> bool:
        """Whether every edit is shown."""
        return self._edited_since is None and not self._showing

    # --- edits ------------------------------------------------------------------------------------------------------

    def edited(self, edit: FilesEdited) -> None:
        """A user changed files; they are stored already."""
        since = self._edited_since
        self._edited_since = edit.version if since is None else min(since, edit.version)

    async def show_in_background(self) -> None:
        """Bring edits into the manifest and before whoever looks at the preview, many of them at once.

        Steps in the sandbox bring the workspace up to date themselves when they start; while one runs, edits wait.
        """
        session = self._session
        while True:
            await workflow.wait_condition(lambda: self._edited_since is not None and not self._in_sandbox())
            since, self._edited_since, self._showing = self._edited_since, None, True
            assert since is not None  # waited for
            before = session.changes
            shown = await session.attempt(
                EditActivities.show,
                lambda common, since=since: EditsInput(  # type: ignore[misc]
                    **common, since=since, template=session.progress.template
                ),
                session.operation(f"edits-{since}", "show_edits", "Showing your edit"),
                SANDBOX_STEP,
            )
            session.settle(f"edits-{since}")
            if isinstance(shown, EditsResult):
                undisturbed = before == session.changes
                self._take_in(shown)
                if not undisturbed:  # a step changed files meanwhile: what was read may be older than what it did
                    self.edited(FilesEdited(version=since))
            self._showing = False

    def _take_in(self, shown: EditsResult) -> None:
        files = {file.path: file for file in self._session.progress.files}
        for path, version in shown.deleted.items():
            if path in files and files[path].version < version:
                del files[path]
        for file in shown.files:
            if file.path not in files or files[file.path].version < file.version:
                files[file.path] = file
        self._session.show_files(files.values())

    def _in_sandbox(self) -> bool:
        return any(operation.action in IN_SANDBOX for operation in self._session.progress.operations)

    # --- restoring --------------------------------------------------------------------------------------------------

    def require_rest(self, what: str) -> None:
        """Raises ApplicationError `busy` while builders are at work."""
        state = self._session.progress.state
        if state.name not in AT_REST or self._session.held:
            raise ApplicationError(f"The session is at work: stop it first, then {what}.", type="busy")

    async def restore(self, wanted: RestoreProject) -> Restored:
        """Make the project, or one file, what it was at a version. No step starts meanwhile."""
        session = self._session
        session.held = True
        try:
            await workflow.wait_condition(lambda: not session.building)
            restore_id = f"restore-{session.executions + 1}"
            done = await session.attempt(
                RestoreActivities.restore,
                lambda common: RestoreInput(**common, wanted=wanted),
                session.operation(restore_id, "restore", f"Restoring version {wanted.version}"),
                SESSION_STEP,
            )
            session.settle(restore_id)
            if done is None or isinstance(done, Failure):
                sentence = done.explanation if done else "The restore was stopped."
                raise ApplicationError(sentence, type=done.code if done else "stopped")
            session.show_files(done.files)
            if done.version is not None:
                session.notice(restore_id, f"The project is what it was at version {wanted.version} again.")
                self.edited(FilesEdited(version=done.version))
            return Restored(version=done.version, files=done.changed)
        finally:
            session.held = False

    # --- forking ----------------------------------------------------------------------------------------------------

    async def fork(self, origin: ForkOrigin) -> None:
        """Begin with what another session had at a version."""
        session, progress = self._session, self._session.progress
        taken = await session.step(
            RestoreActivities.fork,
            lambda common: ForkInput(**common, origin=origin, mode=progress.mode),
            session.operation("fork", "fork", f"Taking over version {origin.version}"),
            SESSION_STEP,
            state=("starting", "Taking over what the other session had."),
        )
        progress.title, progress.template, progress.blueprint = taken.title, taken.template, taken.blueprint
        progress.phases = taken.phases
        session.show_files(taken.files)
        session.show_info()
        if taken.blueprint is not None:
            session.show_blueprint(taken.blueprint)
        for phase in taken.phases:
            session.show_phase(phase)
        session.notice("fork", f"This session goes on from version {origin.version} of {origin.session_id}.")
