"""Make the histories anew: `python -m tests.replay.record [SCENARIO ...]`.

Needed when a workflow was changed in a way that old sessions do not have to survive; takes about two minutes. What
names the machine is taken out.
"""

import asyncio
import base64
import json
import sys
import tempfile
from pathlib import Path

from temporalio.client import WorkflowHistory

from stich.demo.recording import BUILT_IN
from tests.chaos.site import Run, Site, site
from tests.e2e.journeys.conftest import Model
from tests.replay.scenarios import SCENARIOS, TOUR_RECORDING
from tests.stich.demo_server import demo

HISTORIES = Path(__file__).with_name("histories")
MACHINE = ("stackTrace", "identity", "binaryChecksum")
"""Fields of events that name the machine, and that replaying does not need."""


def plain(value: object) -> object:
    """An event without what names the machine."""
    if isinstance(value, dict):
        kept = {name: plain(part) for name, part in value.items() if name not in MACHINE}
        if "encodedAttributes" in kept:
            kept["encodedAttributes"] = _without_stack(kept["encodedAttributes"])
        return kept
    return [plain(part) for part in value] if isinstance(value, list) else value


def _without_stack(payload: object) -> object:
    """The text of a failure, which the failure converter has put into a payload of its own, without its stack."""
    assert isinstance(payload, dict)
    told = json.loads(base64.b64decode(payload["data"]))
    return {**payload, "data": base64.b64encode(json.dumps({**told, "stack_trace": ""}).encode()).decode()}


async def histories(run: Run) -> list[WorkflowHistory]:
    """The histories of all workflow runs of a session, oldest first."""
    runs = [execution async for execution in run.site.temporal.list_workflows(f"WorkflowId = '{run.id}'")]
    runs.sort(key=lambda execution: execution.start_time)
    return [
        await run.site.temporal.get_workflow_handle(run.id, run_id=execution.run_id).fetch_history()
        for execution in runs
    ]


async def record(site: Site, wanted: list[str]) -> None:
    for scenario in SCENARIOS:
        if wanted and scenario.__name__ not in wanted:
            continue
        async for name, run in scenario(site):
            kept = await histories(run)
            for number, history in enumerate(kept, 1):
                path = HISTORIES / f"{name}{f'-{number}' if len(kept) > 1 else ''}.json"
                events = plain(json.loads(history.to_json()))
                path.write_text(json.dumps({"id": run.id, **events}, separators=(",", ":")) + "\n")  # type: ignore[dict-item]
                print(f"{path.name}: {len(history.events)} events, {path.stat().st_size // 1024} KB")


async def main() -> None:
    HISTORIES.mkdir(exist_ok=True)
    async with demo(BUILT_IN, TOUR_RECORDING) as (server, client):
        model = Model(server, str(client.base_url).rstrip("/"))
        with tempfile.TemporaryDirectory() as folder:
            async with site(Path(folder), model) as place:
                await record(place, sys.argv[1:])


if __name__ == "__main__":
    asyncio.run(main())
