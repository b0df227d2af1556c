"""The picture of a session: what it is, what happened, and that every change of it becomes an event."""

from collections.abc import Iterable
from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from schemas.blueprint import Blueprint, PhasePlan
    from schemas.candidates import Candidate
    from schemas.events import (
        BlueprintReady,
        CandidateEvent,
        Event,
        MessageEvent,
        PhaseEvent,
        PreviewEvent,
        SessionInfoEvent,
        SessionStateEvent,
    )
    from schemas.operations import FilesResult
    from schemas.session import (
        Ability,
        ChatMessage,
        FileRef,
        PhaseProgress,
        Preview,
        Progress,
        QueuedMessage,
        State,
        StateInfo,
    )
    from workflows.cockpit import Cockpit
    from workflows.journal import Journal
    from workflows.placing import BUSY

CAN: dict[State, list[Ability]] = {
    "starting": ["message", "stop"],
    "planning": ["message", "stop"],
    "generating": ["message", "stop"],
    "reviewing": ["message", "stop"],
    "idle": ["message", "stop"],
    "stopped": ["message", "resume"],
    "waiting_for_capacity": ["message", "stop", "resume"],
    "waiting_for_budget": ["message", "stop", "resume"],
    "completed": ["message"],
    "failed": ["message", "resume"],
}

QUESTION = "question"
"""Code of the state in which only an answer helps."""


class Picture:
    """The state of a session as people see it.

    `progress` is the picture that the query answers; whatever changes it here also becomes an event.
    """

    def __init__(
        self, progress: Progress, *, user_id: str, jurisdiction: str | None = None, outbox_next: int = 1
    ) -> None:
        self.progress = progress
        self.user_id = user_id
        self.journal = Journal(outbox_next)
        self.cockpit = Cockpit(user_id, jurisdiction)
        self.changes = 0
        """How often the manifest changed."""

    def emit(self, event: Event) -> None:
        self.journal.add(event)

    def enter(
        self,
        name: State,
        reason: str,
        *,
        until: datetime | None = None,
        code: str | None = None,
        can: list[Ability] | None = None,
    ) -> None:
        """Change the session's state, with the reason in plain words. `can` replaces what can be done in it."""
        now = workflow.now()
        old = self.progress.state
        since = old.since if old.name == name and old.reason == reason else now
        # From a place in the line it goes on by itself.
        can = can or [ability for ability in CAN[name] if code != BUSY or ability != "resume"]
        self.progress.state = StateInfo(name=name, since=since, reason=reason, can=can, until=until, code=code)
        self.emit(SessionStateEvent(state=self.progress.state))
        self.cockpit.changed()

    def show_phase(self, phase: PhaseProgress) -> None:
        """Record that a phase changed."""
        self.emit(PhaseEvent(phase=phase))
        self.cockpit.changed()

    def show_blueprint(self, blueprint: Blueprint) -> None:
        """Record the plan of the application."""
        self.emit(BlueprintReady(blueprint=blueprint))

    def show_message(self, message: QueuedMessage) -> None:
        """Record what became of a user's message."""
        self.emit(MessageEvent(message=message.turn))

    def take_up(self, messages: list[QueuedMessage]) -> None:
        """A plan is made of these messages from here on: their senders can change them no more."""
        for message in messages:
            message.taken_up = True

    def notice(self, notice_id: str, text: str) -> None:
        """Say something in the conversation on the session's own behalf."""
        self.emit(MessageEvent(message=ChatMessage(id=notice_id, role="notice", text=text, at=workflow.now())))

    @property
    def next_phase_id(self) -> str:
        """What the next phase is called. No id is given twice, whatever became of the phase that had it."""
        phases = self.progress.phases
        retries = max([self.progress.retries, *(phase.age[0] for phase in phases)])
        return f"phase-{len(phases) + 1}" + (f"r{retries}" if retries else "")

    def number_of(self, phase: PhaseProgress) -> int:
        """A phase's place in the plan, from 1."""
        return self.progress.phases.index(phase) + 1

    def add_phase(self, plan: PhasePlan, messages: list[QueuedMessage]) -> PhaseProgress:
        """Put a phase on the list; the messages it carries out are planned from here on."""
        phase = PhaseProgress(id=self.next_phase_id, plan=plan, message_ids=[message.id for message in messages])
        self.progress.phases.append(phase)
        self.show_phase(phase)
        for message in messages:
            message.state, message.taken_up, message.phase_id = "planned", True, phase.id
            self.show_message(message)
        return phase

    def join_phase(self, phase: PhaseProgress, messages: list[QueuedMessage]) -> None:
        """Let a phase that is under way carry out further messages."""
        for message in messages:
            phase.message_ids.append(message.id)
            message.state, message.taken_up, message.phase_id = "planned", True, phase.id
            self.show_message(message)
        self.show_phase(phase)

    def complete_phase(self, phase: PhaseProgress) -> None:
        """Close a phase, and with it the messages it carried out."""
        phase.status, phase.finished_at = "completed", workflow.now()
        self.show_phase(phase)
        for message in self.progress.messages:
            if message.id in phase.message_ids:
                message.state = "done"
                self.show_message(message)

    def take_in(self, phase: PhaseProgress | None, result: FilesResult) -> None:
        """Bring the manifest and the phase up to date with files that a step wrote or deleted."""
        known = {file.path: file for file in self.progress.files if file.path not in result.deleted}
        newer = {file.path: file for file in result.files if not _is_newer(known.get(file.path), file)}
        self.show_files({**known, **newer}.values())
        if phase is not None:
            phase.files = sorted({*phase.files, *(file.path for file in result.files)} - set(result.deleted))

    def show_files(self, files: Iterable[FileRef]) -> None:
        """Make the manifest these files."""
        self.changes += 1
        self.progress.files = sorted(files, key=lambda file: file.path)

    def show_candidate(self, candidate: Candidate) -> None:
        """Record that a candidate changed."""
        self.emit(CandidateEvent(candidate=candidate))

    def show_info(self) -> None:
        """Record title, template and model."""
        progress = self.progress
        self.emit(
            SessionInfoEvent(title=progress.title, template=progress.template, model=progress.model, demo=progress.demo)
        )

    def show_preview(self, preview: Preview) -> None:
        """Record that the preview changed."""
        self.progress.preview = preview
        self.emit(PreviewEvent(preview=preview))


def _is_newer(known: FileRef | None, file: FileRef) -> bool:
    return known is not None and known.version > file.version
