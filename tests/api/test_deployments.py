"""Publishing over HTTP, in front of a double of the session's workflow."""

import pytest

from schemas.http import DeploymentList, Problem
from tests.api.conftest import Service
from tests.api.test_sessions import start

pytestmark = pytest.mark.usefixtures("worker")


async def test_a_deployment_is_asked_for_listed_and_withdrawn(service: Service) -> None:
    path = f"/api/sessions/{await start(service)}/deployments"
    assert DeploymentList.model_validate_json((await service.signed_in.get(path)).content).deployments == []
    asked = await service.signed_in.post(path, json={})
    assert asked.status_code == 202
    assert (asked.json()["status"], asked.json()["target"]) == ("requested", "local")
    named = await service.signed_in.post(path, json={"target": "netlify", "version": 3, "id": "mine"})
    assert (named.json()["id"], named.json()["version"]) == ("mine", 3)
    listed = DeploymentList.model_validate_json((await service.signed_in.get(path)).content).deployments
    assert [known.id for known in listed] == ["mine", asked.json()["id"]]
    gone = await service.signed_in.post(f"{path}/withdraw", json={"target": "netlify"})
    assert (gone.status_code, gone.json()["status"]) == (202, "withdrawing")


async def test_what_cannot_be_done_is_said(service: Service) -> None:
    path = f"/api/sessions/{await start(service)}/deployments"
    refused = await service.signed_in.post(f"{path}/withdraw", json={"target": "vercel"})
    assert refused.status_code == 409
    assert Problem.model_validate_json(refused.content).detail == "Nothing is published there."
    for body in ({"target": "nowhere"}, {"version": 0}, {"id": "not an id"}, {"token": "x"}):
        assert (await service.signed_in.post(path, json=body)).status_code == 422
    assert (await service.anonymous.post(path, json={})).status_code == 401
    assert (await service.signed_in.post("/api/sessions/session-none/deployments", json={})).status_code == 404
