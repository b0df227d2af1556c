"""The workflow `CodeGenSession`: one per session, alive as long as people may want something of it.

starting -> planning -> generating <-> reviewing -> completed -> (a message) -> planning ...
    any of them -> stopped -> (resume) -> where it was
    any of them -> waiting_for_capacity -> (time) -> where it was
    any of them -> waiting_for_budget -> (a higher budget, or the next day or month) -> where it was
    any of them -> failed -> (resume) -> where it was
"""

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from schemas.candidates import Candidate, CandidateChoice
    from schemas.deployments import Deployment, DeploymentRequest, DeploymentWithdrawal
    from schemas.failures import Failure
    from schemas.previews import PreviewControl
    from schemas.session import (
        MessageEdit,
        Preview,
        Progress,
        QueuedMessage,
        SessionRequest,
        StateInfo,
        UserMessage,
    )
    from schemas.versions import FilesEdited, PhaseRetried, Restored, RestoreProject, RetryPhase
    from workflows.beginning import create, first_picture, validated
    from workflows.changes import UserChanges
    from workflows.debugging import debug_for
    from workflows.deterministic import DeterministicBuilder
    from workflows.messages import Messages
    from workflows.names import (
        QUERY_PROGRESS,
        SESSION_WORKFLOW,
        SIGNAL_BUDGET_CHANGED,
        SIGNAL_FILES_EDITED,
        SIGNAL_MESSAGE,
        SIGNAL_STOP,
        UPDATE_CHECK,
        UPDATE_CHOOSE,
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
    from workflows.picture import QUESTION
    from workflows.precedence import urgency_of
    from workflows.previewing import check_preview, control_preview
    from workflows.project import check, template_of
    from workflows.publishing import Publisher
    from workflows.renewal import Renewal
    from workflows.retrying import Retries
    from workflows.smart import SmartBuilder
    from workflows.steps import Session, TakenBack


@workflow.defn(name=SESSION_WORKFLOW)
class CodeGenSession:
    """Turns a `SessionRequest` into an application, and goes on with what people ask of it."""

    @workflow.init
    def __init__(self, request: Any = None) -> None:
        # Any program may start this: what it sends is validated here, where a fault ends the workflow with a sentence.
        request = self._request = validated(request)
        carried = request.carried
        self._session = Session(
            carried.progress if carried else first_picture(request),
            user_id=request.user_id,
            keep_open=request.keep_open,
            urgency=urgency_of(request),
            jurisdiction=request.jurisdiction,
            outbox_next=carried.outbox_next if carried else 1,
            executions=carried.executions if carried else 0,
        )
        self._session.round = carried.round if carried else None
        self._builder = self._builder_of(request)
        self._publisher = Publisher(self._session)
        self._messages = Messages(self._session)
        self._changes = UserChanges(self._session)
        self._retries = Retries(self._session, self._changes, keep_open=request.keep_open)
        self._check_asked = False
        self._resting = False
        self._renewal = Renewal(
            self._session, request, restartable=lambda: self._builder.restartable, may_end=self._may_end
        )

    def _builder_of(self, request: SessionRequest) -> SmartBuilder | DeterministicBuilder:
        if request.mode == "smart":
            cycles, phases = request.review_cycles, request.max_phases
            return SmartBuilder(
                self._session, review_cycles=cycles, max_phases=phases, max_cost_usd=request.max_cost_usd
            )
        return DeterministicBuilder(self._session, request)

    @workflow.run
    async def run(self, request: Any = None) -> Progress:
        """`request` is a SessionRequest.

        Works until nothing is left, then waits for messages; or returns the result when `keep_open` is False.
        """
        background = [
            asyncio.create_task(self._session.cockpit.keep(self._progress)),
            asyncio.create_task(self._session.record_in_background()),
            asyncio.create_task(self._messages.answer_in_background(carried_on=self._request.carried is not None)),
            asyncio.create_task(self._publisher.work()),
            asyncio.create_task(self._changes.show_in_background()),
            asyncio.create_task(self._renewal.break_off_when_overdue()),
        ]
        try:
            await self._build()
            return self._progress
        except ApplicationError:
            if self._progress.last_seq:  # what went wrong is written down before the end
                await workflow.wait_condition(lambda: self._session.quiet)
            raise
        finally:
            for task in background:
                task.cancel()

    async def _build(self) -> None:
        if self._request.carried is None:
            await create(self._session, self._request)
            self._messages.tell_of_secrets("prompt", self._progress.prompt)
            if self._request.fork is not None:
                await self._changes.fork(self._request.fork)
        else:
            # A first task that asks for nothing is replayed together with the one after it, whose updates then come
            # before this: a renewed run always asks for something.
            self._session.show_info()
        await self._builder.plan(self._request.template)
        # Of a fork that is complete nothing is left to do, but nobody has seen it run.
        unseen = self._request.fork is not None and self._request.carried is None and self._is_built
        while True:
            try:
                if unseen:
                    unseen = False
                    await self._check_again()
                if await self._go_on():
                    return
            except TakenBack:
                if self._session.renewing:
                    await self._renewal.renew()
                await self._retries.carry_out()
                self._builder = self._builder_of(self._request)

    async def _go_on(self) -> bool:
        """Do what comes next. True when the session has ended. Raises TakenBack."""
        await self._renewal.renew_when_due()
        requests = await self._messages.requests()
        if self._session.waits_for_user and not requests:
            await self._wait_for_user()
            return False
        if asked := next((message for message in requests if message.wants_debug), None):
            await debug_for(self._session, asked)
            return False
        if requests or self._choice_waits or self._progress.state.name != "completed":
            if await self._builder.work(requests) or self._messages.unread():
                return False
            await self._session.going()
            if self._messages.unread() or self._messages.wanted():
                return False
            self._finish()
        if not self._request.keep_open:
            await workflow.wait_condition(lambda: self._publisher.idle and self._may_end())
            return True
        await self._rest()
        return False

    def _finish(self) -> None:
        """Say how it went. A session is completed only when the checks of its last state were clean."""
        problems = self._builder.open_problems()
        if not problems:
            self._session.enter("completed", "The application is ready. Send a message to change it.")
            return
        count = "one problem" if problems == 1 else f"{problems} problems"
        reason = f"The repair rounds are used up and the checks still find {count}."
        self._session.enter("failed", reason, code="checks_failed")
        if not self._request.keep_open:
            failure = Failure(code="checks_failed", sentence=reason, next_action="Raise review_cycles, or simplify.")
            raise ApplicationError(reason, failure.model_dump(), type=failure.code, non_retryable=True)

    async def _rest(self) -> None:
        """Wait for a message that wants a change, or for a resume after open problems; check again when asked to."""
        while True:
            seen, self._resting = self._session.resumes, True
            await self._session.until(
                lambda seen=seen: (  # type: ignore[misc]
                    bool(self._messages.wanted())
                    or self._session.resumes > seen
                    or self._check_asked
                    or self._choice_waits
                    or self._renewal.due
                )
            )
            self._resting = False
            if not self._check_asked:
                break
            self._check_asked = False
            await self._check_again()
        if self._session.resumes > seen:
            self._builder.reopen()

    @property
    def _is_built(self) -> bool:
        phases = self._progress.phases
        return bool(phases) and all(phase.status == "completed" for phase in phases) and phases[-1].plan.last

    async def _check_again(self) -> None:
        """Check the project as it stands, without any repair: nothing that costs money."""
        session, phase = self._session, self._progress.phases[-1]
        await check(session, phase, template_of(session), name=f"asked-{session.executions + 1}")
        phase.status = "completed"
        session.show_phase(phase)
        self._finish()

    def _may_end(self) -> bool:
        return self._session.quiet and self._changes.quiet and workflow.all_handlers_finished()

    async def _wait_for_user(self) -> None:
        """Wait, for days if need be, until the builder's question is answered or its limit lifted."""
        session = self._session
        session.show_waiting()
        seen = session.resumes
        await session.until(lambda: bool(self._messages.wanted()) or session.resumes > seen or self._renewal.due)
        if session.resumes > seen and session.progress.question is None:
            await self._builder.work([])

    # --- messages -------------------------------------------------------------------------------------------------

    @workflow.signal(name=SIGNAL_MESSAGE)
    def message(self, message: UserMessage) -> None:
        """Take a user's message into the queue. One with a known id was sent twice and is ignored."""
        self._messages.take(message)

    @workflow.update(name=UPDATE_EDIT_MESSAGE)
    def edit_message(self, edit: MessageEdit) -> QueuedMessage:
        """Give a message another text and other pictures, as long as nobody has taken it up."""
        return self._messages.edit(edit)

    @edit_message.validator
    def _may_edit(self, edit: MessageEdit) -> None:
        self._messages.require_queued(edit.id)

    @workflow.update(name=UPDATE_WITHDRAW_MESSAGE)
    def withdraw_message(self, message_id: str) -> QueuedMessage:
        """Take a message out of the queue. Withdrawing it twice is harmless."""
        return self._messages.withdraw(message_id)

    @withdraw_message.validator
    def _may_withdraw_message(self, message_id: str) -> None:
        self._messages.require_withdrawable(message_id)

    # --- files and versions ---------------------------------------------------------------------------------------

    @workflow.signal(name=SIGNAL_FILES_EDITED)
    def files_edited(self, edit: FilesEdited) -> None:
        """A user changed files, which are stored already."""
        self._changes.edited(edit)

    @workflow.update(name=UPDATE_RESTORE)
    async def restore(self, wanted: RestoreProject) -> Restored:
        """Make the project, or one file, what it was at a version, as a new version."""
        return await self._changes.restore(wanted)

    @restore.validator
    def _may_restore(self, wanted: RestoreProject) -> None:
        self._changes.require_rest("restore")

    @workflow.update(name=UPDATE_RETRY_PHASE)
    async def retry_phase(self, wanted: RetryPhase) -> PhaseRetried:
        """Go back to before a phase, and go on from there."""
        return await self._retries.outcome_of(wanted)

    @retry_phase.validator
    def _may_retry_phase(self, wanted: RetryPhase) -> None:
        self._retries.check(wanted)

    @workflow.update(name=UPDATE_CHECK)
    def check(self) -> StateInfo:
        """Check the project as it stands: types, style, build, preview. Nothing is repaired, nothing is paid."""
        self._check_asked = True
        return self._progress.state

    @check.validator
    def _may_check(self) -> None:
        self._changes.require_rest("check")
        if not self._resting or not self._progress.phases:
            raise ApplicationError("There is nothing to check yet: resume the session first.", type="nothing_to_check")

    # --- stop and resume ------------------------------------------------------------------------------------------

    @workflow.update(name=UPDATE_STOP)
    def stop(self) -> StateInfo:
        """Stop at once: running steps are cancelled down to the provider's connection. Finished files stay."""
        self._stop()
        return self._progress.state

    @workflow.signal(name=SIGNAL_STOP)
    def stop_unanswered(self) -> None:
        """The same, of which nobody waits to hear: it is kept while no worker runs."""
        self._stop()

    def _stop(self) -> None:
        if "stop" in self._progress.state.can:
            self._session.stop("Stopped by you. Finished files are kept; resume goes on with what is missing.")

    @workflow.update(name=UPDATE_RESUME)
    def resume(self) -> StateInfo:
        """Go on where the session was stopped, waits, or failed. One that goes on already is left alone: the answer to
        an earlier try may have been lost."""
        if "resume" in self._progress.state.can:
            self._session.resume()
        return self._progress.state

    @resume.validator
    def _may_resume(self) -> None:
        if self._progress.state.code == QUESTION:
            raise ApplicationError("The session waits for an answer: send it as a message.", type="needs_answer")

    @workflow.signal(name=SIGNAL_BUDGET_CHANGED)
    def budget_changed(self) -> None:
        """A budget was raised: what waits for it is tried again."""
        self._session.budget_changes += 1

    # --- publishing -----------------------------------------------------------------------------------------------

    @workflow.update(name=UPDATE_PUBLISH)
    def publish(self, request: DeploymentRequest) -> Deployment:
        """Publish the application, beside whatever else goes on. The answer says that it is asked for."""
        return self._publisher.request(request)

    @publish.validator
    def _may_publish(self, request: DeploymentRequest) -> None:
        self._publisher.check(request)

    @workflow.update(name=UPDATE_WITHDRAW)
    def withdraw(self, withdrawal: DeploymentWithdrawal) -> Deployment:
        """Take what is published at a target from the net."""
        return self._publisher.withdraw(withdrawal)

    @withdraw.validator
    def _may_withdraw(self, withdrawal: DeploymentWithdrawal) -> None:
        self._publisher.check_withdrawal(withdrawal)

    # --- candidates -----------------------------------------------------------------------------------------------

    @workflow.update(name=UPDATE_CHOOSE)
    def choose_candidate(self, choice: CandidateChoice) -> Candidate:
        """Go on with another candidate: its files are restored as a new version and checked."""
        assert isinstance(self._builder, DeterministicBuilder), "the validator has seen it"
        return self._builder.choose(choice.candidate_id)

    @choose_candidate.validator
    def _may_choose(self, choice: CandidateChoice) -> None:
        if not isinstance(self._builder, DeterministicBuilder):
            raise ApplicationError("A session in smart mode has no candidates.", type="no_candidate")
        self._builder.check_choice(choice.candidate_id)

    @property
    def _choice_waits(self) -> bool:
        return isinstance(self._builder, DeterministicBuilder) and self._builder.has_choice

    # --- the preview ------------------------------------------------------------------------------------------------

    @workflow.update(name=UPDATE_PREVIEW)
    async def control_preview(self, asked: PreviewControl) -> Preview:
        """Start, restart or stop the preview's server, beside whatever else goes on."""
        return await control_preview(self._session, asked)

    @control_preview.validator
    def _may_control_preview(self, asked: PreviewControl) -> None:
        check_preview(self._session)

    # --- questions ------------------------------------------------------------------------------------------------

    @workflow.query(name=QUERY_PROGRESS)
    def progress(self) -> Progress:
        """The whole picture: state, phases, files, messages, cost, and the last event reflected in it."""
        return self._progress

    @property
    def _progress(self) -> Progress:
        return self._session.progress
