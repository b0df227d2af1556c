"""Beginning a phase anew: what it and all that came after it did is taken back, as a version, and the work goes on."""

from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.edits import RestoreActivities
    from schemas.failures import Failure
    from schemas.operations import DiscardInput, DiscardResult
    from schemas.session import PhaseProgress, QueuedMessage
    from schemas.versions import PhaseRetried, RetryPhase
    from workflows.changes import UserChanges
    from workflows.debugging import request_of
    from workflows.options import SESSION_STEP
    from workflows.steps import Session


@dataclass
class _Wanted:
    retry: RetryPhase
    outcome: PhaseRetried | Failure | None = None


class Retries:
    """The retries of one session, one at a time. Whoever asks for one waits for `outcome_of`; the session's own course
    carries it out, once its builders have let go of what they were at."""

    def __init__(self, session: Session, changes: UserChanges, *, keep_open: bool) -> None:
        self._session = session
        self._changes = changes
        self._keep_open = keep_open
        self._wanted: _Wanted | None = None

    def check(self, wanted: RetryPhase) -> None:
        """Refuse what cannot be begun anew now. Raises ApplicationError."""
        self._changes.require_rest("retry the phase")
        if not self._keep_open:
            raise ApplicationError("The session takes no further requests: start a new one.", type="ended")
        progress = self._session.progress
        phase = next((phase for phase in progress.phases if phase.id == wanted.phase_id), None)
        if phase is None:
            raise ApplicationError("The session's plan has no such phase.", type="unknown_phase")
        if phase.finished_at is not None and phase.finished_at < progress.created_at:
            raise ApplicationError(
                "This phase was built in the session that this one goes on from: retry it there.",
                type="built_elsewhere",
            )

    async def outcome_of(self, wanted: RetryPhase) -> PhaseRetried:
        """Begin a phase anew. Raises ApplicationError when that could not be done; nothing has changed then."""
        mine = self._wanted = _Wanted(wanted)
        self._session.take_back()
        await workflow.wait_condition(lambda: mine.outcome is not None)
        if isinstance(mine.outcome, Failure):
            raise ApplicationError(mine.outcome.explanation, type=mine.outcome.code)
        assert mine.outcome is not None, "waited for"
        return mine.outcome

    async def carry_out(self) -> None:
        """Take back what is to be taken back, and put the phase on the list again. The session works from then on; or
        it is stopped, where this could not be done."""
        session, wanted = self._session, self._wanted
        assert wanted is not None, "the work is taken back for somebody"
        await workflow.wait_condition(lambda: not session.building)
        phases = session.progress.phases
        first = next(number for number, phase in enumerate(phases) if phase.id == wanted.retry.phase_id)
        name = phases[first].plan.name
        operation_id = f"retry-{session.executions + 1}"
        done = await session.attempt(
            RestoreActivities.discard,
            lambda common: DiscardInput(
                **common, phase_ids=[phase.id for phase in phases[first:]], wanted_by=wanted.retry.user_id
            ),
            session.operation(operation_id, "restore", f"Going back to before “{name}”", phases[first].id),
            SESSION_STEP,
        )
        session.settle(operation_id)
        session.held = session.taken_back = False
        if done is None or isinstance(done, Failure):
            wanted.outcome = done or Failure(
                code="stopped", sentence="The retry was stopped.", next_action="Try again."
            )
            session.stop("The phase could not be taken back. Everything is as it was; resume goes on from there.")
        else:
            wanted.outcome = self._begin_anew(phases[first], phases[first:], done, operation_id)

    def _begin_anew(
        self, phase: PhaseProgress, discarded: list[PhaseProgress], done: DiscardResult, notice_id: str
    ) -> PhaseRetried:
        session, progress = self._session, self._session.progress
        for each in discarded:
            each.discarded_at = done.stood
            session.show_phase(each)
        progress.retries = 1 + max(progress.retries, *(each.age[0] for each in progress.phases))
        progress.phases = [each for each in progress.phases if each.discarded_at is None]
        anew = {request_of(each) for each in discarded}
        progress.debugged = [key for key in progress.debugged if key not in anew]
        progress.question, session.round = None, None
        session.show_files(done.files)
        # The phase carries out its own requests again; those of later phases wait to be planned, as they did before.
        requests = [message for message in progress.messages if message.id in phase.message_ids]
        looks_into = any(message.wants_debug for message in requests)
        for message in progress.messages:
            if any(message.id in each.message_ids for each in (discarded if looks_into else discarded[1:])):
                self._put_back(message)
        begun = None if looks_into else session.add_phase(phase.plan, requests)
        what = "It begins anew" if begun else "Its request is looked into anew"
        others = [each.plan.name for each in discarded[1:]]
        later = f", and with it what came after: {', '.join(f'“{each}”' for each in others)}" if others else ""
        session.notice(
            notice_id,
            f"“{phase.plan.name}” was taken back{later}. {what}; what there was stays in the history.",
        )
        session.begin_again(f"Going on from before “{phase.plan.name}”.")
        return PhaseRetried(
            discarded=[each.id for each in discarded],
            version=done.went_back_to,
            phase_id=begun.id if begun else None,
        )

    def _put_back(self, message: QueuedMessage) -> None:
        message.state, message.taken_up, message.phase_id = "queued", False, None
        self._session.show_message(message)
