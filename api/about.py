"""What the page needs to know before a session exists."""

from starlette.requests import Request
from starlette.responses import Response

from api.endpoints import Answer, Endpoint, JsonResponse
from api.services import services_of
from schemas.http import About, TemplateSummary


async def about(request: Request) -> Response:
    settings = services_of(request).settings
    return JsonResponse(
        About(
            version=settings.version,
            demo=settings.demo,
            models=list(settings.models),
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
