"""What operators see of a session in the Temporal UI: attributes to search by, and the story so far in words."""

from collections.abc import Sequence
from typing import Any, Final

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from schemas.session import Operation, PhaseProgress, Progress

USER: Final = SearchAttributeKey.for_keyword("StichUser")
JURISDICTION: Final = SearchAttributeKey.for_keyword("StichJurisdiction")
STATUS: Final = SearchAttributeKey.for_keyword("StichStatus")
MODE: Final = SearchAttributeKey.for_keyword("StichMode")
TEMPLATE: Final = SearchAttributeKey.for_keyword("StichTemplate")
MODEL: Final = SearchAttributeKey.for_keyword("StichModel")
PHASE: Final = SearchAttributeKey.for_int("StichPhase")
COST: Final = SearchAttributeKey.for_float("StichCost")

SEARCH_ATTRIBUTES: Final[tuple[SearchAttributeKey[Any], ...]] = (
    USER, JURISDICTION, STATUS, MODE, TEMPLATE, MODEL, PHASE, COST,
)  # fmt: skip

MARKS: Final = {"planned": "○", "generating": "◐", "checking": "◐", "fixing": "◐", "completed": "●", "failed": "✗"}


class Cockpit:
    """Keeps the workflow's search attributes and current details in step with its progress."""

    def __init__(self, user_id: str, jurisdiction: str | None = None) -> None:
        self._user_id = user_id
        self._jurisdiction = jurisdiction
        self._shown: tuple[object, ...] | None = None
        self._due = False

    def changed(self) -> None:
        """Something that operators see is another now: it is shown before the workflow waits again."""
        self._due = True

    async def keep(self, progress: Progress) -> None:
        """Show what changed, for as long as the workflow runs: all changes of a moment at once."""
        while True:
            await workflow.wait_condition(lambda: self._due)
            self.show(progress)

    def show(self, progress: Progress) -> None:
        """Bring attributes and details up to date. Costs an event of history only where an attribute but cost changed:
        the cost comes along with those, and is final when the session comes to rest."""
        self._due = False
        workflow.set_current_details(details(progress))
        pairs: list[SearchAttributeUpdate[Any]] = [
            USER.value_set(self._user_id),
            STATUS.value_set(progress.state.name),
            MODE.value_set(progress.mode),
            PHASE.value_set(len(progress.phases)),
        ]
        if self._jurisdiction is not None:
            pairs.append(JURISDICTION.value_set(self._jurisdiction))
        if progress.template is not None:
            pairs.append(TEMPLATE.value_set(progress.template))
        if progress.model is not None:
            pairs.append(MODEL.value_set(progress.model))
        shown = tuple(pair.value for pair in pairs)
        if shown != self._shown:
            self._shown = shown
            self._write([*pairs, COST.value_set(float(progress.usage.cost_usd))])

    def _write(self, pairs: Sequence[SearchAttributeUpdate[Any]]) -> None:
        now = workflow.info().typed_search_attributes
        changed = [pair for pair in pairs if now.get(pair.key) != pair.value]
        if changed:
            workflow.upsert_search_attributes(changed)


def details(progress: Progress) -> str:
    """The story so far, in Markdown."""
    state = progress.state
    lines = [f"**{state.name.replace('_', ' ')}** since {state.since:%Y-%m-%d %H:%M:%S} UTC: {state.reason}"]
    if state.until is not None:
        lines.append(f"Goes on by itself at {state.until:%H:%M:%S} UTC.")
    if state.code is not None:
        lines.append(f"Code: `{state.code}`")
    if state.can:
        lines.append(f"People can: {', '.join(state.can)}.")
    if progress.operations:
        lines += ["", "**Running now**", "", *(_operation(operation) for operation in progress.operations)]
    if progress.phases:
        lines += ["", "**Phases**", "", *(_phase(phase) for phase in progress.phases)]
    waiting = [message for message in progress.messages if message.state != "done"]
    usage = progress.usage
    lines += [
        "",
        f"{len(progress.files)} files, {len(progress.messages)} messages ({len(waiting)} open)."
        f" {usage.calls} model calls, {usage.input_tokens} tokens in, {usage.output_tokens} out,"
        f" {usage.cost_usd} US dollars.",
    ]
    if progress.preview.url is not None:
        lines.append(f"Preview: {progress.preview.status}")
    return "\n".join(lines)


def _operation(operation: Operation) -> str:
    return f"- {operation.title} (`{operation.id}`, since {operation.since:%H:%M:%S} UTC)"


def _phase(phase: PhaseProgress) -> str:
    found = ""
    if phase.checks is not None:
        errors = len(phase.checks.errors)
        found = ", checks clean" if errors == 0 else f", {errors} errors in the last checks"
    rounds = f", repair round {phase.fix_rounds}" if phase.fix_rounds else ""
    written = f"{len(phase.files)} files{found}{rounds}"
    return f"- {MARKS[phase.status]} `{phase.id}` {phase.plan.name}: {phase.status}, {written}"
