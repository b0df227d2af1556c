"""Everything the HTTP service asks of Temporal: start a session, ask how far it is, talk to it, stop it, resume it.

Every call is bounded in time and ends in its result or in a Refusal that says which part is missing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final, NamedTuple, TypeVar

import structlog
from pydantic import BaseModel
from temporalio.client import (
    Client,
    RPCTimeoutOrCancelledError,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from api.problems import (
    NO_MESSAGE,
    NO_PHASE,
    NO_SESSION,
    NO_WORKER,
    NOT_NOW,
    SESSION_ENDED,
    TEMPORAL_AWAY,
    Kind,
    Refusal,
)
from schemas.candidates import Candidate, CandidateChoice
from schemas.deployments import Deployment, DeploymentRequest, DeploymentWithdrawal
from schemas.erasure import EraseSession, EraseUser
from schemas.previews import PreviewControl
from schemas.session import MessageEdit, Preview, Progress, QueuedMessage, SessionRequest, StateInfo, UserMessage
from schemas.versions import FilesEdited, PhaseRetried, Restored, RestoreProject, RetryPhase
from workflows.names import (
    ERASE_USER_WORKFLOW,
    ERASE_WORKFLOW,
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
    WORKFLOW_QUEUE,
)
from workflows.precedence import HOUSEKEEPING, rank, share, urgency_of

ANSWER_SECONDS: Final = 2.0
"""How long Temporal, or a worker through it, may take to answer."""
CARRY_OUT_SECONDS: Final = 10.0
"""How long a session may take to carry out a stop or a resume that it has accepted."""
HEALTH_SECONDS: Final = 0.4

SUMMARY_BYTES: Final = 200
MEMO_USER: Final = "user_id"
MEMO_REQUEST: Final = "request_sha256"

AWAY = frozenset({RPCStatusCode.UNAVAILABLE, RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.UNKNOWN})
TOO_LATE = frozenset({RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED})

log: structlog.stdlib.BoundLogger = structlog.get_logger("api")


Result = TypeVar("Result", bound=BaseModel)


class Started(NamedTuple):
    """What is known of a session from its workflow alone, before its rows exist."""

    user_id: str | None
    request_sha256: str | None


class SessionWorkflows:
    """Sessions as Temporal knows them. The workflow id is the session id."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.namespace: Final = client.namespace

    async def start(self, session_id: str, request: SessionRequest, request_sha256: str) -> bool:
        """Start a session. False when this id was taken before: nothing was started then."""
        async with _bounded():
            try:
                await self._client.start_workflow(
                    SESSION_WORKFLOW,
                    request,
                    id=session_id,
                    task_queue=WORKFLOW_QUEUE,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                    memo={MEMO_USER: request.user_id, MEMO_REQUEST: request_sha256},
                    static_summary=_summary(request),
                    priority=share(request.user_id, rank(urgency_of(request))),  # its activities inherit it
                    rpc_timeout=timedelta(seconds=ANSWER_SECONDS),
                )
            except WorkflowAlreadyStartedError:
                return False
        return True

    async def started(self, session_id: str) -> Started | None:
        """What the workflow was started with; None when there is no such session."""
        try:
            async with _bounded():
                description = await self._client.get_workflow_handle(session_id).describe(
                    rpc_timeout=timedelta(seconds=ANSWER_SECONDS)
                )
        except Refusal as refusal:
            if refusal.kind is NO_SESSION:
                return None
            raise
        if description.workflow_type != SESSION_WORKFLOW:
            return None
        memo = await description.memo()
        user_id, request_sha256 = memo.get(MEMO_USER), memo.get(MEMO_REQUEST)
        return Started(
            user_id if isinstance(user_id, str) else None,
            request_sha256 if isinstance(request_sha256, str) else None,
        )

    async def progress(self, session_id: str) -> Progress:
        """The workflow's own answer. Raises Refusal NO_WORKER, TEMPORAL_AWAY or NO_SESSION."""
        handle = self._client.get_workflow_handle(session_id)
        async with self._asking_worker():
            progress = await handle.query(
                QUERY_PROGRESS, result_type=Progress, rpc_timeout=timedelta(seconds=ANSWER_SECONDS)
            )
        assert isinstance(progress, Progress)
        return progress

    async def send(self, session_id: str, message: UserMessage) -> None:
        """Hand a message to the session, which keeps it even while no worker runs."""
        handle = self._client.get_workflow_handle(session_id)
        async with _bounded(missing=SESSION_ENDED):
            await handle.signal(SIGNAL_MESSAGE, message, rpc_timeout=timedelta(seconds=ANSWER_SECONDS))

    async def stop(self, session_id: str) -> StateInfo:
        """Stop what runs. Returns the state afterwards. Doing so twice is harmless.

        Raises Refusal NO_WORKER where no worker answers; the first one that comes back stops the session then.
        """
        try:
            return await self._update(session_id, UPDATE_STOP, StateInfo)
        except Refusal as refusal:
            if refusal.kind is not NO_WORKER:
                raise
        handle = self._client.get_workflow_handle(session_id)
        async with _bounded(missing=SESSION_ENDED):
            await handle.signal(SIGNAL_STOP, rpc_timeout=timedelta(seconds=ANSWER_SECONDS))
        raise Refusal(NO_WORKER, "No worker answered in time. The session stops as soon as one is back.")

    async def resume(self, session_id: str) -> StateInfo:
        """Go on with what is missing; one that goes on already is left alone. Returns the state afterwards.

        Raises Refusal NOT_NOW when the session waits for an answer to a question.
        """
        return await self._update(session_id, UPDATE_RESUME, StateInfo)

    async def publish(self, session_id: str, request: DeploymentRequest) -> Deployment:
        """Ask for a deployment. Raises Refusal NOT_NOW when nothing can be published now."""
        return await self._update(session_id, UPDATE_PUBLISH, Deployment, request)

    async def choose(self, session_id: str, choice: CandidateChoice) -> Candidate:
        """Go on with another candidate. Raises Refusal NOT_NOW when it cannot be chosen now."""
        return await self._update(session_id, UPDATE_CHOOSE, Candidate, choice)

    async def withdraw(self, session_id: str, withdrawal: DeploymentWithdrawal) -> Deployment:
        """Ask for the end of what is published at a target. Raises Refusal NOT_NOW when nothing is."""
        return await self._update(session_id, UPDATE_WITHDRAW, Deployment, withdrawal)

    async def edit_message(self, session_id: str, edit: MessageEdit) -> QueuedMessage:
        """Give a queued message another text. Raises Refusal NOT_NOW when it is taken up already."""
        return await self._update(session_id, UPDATE_EDIT_MESSAGE, QueuedMessage, edit)

    async def withdraw_message(self, session_id: str, message_id: str) -> QueuedMessage:
        """Take a queued message back. Raises Refusal NOT_NOW when it is taken up already."""
        return await self._update(session_id, UPDATE_WITHDRAW_MESSAGE, QueuedMessage, message_id)

    async def files_edited(self, session_id: str, version: int) -> None:
        """Tell the session of a user's change that is stored. One that has ended needs to know nothing more."""
        handle = self._client.get_workflow_handle(session_id)
        try:
            async with _bounded(missing=SESSION_ENDED):
                edit = FilesEdited(version=version)
                await handle.signal(SIGNAL_FILES_EDITED, edit, rpc_timeout=timedelta(seconds=ANSWER_SECONDS))
        except Refusal as refusal:
            if refusal.kind is not SESSION_ENDED:
                raise

    async def budget_changed(self, session_id: str) -> None:
        """Let a session look at its budgets again. One that has ended needs to know nothing more."""
        handle = self._client.get_workflow_handle(session_id)
        try:
            async with _bounded(missing=SESSION_ENDED):
                await handle.signal(SIGNAL_BUDGET_CHANGED, rpc_timeout=timedelta(seconds=ANSWER_SECONDS))
        except Refusal as refusal:
            if refusal.kind is not SESSION_ENDED:
                raise

    async def erase(self, session_id: str, user_id: str) -> None:
        """Delete a session for good. Asking twice is harmless."""
        async with _bounded():
            with suppress(WorkflowAlreadyStartedError):
                await self._client.start_workflow(
                    ERASE_WORKFLOW,
                    EraseSession(session_id=session_id, user_id=user_id),
                    id=f"erase-{session_id}",
                    task_queue=WORKFLOW_QUEUE,
                    priority=share(user_id, HOUSEKEEPING),
                    rpc_timeout=timedelta(seconds=ANSWER_SECONDS),
                )

    async def erase_user(self, user_id: str) -> None:
        """Delete a user with every session for good. Asking twice is harmless."""
        async with _bounded():
            with suppress(WorkflowAlreadyStartedError):
                await self._client.start_workflow(
                    ERASE_USER_WORKFLOW,
                    EraseUser(user_id=user_id),
                    id=f"erase-account-{user_id}",
                    task_queue=WORKFLOW_QUEUE,
                    rpc_timeout=timedelta(seconds=ANSWER_SECONDS),
                )

    async def restore(self, session_id: str, wanted: RestoreProject) -> Restored:
        """Make files what they were at a version. Raises Refusal NOT_NOW while the session works."""
        return await self._update(session_id, UPDATE_RESTORE, Restored, wanted)

    async def retry_phase(self, session_id: str, wanted: RetryPhase) -> PhaseRetried:
        """Go back to before a phase and on from there. Raises Refusal NO_PHASE, or NOT_NOW while the session works."""
        return await self._update(session_id, UPDATE_RETRY_PHASE, PhaseRetried, wanted)

    async def check(self, session_id: str) -> StateInfo:
        """Check the project as it stands. Raises Refusal NOT_NOW while the session works."""
        return await self._update(session_id, UPDATE_CHECK, StateInfo)

    async def control_preview(self, session_id: str, asked: PreviewControl, seconds: float) -> Preview:
        """Start, restart or stop the preview's server. Raises Refusal NOT_NOW when that could not be done."""
        return await self._update(session_id, UPDATE_PREVIEW, Preview, asked, seconds=seconds)

    async def reachable(self) -> bool:
        """Whether Temporal answers at all."""
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                return await self._client.service_client.check_health(timeout=timedelta(seconds=HEALTH_SECONDS))
        except (TimeoutError, RPCError, RuntimeError):
            return False

    @asynccontextmanager
    async def _asking_worker(self, missing: Kind = NO_SESSION) -> AsyncIterator[None]:
        """Bounds a call that a worker has to answer. Silence is the worker's only if Temporal itself answers."""
        try:
            async with _bounded(NO_WORKER, missing=missing):
                yield
        except Refusal as refusal:
            if refusal.kind is NO_WORKER and not await self.reachable():
                raise Refusal(TEMPORAL_AWAY, "The workflow service cannot be reached right now.") from None
            raise

    async def _update(
        self,
        session_id: str,
        name: str,
        result_type: type[Result],
        *arguments: BaseModel | str,
        seconds: float = CARRY_OUT_SECONDS,
    ) -> Result:
        handle = self._client.get_workflow_handle(session_id)
        async with self._asking_worker(missing=SESSION_ENDED):
            update = await handle.start_update(
                name,
                args=arguments,
                wait_for_stage=WorkflowUpdateStage.ACCEPTED,
                result_type=result_type,
                rpc_timeout=timedelta(seconds=ANSWER_SECONDS),
            )
        try:
            async with _bounded(NO_WORKER, missing=SESSION_ENDED, seconds=seconds):
                result = await update.result(rpc_timeout=timedelta(seconds=seconds))
        except WorkflowUpdateFailedError as error:
            raise _not_now(error) from None
        assert isinstance(result, result_type)
        return result


