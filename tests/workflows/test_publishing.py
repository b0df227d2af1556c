"""Publishing beside the session's work: in order, once, and told."""

import asyncio

import pytest
from temporalio.client import WorkflowUpdateFailedError

from schemas.deployments import Deployment, DeploymentRequest, DeploymentWithdrawal
from schemas.session import Progress
from tests.workflows.conftest import Start, until
from tests.workflows.stubs import Rooms, Script, refusal


def statuses(progress: Progress) -> dict[str, str]:
    return {known.id: known.status for known in progress.deployments}


async def test_it_is_published_replaced_and_withdrawn(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1))
    await until(handle, lambda p: p.state.name == "completed")
    asked = await handle.execute_update("publish", DeploymentRequest(id="d1"), result_type=Deployment)
    assert asked.status == "requested"
    shown = await until(handle, lambda p: statuses(p) == {"d1": "live"})
    assert shown.deployments[0].url == "http://local"
    again = await handle.execute_update("publish", DeploymentRequest(id="d1"), result_type=Deployment)
    assert again.status == "live"  # sent twice

    await handle.execute_update("publish", DeploymentRequest(id="d2"))
    await handle.execute_update("publish", DeploymentRequest(id="d3", target="netlify"))
    await until(handle, lambda p: statuses(p) == {"d1": "withdrawn", "d2": "live", "d3": "live"})
    await handle.execute_update("withdraw", DeploymentWithdrawal(target="local"))
    shown = await until(handle, lambda p: statuses(p)["d2"] == "withdrawn")
    assert shown.deployments[1].url is None
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update("withdraw", DeploymentWithdrawal(target="local"))
    assert "Nothing is published at this service" in str(caught.value.cause)
    runs = [run for run in rooms.runs[handle.id] if run.startswith("deployment-")]
    assert runs == ["deployment-d1-requested", "deployment-d2-requested", "deployment-d3-requested",
                    "deployment-d2-withdrawing"]  # fmt: skip
    await until(handle, lambda p: rooms.types(handle.id).count("deployment") >= 9)
    assert shown.state.name == "completed"


async def test_it_is_published_while_the_work_goes_on(start: Start, rooms: Rooms) -> None:
    hold = asyncio.Event()
    handle = await start(Script(phases=1, hold={"phase-1/implement": hold}))
    await until(handle, lambda p: any(o.id == "phase-1/implement" for o in p.operations))
    await handle.execute_update("publish", DeploymentRequest(id="d1", version=1))
    await until(handle, lambda p: statuses(p) == {"d1": "live"})
    hold.set()
    await until(handle, lambda p: p.state.name == "completed")


async def test_a_refusal_is_told_and_the_session_goes_on(start: Start) -> None:
    handle = await start(Script(phases=1, fail={"deployment-d1-requested": [refusal("no_deployment_token")]}))
    await until(handle, lambda p: p.state.name == "completed")
    await handle.execute_update("publish", DeploymentRequest(id="d1", target="vercel"))
    shown = await until(handle, lambda p: statuses(p) == {"d1": "failed"})
    assert shown.deployments[0].code == "no_deployment_token"
    assert shown.deployments[0].detail == "It said no_deployment_token. wait"
    assert shown.state.name == "completed"
    await handle.execute_update("publish", DeploymentRequest(id="d2", target="vercel"))
    await until(handle, lambda p: statuses(p)["d2"] == "live")


async def test_what_cannot_be_withdrawn_stays_live(start: Start) -> None:
    handle = await start(Script(phases=1, fail={"deployment-d1-withdrawing": [refusal("deployment_refused")]}))
    await until(handle, lambda p: p.state.name == "completed")
    await handle.execute_update("publish", DeploymentRequest(id="d1"))
    await until(handle, lambda p: statuses(p) == {"d1": "live"})
    await handle.execute_update("withdraw", DeploymentWithdrawal(target="local"))
    shown = await until(handle, lambda p: p.deployments[0].code == "deployment_refused")
    assert shown.deployments[0].status == "live"


async def test_nothing_can_be_published_before_there_is_a_project(start: Start) -> None:
    hold = asyncio.Event()
    handle = await start(Script(phases=1, hold={"template": hold}))
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update("publish", DeploymentRequest(id="d1"))
    assert "nothing to publish" in str(caught.value.cause)
    hold.set()
    await until(handle, lambda p: p.state.name == "completed")


async def test_a_stop_ends_publishing_too(start: Start) -> None:
    held = {"deployment-d1-requested": asyncio.Event(), "phase-1/implement": asyncio.Event()}
    handle = await start(Script(phases=1, hold=held))
    await until(handle, lambda p: any(o.id == "phase-1/implement" for o in p.operations))
    await handle.execute_update("publish", DeploymentRequest(id="d1"))
    await until(handle, lambda p: any(o.action == "publish" for o in p.operations))
    await handle.execute_update("stop")
    await until(handle, lambda p: statuses(p) == {"d1": "failed"} and p.deployments[0].code == "stopped")
    held["deployment-d1-requested"].set()
    await handle.execute_update("publish", DeploymentRequest(id="d2"))  # a stopped session can be published
    await until(handle, lambda p: statuses(p)["d2"] == "live")


async def test_deployments_outlive_a_renewal_of_the_history(start: Start) -> None:
    handle = await start(Script(phases=3), max_history_events=50)
    await until(handle, lambda p: bool(p.files))
    await handle.execute_update("publish", DeploymentRequest(id="d1"))
    shown = await until(handle, lambda p: p.state.name == "completed" and statuses(p) == {"d1": "live"})
    assert shown.deployments[0].digest == "d"
