"""Publishing over HTTP: ask for it, see how far it is, take it back."""

import secrets
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.access import session_of
from api.endpoints import ANSWER_SECONDS, Answer, Endpoint, JsonResponse, body_of, within
from api.examples import EXAMPLE_TIME
from api.problems import AWAY, NO_SESSION, NO_WORKER, NOT_NOW, NOT_PUBLISHED, SESSION_ENDED, Refusal
from api.services import services_of
from api.session_workflows import CARRY_OUT_SECONDS
from api.snapshots import snapshot
from schemas.deployments import TARGET_TITLES, Deployment, DeploymentRequest, DeploymentWithdrawal
from schemas.http import CreateDeployment, DeploymentList

EXAMPLE: Final = Deployment(id="d-1", target="local", requested_at=EXAMPLE_TIME, changed_at=EXAMPLE_TIME)
EXAMPLE_LIVE: Final = EXAMPLE.model_copy(
    update={"status": "live", "url": "http://session-k3v7-qx2.site.localhost:8081", "files": 5, "size": 214_000}
)


async def create(request: Request) -> Response:
    session = await within(ANSWER_SECONDS, session_of(request, "own"))
    body = body_of(request, CreateDeployment)
    if body.target not in services_of(request).settings.targets:
        raise Refusal(NOT_PUBLISHED, f"{TARGET_TITLES[body.target]} is not among the targets that this service allows.")
    asked = DeploymentRequest(id=body.id or f"d-{secrets.token_hex(8)}", target=body.target, version=body.version)
    deployment = await services_of(request).workflows.publish(session.id, asked)
    return JsonResponse(deployment, status_code=202)


async def list_deployments(request: Request) -> Response:
    session = await session_of(request, "view")
    shown = await snapshot(services_of(request), session)
    return JsonResponse(DeploymentList(deployments=shown.progress.deployments[::-1]))


async def withdraw(request: Request) -> Response:
    session = await within(ANSWER_SECONDS, session_of(request, "own"))
    asked = body_of(request, DeploymentWithdrawal)
    return JsonResponse(await services_of(request).workflows.withdraw(session.id, asked), status_code=202)


ENDPOINTS: Final = (
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/deployments",
        handler=create,
        name="create_deployment",
        summary="Publish the application as it stands, or as it was at a version",
        body=CreateDeployment,
        body_example=CreateDeployment(target="local"),
        answer=Answer(status=202, description="Asked for; events tell the rest.", schema=Deployment, example=EXAMPLE),
        problems=(NO_SESSION, NOT_NOW, NOT_PUBLISHED, SESSION_ENDED, NO_WORKER, *AWAY),
        seconds=ANSWER_SECONDS + CARRY_OUT_SECONDS,
    ),
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/deployments",
        handler=list_deployments,
        name="list_deployments",
        guests=True,
        summary="What was published, newest first",
        answer=Answer(
            description="The deployments.", schema=DeploymentList, example=DeploymentList(deployments=[EXAMPLE_LIVE])
        ),
        problems=(NO_SESSION, NO_WORKER, *AWAY),
    ),
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/deployments/withdraw",
        handler=withdraw,
        name="withdraw_deployment",
        summary="Take what is published at a target from the net",
        body=DeploymentWithdrawal,
        body_example=DeploymentWithdrawal(target="local"),
        answer=Answer(status=202, description="It is asked for.", schema=Deployment, example=EXAMPLE_LIVE),
        problems=(NO_SESSION, NOT_NOW, SESSION_ENDED, NO_WORKER, *AWAY),
        seconds=ANSWER_SECONDS + CARRY_OUT_SECONDS,
    ),
)