@asynccontextmanager
async def _bounded(
    late: Kind = TEMPORAL_AWAY, *, missing: Kind = NO_SESSION, seconds: float = ANSWER_SECONDS
) -> AsyncIterator[None]:
    """Bounds a call to Temporal and turns its errors into refusals: `late` says what a missing answer means."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except (TimeoutError, RPCTimeoutOrCancelledError):
        raise _late(late) from None
    except WorkflowQueryFailedError as error:
        log.error("query failed", error=error.message[:300])
        raise Refusal(NO_WORKER, "The worker could not answer for this session.") from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise Refusal(missing, _MISSING[missing.code]) from None
        if error.status in TOO_LATE:
            raise _late(late) from None
        if error.status is RPCStatusCode.FAILED_PRECONDITION and late is NO_WORKER:
            raise Refusal(NO_WORKER, "No worker is running for this session.") from None
        if error.status in AWAY:
            raise Refusal(TEMPORAL_AWAY, "The workflow service cannot be reached right now.") from None
        raise
    except RuntimeError as error:
        # A client that never connected says so with a bare RuntimeError.
        if "connect" not in str(error).lower():
            raise
        raise Refusal(TEMPORAL_AWAY, "The workflow service cannot be reached right now.") from None


_MISSING: Final = {
    NO_SESSION.code: "There is no session with this id.",
    SESSION_ENDED.code: "The session has ended and takes no more requests.",
}


_UNKNOWN: Final = {"unknown_message": NO_MESSAGE, "unknown_phase": NO_PHASE}


def _late(kind: Kind) -> Refusal:
    if kind is NO_WORKER:
        return Refusal(kind, "No worker answered in time. What was asked for may still happen once one is back.")
    return Refusal(kind, "The workflow service did not answer in time.")


def _not_now(error: WorkflowUpdateFailedError) -> Refusal:
    """The session's own words where it gave them: its refusals are written for people."""
    if isinstance(error.cause, ApplicationError) and error.cause.message:
        if (missing := _UNKNOWN.get(error.cause.type or "")) is not None:
            return Refusal(missing, error.cause.message[:500])
        return Refusal(NOT_NOW, error.cause.message[:500])
    return Refusal(NOT_NOW, "The session refused.")


def _summary(request: SessionRequest) -> str:
    """A line for operators: who and what, within what Temporal allows."""
    line = f"{request.user_id}: {' '.join(request.prompt.split())}"
    return line.encode()[:SUMMARY_BYTES].decode(errors="ignore")
