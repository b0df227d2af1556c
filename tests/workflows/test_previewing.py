"""The preview as people steer it."""

import asyncio

import pytest
from temporalio.client import WorkflowUpdateFailedError

from schemas.previews import PreviewControl
from schemas.session import Preview
from tests.workflows.conftest import Start, progress_of, until
from tests.workflows.stubs import Rooms, Script, refusal


async def test_it_is_stopped_and_started_beside_the_work(start: Start, rooms: Rooms) -> None:
    hold = asyncio.Event()
    handle = await start(Script(phases=1, hold={"phase-1/implement": hold}))
    await until(handle, lambda p: any(o.id == "phase-1/implement" for o in p.operations))
    stopped = await handle.execute_update("control_preview", PreviewControl(action="stop"), result_type=Preview)
    assert stopped.status == "stopped"
    assert (await progress_of(handle)).preview == stopped
    again = await handle.execute_update("control_preview", PreviewControl(action="restart"), result_type=Preview)
    assert again.status == "ready"
    hold.set()
    await until(handle, lambda p: p.state.name == "completed")
    assert [run.split("-")[1] for run in rooms.runs[handle.id] if run.startswith("preview-")] == ["stop", "restart"]


async def test_what_cannot_be_done_is_said(start: Start) -> None:
    hold = asyncio.Event()
    script = Script(phases=1, hold={"template": hold})
    handle = await start(script)
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update("control_preview", PreviewControl(action="start"))
    assert "nothing to show" in str(caught.value.cause)
    hold.set()
    progress = await until(handle, lambda p: p.state.name == "completed")
    for number in range(200):
        script.fail[f"preview-start-{number}"] = [refusal("sandbox_unavailable")]
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update("control_preview", PreviewControl(action="start"))
    assert "It said sandbox_unavailable." in str(caught.value.cause)
    assert (await progress_of(handle)).state == progress.state
