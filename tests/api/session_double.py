"""A small workflow under the session workflow's name, for tests of the HTTP service alone: it does no work."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from schemas.deployments import Deployment, DeploymentRequest, DeploymentWithdrawal
    from schemas.previews import PreviewControl
    from schemas.session import (
        MessageEdit,
        Preview,
        PreviewStatus,
        Progress,
        QueuedMessage,
        SessionRequest,
        State,
        StateInfo,
        UserMessage,
    )
    from schemas.versions import FilesEdited, PhaseRetried, Restored, RestoreProject, RetryPhase
    from workflows.names import (
        QUERY_PROGRESS,
        SESSION_WORKFLOW,
        SIGNAL_FILES_EDITED,
        SIGNAL_MESSAGE,
        UPDATE_CHECK,
        UPDATE_EDIT_MESSAGE,
        UPDATE_PREVIEW,
        UPDATE_PUBLISH,
        UPDATE_RESTORE,
        UPDATE_RESUME,
        UPDATE_RETRY_PHASE,
        UPDATE_STOP,
        UPDATE_WITHDRAW,
        UPDATE_WITHDRAW_MESSAGE,
    )

END = "please end"
ASKS = "this one asks something"
CANNOT_STOP = "this one takes its time to stop"


@workflow.defn(name=SESSION_WORKFLOW)
class SessionDouble:
    """Answers, takes messages, stops and resumes. A message that says END ends it."""

    @workflow.init
    def __init__(self, request: SessionRequest) -> None:
        self._progress = Progress(
            session_id=workflow.info().workflow_id,
            title=request.prompt[:60],
            prompt=request.prompt,
            mode=request.mode,
            template=request.template,
            state=self._state("planning"),
            images=request.images,
            forked_from=request.fork,
            created_at=workflow.now(),
        )

    def _state(self, name: State) -> StateInfo:
        return StateInfo(name=name, since=workflow.now(), reason=f"Now {name}.", can=["message"])

    @workflow.run
    async def run(self, request: SessionRequest) -> Progress:
        await workflow.wait_condition(lambda: any(message.text == END for message in self._progress.messages))
        return self._progress

    @workflow.signal(name=SIGNAL_MESSAGE)
    def message(self, message: UserMessage) -> None:
        if all(known.id != message.id for known in self._progress.messages):
            self._progress.messages.append(
                QueuedMessage(
                    id=message.id,
                    text=message.text,
                    author=message.author,
                    author_name=message.author_name,
                    at=workflow.now(),
                    images=message.images,
                )
            )

    @workflow.update(name=UPDATE_STOP)
    async def stop(self) -> StateInfo:
        if self._progress.prompt == CANNOT_STOP:
            await workflow.sleep(1)
        if self._progress.state.name != "stopped":
            self._progress.state = self._state("stopped")
        return self._progress.state

    @workflow.update(name=UPDATE_RESUME)
    def resume(self) -> StateInfo:
        if self._progress.state.name == "stopped":
            self._progress.state = self._state("planning")
        return self._progress.state

    @resume.validator
    def _may_resume(self) -> None:
        if self._progress.prompt == ASKS:
            raise ApplicationError("The session waits for an answer: send it as a message.", type="needs_answer")

    @workflow.update(name=UPDATE_PUBLISH)
    def publish(self, request: DeploymentRequest) -> Deployment:
        now = workflow.now()
        made = Deployment(
            id=request.id, target=request.target, version=request.version, requested_at=now, changed_at=now
        )
        self._progress.deployments.append(made)
        return made

    @workflow.update(name=UPDATE_WITHDRAW)
    def withdraw(self, withdrawal: DeploymentWithdrawal) -> Deployment:
        found = [known for known in self._progress.deployments if known.target == withdrawal.target]
        found[-1].status = "withdrawing"
        return found[-1]

    @withdraw.validator
    def _may_withdraw(self, withdrawal: DeploymentWithdrawal) -> None:
        if all(known.target != withdrawal.target for known in self._progress.deployments):
            raise ApplicationError("Nothing is published there.")

    @workflow.update(name=UPDATE_EDIT_MESSAGE)
    def edit_message(self, edit: MessageEdit) -> QueuedMessage:
        message = self._message(edit.id)
        message.text, message.images = edit.text, edit.images
        return message

    @workflow.update(name=UPDATE_WITHDRAW_MESSAGE)
    def withdraw_message(self, message_id: str) -> QueuedMessage:
        message = self._message(message_id)
        message.state = "withdrawn"
        return message

    def _message(self, message_id: str) -> QueuedMessage:
        for message in self._progress.messages:
            if message.id == message_id:
                return message
        raise ApplicationError("The session has no such message.", type="unknown_message")

    @workflow.signal(name=SIGNAL_FILES_EDITED)
    def files_edited(self, edit: FilesEdited) -> None:
        self._progress.title = f"edited in {edit.version}"

    @workflow.update(name=UPDATE_RESTORE)
    def restore(self, wanted: RestoreProject) -> Restored:
        return Restored(version=wanted.version + 100, files=[wanted.user_id])

    @restore.validator
    def _may_restore(self, wanted: RestoreProject) -> None:
        if self._progress.state.name != "stopped":
            raise ApplicationError("The session is at work: stop it first, then restore.", type="busy")

    @workflow.update(name=UPDATE_RETRY_PHASE)
    def retry_phase(self, wanted: RetryPhase) -> PhaseRetried:
        return PhaseRetried(discarded=[wanted.phase_id, wanted.user_id], version=1, phase_id="phase-9")

    @retry_phase.validator
    def _may_retry_phase(self, wanted: RetryPhase) -> None:
        if self._progress.state.name != "stopped":
            raise ApplicationError("The session is at work: stop it first, then retry the phase.", type="busy")
        if wanted.phase_id != "phase-1":
            raise ApplicationError("The session's plan has no such phase.", type="unknown_phase")

    @workflow.update(name=UPDATE_CHECK)
    def check(self) -> StateInfo:
        return self._progress.state

    @workflow.update(name=UPDATE_PREVIEW)
    def control_preview(self, asked: PreviewControl) -> Preview:
        status: PreviewStatus = "stopped" if asked.action == "stop" else "ready"
        self._progress.preview = Preview(status=status, url="http://a.preview.localhost:1")
        return self._progress.preview

    @workflow.query(name=QUERY_PROGRESS)
    def progress(self) -> Progress:
        return self._progress
