"""What the page needs to know before a session exists."""

from starlette.requests import Request
from starlette.responses import Response

from api.endpoints import Answer, Endpoint, JsonResponse
from api.model_access import access_of
from api.problems import Refusal
from api.services import services_of
from inference import listing
from schemas.http import About, TemplateSummary


async def about(request: Request) -> Response:
    settings, inference = services_of(request).settings, services_of(request).inference.settings
    try:
        user = (await access_of(request)).user
    except Refusal:  # a vault that does not open keeps nobody from the page
        user = None
    return JsonResponse(
        About(
            version=settings.version,
            demo=listing.is_demo(inference, user),
            models=listing.usable_models(inference, user),
            templates=list(settings.templates),
            examples=list(settings.examples),
            temporal_ui=settings.temporal_ui,
        )
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/about",
        handler=about,
        name="about",
        summary="Version, models, templates and example prompts",
        answer=Answer(
            description="What this service offers.",
            schema=About,
            example=About(
                version="0.1.0",
                demo=True,
                models=["demo/recorded"],
                templates=[
                    TemplateSummary(name="react-vite", title="React", description="React, Vite, TypeScript, Tailwind.")
                ],
                examples=["A kanban board with drag and drop"],
                temporal_ui="http://127.0.0.1:8233",
            ),
        ),
    ),
)
