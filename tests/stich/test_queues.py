"""Which queues a worker serves, with how many slots and connections."""

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client

from stich.cli import main
from stich.queues import serves, temporal_workers
from stich.settings import Settings
from stich.worker import open_rooms
from workflows.names import INFERENCE_QUEUE, SANDBOX_QUEUE, WORKFLOW_QUEUE

HOST = f"{SANDBOX_QUEUE}@rack-"


@pytest.mark.parametrize(
    ("queues", "tuning", "wanted"),
    [
        ("", "fixed", [WORKFLOW_QUEUE, INFERENCE_QUEUE, HOST, SANDBOX_QUEUE]),
        ("sandbox", "fixed", [HOST, SANDBOX_QUEUE]),
        ("host", "fixed", [HOST]),
        ("workflows, inference", "resources", [WORKFLOW_QUEUE, INFERENCE_QUEUE]),
    ],
)
async def test_a_worker_serves_the_queues_it_was_told_to(
    temporal: Client, database_dsn: str, tmp_path: Path, queues: str, tuning: str, wanted: list[str]
) -> None:
    env = {
        "STICH_HOME": str(tmp_path),
        "DATABASE_URL": database_dsn,
        "STICH_DATABASE_CONNECTIONS": "3",
        "STICH_HOST_NAME": "rack",
        "STICH_QUEUES": queues,
        "STICH_SLOT_TUNING": tuning,
    }
    settings = Settings.from_env(env)
    async with open_rooms(settings, env) as (rooms, _):
        workers = temporal_workers(temporal, rooms, settings)
        running = [asyncio.create_task(worker.run()) for worker in workers]
        await asyncio.sleep(0.2)
        await asyncio.gather(*(worker.shutdown() for worker in workers))
        await asyncio.gather(*running)
        served = [worker.task_queue for worker in workers]
        assert [queue[: len(HOST)] if queue.startswith(HOST) else queue for queue in served] == wanted
        assert rooms.database.pool.get_max_size() == 3
    assert serves(settings, "sandbox", "host") is (HOST in wanted), "there and only there are previews"


@pytest.mark.parametrize("queues", ["inferrence", "workflows;sandbox"])
def test_a_queue_that_there_is_not_is_refused(queues: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["worker", "--queues", queues]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"stich: STICH_QUEUES is “{queues}”; it should be some of workflows, inference,")
