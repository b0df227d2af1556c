"""Whether this build can go on with sessions that other builds began: it replays their histories."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, get_args

from pydantic import BaseModel, ValidationError
from temporalio.client import Client, WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer

from schemas.session import State
from stich.errors import StichError
from stich.jurisdiction import OwnJurisdiction
from stich.queues import WORKFLOWS, workflow_runner
from workflows.cockpit import STATUS
from workflows.names import SESSION_WORKFLOW

CLOSED: Final = 20
"""How many sessions that have ended are replayed beside those that run."""


class Replayed(NamedTuple):
    """A history, and what went wrong when this build replayed it; None where nothing did."""

    name: str
    events: int
    problem: str | None


class SavedHistory(BaseModel):
    """A history as a file, with the id of its workflow: what `tests/replay` keeps and `--save` writes."""

    id: str
    events: list[dict[str, object]]


async def replayed(
    histories: AsyncIterator[WorkflowHistory],
    converter: DataConverter,
    jurisdiction: str | None = None,
    workflows: Sequence[type] = WORKFLOWS,
) -> AsyncIterator[Replayed]:
    """Replay each history with `workflows`."""
    replayer = Replayer(
        workflows=workflows,
        data_converter=converter,
        workflow_runner=workflow_runner(),
        interceptors=[OwnJurisdiction(jurisdiction)],
    )
    async for history in histories:
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
        problem = None if result.replay_failure is None else " ".join(str(result.replay_failure).split())
        yield Replayed(history.workflow_id, len(history.events), problem)


async def saved(folder: Path) -> AsyncIterator[WorkflowHistory]:
    """The histories in the files of a folder. Raises StichError for one that is none."""
    files = await asyncio.to_thread(_histories_in, folder)
    if not files:
        raise StichError(f"{folder} holds no histories (*.json).")
    for file in files:
        yield await asyncio.to_thread(_read, file)


def _histories_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def _read(file: Path) -> WorkflowHistory:
    try:
        text = file.read_text()
        known = SavedHistory.model_validate_json(text)
        return WorkflowHistory.from_json(known.id, json.loads(text))
    except (OSError, ValidationError, ValueError) as error:
        raise StichError(f"{file} is not a history: {str(error).splitlines()[0][:200]}") from None


def save(folder: Path, history: WorkflowHistory) -> None:
    """Keep a history as a file. Its payloads are as they were in Temporal: encrypted where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {"id": history.workflow_id, **json.loads(history.to_json())}
    (folder / f"{history.workflow_id}.json").write_text(json.dumps(kept, separators=(",", ":")) + "\n")


async def of_namespace(client: Client, limit: int) -> AsyncIterator[WorkflowHistory]:
    """Histories of a running namespace: up to `limit` of sessions that run, the same number of every state, and of some
    that have ended. Raises StichError when Temporal does not answer."""
    states = get_args(State)
    running = [f"ExecutionStatus = 'Running' AND {STATUS.name} = '{state}'" for state in states]
    each = max(1, limit // len(states))
    seen: set[str] = set()
    wanted = [(query, each) for query in running] + [("ExecutionStatus != 'Running'", CLOSED)]
    try:
        for query, most in wanted:
            found = client.list_workflows(f"WorkflowType = '{SESSION_WORKFLOW}' AND {query}", limit=most)
            async for execution in found:
                if execution.run_id in seen:  # it changed its state while they were listed
                    continue
                seen.add(execution.run_id)
                handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
                try:
                    yield await handle.fetch_history()
                except RPCError as error:
                    if error.status is not RPCStatusCode.NOT_FOUND:  # deleted since it was listed
                        raise
    except (RPCError, RuntimeError) as error:
        raise StichError(f"Temporal's histories cannot be read: {str(error)[:200]}") from None
