"""The phases of a session over HTTP: beginning one anew."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.access import session_of
from api.auth import principal_of
from api.bodies import read_nothing
from api.endpoints import ANSWER_SECONDS, Answer, Endpoint, JsonResponse, within
from api.problems import AWAY, NO_PHASE, NO_SESSION, NO_WORKER, NOT_NOW, SESSION_ENDED, Refusal
from api.services import services_of
from api.session_workflows import CARRY_OUT_SECONDS
from schemas.versions import PhaseRetried, RetryPhase

MAX_PHASE_ID: Final = 100


async def retry(request: Request) -> Response:
    await read_nothing(request)
    session = await within(ANSWER_SECONDS, session_of(request, "edit"))
    phase_id: str = request.path_params["phase_id"]
    if len(phase_id) > MAX_PHASE_ID:
        raise Refusal(NO_PHASE, "The session's plan has no such phase.")
    wanted = RetryPhase(phase_id=phase_id, user_id=principal_of(request).user_id)
    return JsonResponse(await services_of(request).workflows.retry_phase(session.id, wanted), status_code=202)


ENDPOINTS: Final = (
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/phases/{phase_id}/retry",
        handler=retry,
        name="retry_phase",
        summary="Go back to before a phase and build on from there; a session at work has to be stopped first",
        answer=Answer(
            status=202,
            description="The project is what it was before the phase, as a new version; the work goes on from there.",
            schema=PhaseRetried,
            example=PhaseRetried(discarded=["phase-2", "phase-3"], version=23, phase_id="phase-2r1"),
        ),
        problems=(NO_SESSION, NO_PHASE, NOT_NOW, SESSION_ENDED, NO_WORKER, *AWAY),
        seconds=ANSWER_SECONDS + CARRY_OUT_SECONDS,
    ),
)
