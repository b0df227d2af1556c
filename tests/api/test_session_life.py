"""Sessions are put away, taken out again and deleted by their owners, and by nobody else."""

import pytest
from temporalio.client import Client

from storage.sessions import SessionRecord, Sessions
from tests.api.conftest import Service
from tests.api.people import signed_in


async def test_a_session_is_put_away_and_taken_out(service: Service) -> None:
    await Sessions(service.database).create(SessionRecord(id="kept", prompt="An app", mode="deterministic"))

    async def listed(show: str) -> bool:
        answer = await service.signed_in.get("/api/sessions", params={"show": show})
        return "kept" in [session["id"] for session in answer.json()["sessions"]]

    assert (await service.signed_in.post("/api/sessions/kept/archive")).status_code == 204
    assert (await listed("all"), await listed("archived")) == (False, True)
    assert (await service.signed_in.post("/api/sessions/kept/unarchive")).status_code == 204
    assert (await listed("all"), await listed("archived")) == (True, False)


async def test_deleting_starts_the_work_once(service: Service, temporal: Client) -> None:
    await Sessions(service.database).create(SessionRecord(id="done-with", prompt="An app", mode="deterministic"))
    for _ in range(2):
        assert (await service.signed_in.delete("/api/sessions/done-with")).status_code == 202
    handle = temporal.get_workflow_handle("erase-done-with")
    assert (await handle.describe()).workflow_type == "EraseSession"
    await handle.terminate()


@pytest.mark.parametrize(("method", "path"), [("POST", "/archive"), ("POST", "/unarchive"), ("DELETE", "")])
async def test_others_can_do_nothing_of_it(accounts: Service, method: str, path: str) -> None:
    async with signed_in(accounts, f"x-{method}-{path[1:]}@example.org".lower()) as stranger:
        await Sessions(accounts.database).create(
            SessionRecord(id="not-yours", user_id="somebody", prompt="An app", mode="deterministic")
        )
        answer = await stranger.browser.request(method, f"/api/sessions/not-yours{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")
