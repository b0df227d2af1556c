"""Whether this process lives, and whether the parts it needs are there."""

import asyncio

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from api.endpoints import Answer, Endpoint, JsonResponse
from api.problems import NOT_READY, Refusal, request_id_of
from api.services import services_of
from schemas.http import Problem
from storage.database import Database

PART_SECONDS = 1.0


class Alive(BaseModel):
    """Answer of `GET /healthz`."""

    status: str = "ok"


class Part(BaseModel):
    """One part that the service needs."""

    name: str
    ready: bool
    detail: str


class Readiness(BaseModel):
    """Answer of `GET /readyz` when every part is ready."""

    parts: list[Part]


class NotReadyProblem(Problem):
    """Answer of `GET /readyz` when a part is missing."""

    parts: list[Part]


async def healthz(request: Request) -> Response:
    return JsonResponse(Alive())


async def readyz(request: Request) -> Response:
    services = services_of(request)
    (postgres, migrations), temporal = await asyncio.gather(
        _database_parts(services.database), services.workflows.reachable()
    )
    temporal_part = Part(
        name="temporal", ready=temporal, detail="It answers." if temporal else "The workflow service does not answer."
    )
    parts = [postgres, migrations, temporal_part]
    missing = [part for part in parts if not part.ready]
    if not missing:
        return JsonResponse(Readiness(parts=parts))
    refusal = Refusal(NOT_READY, " ".join(f"{part.name}: {part.detail}" for part in missing))
    problem = NotReadyProblem(**refusal.problem(request_id_of(request.scope)).model_dump(), parts=parts)
    return Response(problem.model_dump_json(), NOT_READY.status, refusal.headers, media_type="application/problem+json")


async def _database_parts(database: Database) -> tuple[Part, Part]:
    """Postgres, and whether it has every migration this version brings."""
    task = asyncio.ensure_future(database.pending_migrations())
    done, _ = await asyncio.wait({task}, timeout=PART_SECONDS)
    if not done or task.exception() is not None:
        task.cancel()
        return (
            Part(name="postgres", ready=False, detail="The database does not answer."),
            Part(name="migrations", ready=False, detail="They cannot be read while the database does not answer."),
        )
    pending = task.result()
    migrations = f"Not applied yet: {', '.join(pending)}." if pending else "All are applied."
    return (
        Part(name="postgres", ready=True, detail="It answers."),
        Part(name="migrations", ready=not pending, detail=migrations),
    )


ALL_READY = Readiness(
    parts=[
        Part(name="postgres", ready=True, detail="It answers."),
        Part(name="migrations", ready=True, detail="All are applied."),
        Part(name="temporal", ready=True, detail="It answers."),
    ]
)

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/healthz",
        handler=healthz,
        name="healthz",
        summary="Whether this process lives",
        answer=Answer(description="It lives.", schema=Alive, example=Alive()),
        open=True,
    ),
    Endpoint(
        method="GET",
        path="/readyz",
        handler=readyz,
        name="readyz",
        summary="Whether Postgres, its migrations and Temporal are ready, each by name",
        answer=Answer(description="Every part is ready.", schema=Readiness, example=ALL_READY),
        problems=(NOT_READY,),
        open=True,
    ),
)
