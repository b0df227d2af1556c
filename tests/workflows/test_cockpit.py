"""What an operator finds in the Temporal UI."""

import asyncio

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client

from schemas.session import UserMessage
from stich.temporal import require_search_attributes
from tests.workflows.conftest import Start, until
from tests.workflows.stubs import Script
from workflows.cockpit import SEARCH_ATTRIBUTES
from workflows.names import SIGNAL_MESSAGE


async def test_a_session_is_found_by_what_it_is_and_tells_its_story(client: Client, start: Start) -> None:
    handle = await start(Script(), user_id="ada")
    await until(handle, lambda progress: progress.state.name == "completed")
    await handle.signal(SIGNAL_MESSAGE, UserMessage(id="m1", text="Say hello."))
    await until(handle, lambda progress: bool(progress.messages) and progress.messages[0].answered)
    query = f"StichUser = 'ada' AND StichStatus = 'completed' AND StichPhase > 0 AND WorkflowId = '{handle.id}'"
    found = []
    for _ in range(100):
        if found := [execution async for execution in client.list_workflows(query)]:
            break
        await asyncio.sleep(0.1)
    attributes = found[0].typed_search_attributes
    assert {key.name for key in SEARCH_ATTRIBUTES} >= {pair.key.name for pair in attributes} - {"BuildIds"}
    # Answering may go on to a phase that shows nothing; the story is told again when the session rests.
    story = ""
    for _ in range(100):
        described = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        if "**completed** since" in (story := described.current_details):
            break
        await asyncio.sleep(0.1)
    assert "**completed** since" in story
    assert "`phase-1`" in story


@pytest.mark.parametrize("times", [1, 2])
async def test_a_namespace_learns_the_attributes(client: Client, times: int) -> None:
    namespace = f"fresh-{times}"
    request = RegisterNamespaceRequest(namespace=namespace)
    request.workflow_execution_retention_period.FromSeconds(86_400)
    await client.workflow_service.register_namespace(request)
    config = client.config()
    config["namespace"] = namespace
    other = Client(**config)
    async with asyncio.timeout(60):
        await asyncio.gather(*(require_search_attributes(other) for _ in range(times)))
