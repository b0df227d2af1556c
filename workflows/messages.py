"""The users' messages to a session: their queue, their answers, and what they ask of the builder."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.conversation import ConversationActivities
    from schemas.failures import Failure
    from schemas.secrets import masked_in
    from schemas.session import MessageEdit, Progress, QueuedMessage, UserMessage
    from schemas.tool_turns import ConversationInput
    from workflows.options import MODEL_STEP
    from workflows.steps import Session

INTERRUPTIBLE = frozenset(
    {
        "phase_implementation", "fast_code_fixer", "smart_builder", "tool", "deep_debugger", "code_review",
        "file_regeneration", "screenshot_analysis",
    }
)  # fmt: skip
_TOO_LATE = {
    "being_read": "is being read right now; try again when it is answered",
    "planned": "is planned already and can no longer be changed",
    "done": "is done",
    "withdrawn": "was withdrawn",
}


class Messages:
    """Takes messages at any time, answers them in the order of their arrival beside the work, and keeps those that
    want a change until the builder plans it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def take(self, message: UserMessage) -> None:
        """Queue a message. One with a known id was sent twice and is ignored."""
        progress = self._session.progress
        if any(known.id == message.id for known in progress.messages):
            return
        queued = QueuedMessage(
            id=message.id,
            text=message.text,
            author=message.author,
            author_name=message.author_name,
            at=workflow.now(),
            images=message.images,
        )
        if progress.question is not None:
            queued.answered = queued.wants_change = True  # it is the answer that the builder waits for
        progress.messages.append(queued)
        self._session.sightless = False
        self._session.show_message(queued)
        self.tell_of_secrets(message.id, message.text)
        if message.interrupt:
            self._session.interrupt(INTERRUPTIBLE)

    def tell_of_secrets(self, name: str, text: str) -> None:
        """Say that a key was taken out of what somebody wrote, and where it belongs."""
        if found := masked_in(text):
            kinds = ", ".join(f"{secret.kind} {secret.hint}".strip() for secret in found)
            self._session.notice(
                f"{name}-secret",
                f"This was taken out of what you wrote, and neither kept nor sent to a model: {kinds}. Store keys of"
                " model providers under your keys; and replace a key that others may have seen.",
            )

    # --- second thoughts ------------------------------------------------------------------------------------------

    def edit(self, edit: MessageEdit) -> QueuedMessage:
        """Give a queued message another text and other pictures. It is read anew: it may ask for something else. What
        answers the builder's question stays that."""
        message = self._find(edit.id)
        if message.answered and self._session.progress.question is None and edit.text != message.text:
            message.edits += 1
            message.answered = message.wants_change = message.wants_debug = False
        message.text, message.images = edit.text, edit.images
        self._session.show_message(message)
        return message

    def withdraw(self, message_id: str) -> QueuedMessage:
        """Take a message out of the queue. Withdrawing it twice is harmless."""
        message = self._find(message_id)
        if message.state != "withdrawn":
            message.state, message.answered, message.wants_change = "withdrawn", True, False
            self._session.show_message(message)
        return message

    def require_withdrawable(self, message_id: str) -> None:
        """Refuse with `too_late` or `unknown_message` what cannot be withdrawn."""
        if self._find(message_id).state != "withdrawn":
            self.require_queued(message_id)

    def require_queued(self, message_id: str) -> None:
        """Refuse with `too_late` or `unknown_message` what somebody has taken up, or nobody has sent."""
        message = self._find(message_id)
        if message.state != "queued" or message.taken_up:
            raise ApplicationError(f"The message {_TOO_LATE.get(message.state, 'is being planned')}.", type="too_late")

    def _find(self, message_id: str) -> QueuedMessage:
        for message in self._session.progress.messages:
            if message.id == message_id:
                return message
        raise ApplicationError("The session has no such message.", type="unknown_message")

    # --- answers --------------------------------------------------------------------------------------------------

    async def answer_in_background(self, *, carried_on: bool) -> None:
        """Answer each message as it comes, beside the work. Unless this run carries another one on, the first waits
        until the session is stored."""
        session = self._session
        while True:
            await workflow.wait_condition(
                lambda: bool(self.unread()) and not session.renewing and (carried_on or session.progress.last_seq > 0)
            )
            while (unread := self.unread()) and not session.renewing:
                await self._answer(unread[0])

    async def _answer(self, message: QueuedMessage) -> None:
        session = self._session
        operation_id = f"message-{message.id}" + (f"-edit-{message.edits}" if message.edits else "")
        message.state = "being_read"
        session.show_message(message)
        outcome = await session.attempt(
            ConversationActivities.answer,
            lambda common: ConversationInput(
                **common, message=message, situation=situation(session.progress), template=session.progress.template
            ),
            session.operation(operation_id, "conversation", "Answering a message"),
            MODEL_STEP,
        )
        session.settle(operation_id)
        message.answered = True
        # A message that could not be answered is not lost: it is taken for a request.
        answered = outcome if outcome and not isinstance(outcome, Failure) else None
        message.wants_change = answered is None or answered.wants_change or answered.wants_debug
        message.wants_debug = answered is not None and answered.wants_debug and not answered.wants_change
        message.state = "queued" if message.wants_change else "done"
        session.show_message(message)
        if isinstance(outcome, Failure):
            session.notice(
                f"{message.id}-notice",
                f"This message could not be answered: {outcome.explanation} It is kept and enters the next plan.",
            )

    # --- what the builder sees of them ----------------------------------------------------------------------------

    def unread(self) -> list[QueuedMessage]:
        """Messages that nobody has answered yet."""
        return [message for message in self._session.progress.messages if not message.answered]

    def wanted(self) -> list[QueuedMessage]:
        """Messages that ask for a change nobody has planned yet."""
        return [m for m in self._session.progress.messages if m.wants_change and m.state == "queued"]

    async def requests(self) -> list[QueuedMessage]:
        """The changes asked for, once every message so far is read."""
        await self._session.until(lambda: not self.unread())
        return self.wanted()


def situation(progress: Progress) -> str:
    """Where the work stands, in words for the model that talks to the user."""
    lines = [f"State: {progress.state.name}. {progress.state.reason}"]
    lines += [f"Running now: {operation.title}" for operation in progress.operations]
    for phase in progress.phases:
        found = "" if phase.checks is None else f", {len(phase.checks.issues)} findings in the last checks"
        lines.append(f"Phase “{phase.plan.name}”: {phase.status}{found}. {phase.plan.description}")
        errors = phase.checks.errors[:3] if phase.checks else []
        lines += [f"  {issue.severity}: {issue.message[:200]}" for issue in errors]
    usage = progress.usage
    lines.append(
        f"Files: {len(progress.files)}. Spent: {usage.cost_usd} US dollars in {usage.calls} model calls, with "
        f"{usage.input_tokens} tokens read and {usage.output_tokens} written."
    )
    lines.append(f"Preview: {progress.preview.status}. {progress.preview.detail}")
    return "\n".join(lines)
