"""Candidates over HTTP: what was written to choose from, and another choice."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.access import session_of
from api.endpoints import ANSWER_SECONDS, Answer, Endpoint, JsonResponse, body_of, within
from api.problems import AWAY, NO_SESSION, NO_WORKER, NOT_NOW, SESSION_ENDED
from api.services import services_of
from api.session_workflows import CARRY_OUT_SECONDS
from api.snapshots import snapshot
from schemas.candidates import Candidate, CandidateChoice, CandidateList

EXAMPLE: Final = Candidate(
    id="phase-1-candidate-2",
    subject="phase-1",
    number=2,
    status="ready",
    files=7,
    errors=0,
    score=86,
    reason="Complete, calm to look at, and it keeps its cards over a reload.",
    chosen=True,
)


async def list_candidates(request: Request) -> Response:
    session = await session_of(request, "view")
    shown = await snapshot(services_of(request), session)
    return JsonResponse(CandidateList(candidates=shown.progress.candidates))


async def choose(request: Request) -> Response:
    session = await within(ANSWER_SECONDS, session_of(request, "edit"))
    choice = body_of(request, CandidateChoice)
    return JsonResponse(await services_of(request).workflows.choose(session.id, choice), status_code=202)


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/candidates",
        handler=list_candidates,
        name="list_candidates",
        guests=True,
        summary="The candidates of the blueprint and of phases, with their scores",
        answer=Answer(
            description="The candidates, oldest first.",
            schema=CandidateList,
            example=CandidateList(candidates=[EXAMPLE]),
        ),
        problems=(NO_SESSION, NO_WORKER, *AWAY),
    ),
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/candidates/choose",
        handler=choose,
        name="choose_candidate",
        summary="Go on with another candidate: its files become a new version and are checked",
        body=CandidateChoice,
        body_example=CandidateChoice(candidate_id=EXAMPLE.id),
        answer=Answer(status=202, description="Chosen; events tell the rest.", schema=Candidate, example=EXAMPLE),
        problems=(NO_SESSION, NOT_NOW, SESSION_ENDED, NO_WORKER, *AWAY),
        seconds=ANSWER_SECONDS + CARRY_OUT_SECONDS,
    ),
)
