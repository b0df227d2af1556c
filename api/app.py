"""The HTTP service: its table of endpoints, what stands in front of them, and how they become an application."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from temporalio.client import Client

from api import (
    about,
    account_life,
    account_routes,
    analytics_routes,
    budget_routes,
    candidates,
    codec_routes,
    deployment_accounts,
    deployments,
    edits,
    files,
    git,
    github_routes,
    guest_routes,
    health,
    images,
    key_routes,
    messages,
    metrics,
    model_routes,
    oauth_routes,
    operator_overview,
    operator_routes,
    phases,
    previews,
    provider_routes,
    recordings,
    session_events,
    session_life,
    sessions,
    sharing,
    sign_in_routes,
    versions,
    webhook_routes,
)
from api.auth import SignIn
from api.budget_changes import BudgetTeller
from api.budget_notices import NoticeSender
from api.endpoints import Answer, Endpoint
from api.openapi import openapi_document
from api.origins import OriginGate, OwnOrigins
from api.pages import Pages
from api.problems import EXCEPTION_HANDLERS
from api.request_log import RequestLog
from api.require_sign_in import RequireSignIn
from api.retention import forget_old
from api.security_headers import SecurityHeaders
from api.services import Services
from api.settings import ApiSettings
from api.tracing import RequestSpans
from api.webhook_sender import WebhookSender
from inference import Inference
from storage.database import Database
from storage.keyring import KeySource

CORS_HEADERS = ["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"]
CORS_EXPOSED = ["ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"]


async def openapi_json(request: Request) -> Response:
    return Response(request.app.state.openapi, media_type="application/json")


ENDPOINTS: tuple[Endpoint, ...] = (
    *sessions.ENDPOINTS,
    *messages.ENDPOINTS,
    *session_events.ENDPOINTS,
    *session_life.ENDPOINTS,
    *sharing.ENDPOINTS,
    *guest_routes.ENDPOINTS,
    *files.ENDPOINTS,
    *edits.ENDPOINTS,
    *versions.ENDPOINTS,
    *phases.ENDPOINTS,
    *images.ENDPOINTS,
    *git.ENDPOINTS,
    *github_routes.ENDPOINTS,
    *deployments.ENDPOINTS,
    *deployment_accounts.ENDPOINTS,
    *candidates.ENDPOINTS,
    *recordings.ENDPOINTS,
    *webhook_routes.ENDPOINTS,
    *previews.ENDPOINTS,
    *about.ENDPOINTS,
    *key_routes.ENDPOINTS,
    *provider_routes.ENDPOINTS,
    *model_routes.ENDPOINTS,
    *budget_routes.ENDPOINTS,
    *analytics_routes.ENDPOINTS,
    *codec_routes.ENDPOINTS,
    *sign_in_routes.ENDPOINTS,
    *oauth_routes.ENDPOINTS,
    *account_routes.ENDPOINTS,
    *account_life.ENDPOINTS,
    *operator_routes.ENDPOINTS,
    *operator_overview.ENDPOINTS,
    *health.ENDPOINTS,
    *metrics.ENDPOINTS,
    Endpoint(
        method="GET",
        path="/openapi.json",
        handler=openapi_json,
        name="openapi",
        summary="This document",
        answer=Answer(description="OpenAPI 3.1.", schema=dict[str, object]),
        open=True,
    ),
)


def create_app(
    settings: ApiSettings, *, database: Database, temporal: Client, inference: Inference, vault_keys: KeySource
) -> Starlette:
    """The ASGI application.

    `temporal` needs the pydantic data converter; a lazy client will do, so that the service starts while Temporal is
    away. It, `database` and `inference` are the caller's to close, after the application's lifespan has ended.
    """
    services = Services.of(settings, database, temporal, inference, vault_keys)
    pages = Pages(settings.web_dist).routes()
    routes = [*(endpoint.route() for endpoint in ENDPOINTS), *pages]
    open_routes = [*(endpoint.route() for endpoint in ENDPOINTS if endpoint.open), *pages]
    for_guests = [endpoint.route() for endpoint in ENDPOINTS if endpoint.guests]
    proving_routes = [endpoint.route() for endpoint in ENDPOINTS if endpoint.proves]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await services.stream.start()
        await services.watchers.start()
        notices = NoticeSender.of(services)
        telling = [asyncio.create_task(notices.run())] if notices else []
        telling.append(asyncio.create_task(BudgetTeller(services.budgets, services.workflows).run()))
        hooks = WebhookSender.of(services)
        telling += [asyncio.create_task(hooks.run()), asyncio.create_task(forget_old(services))]
        try:
            yield
        finally:
            for task in telling:
                task.cancel()
            await asyncio.gather(*telling, return_exceptions=True)
            await hooks.aclose()
            await services.watchers.aclose()
            await services.stream.aclose()
            await services.background.aclose()

    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=_middleware(settings, services.sign_in, routes, open_routes, proving_routes, for_guests),
        exception_handlers=EXCEPTION_HANDLERS,
    )
    app.router.redirect_slashes = False
    app.state.services = services
    app.state.openapi = orjson.dumps(openapi_document(ENDPOINTS, settings.version, services.sign_in.cookie.name))
    return app


def _middleware(
    settings: ApiSettings,
    sign_in: SignIn,
    routes: Sequence[BaseRoute],
    open_routes: Sequence[BaseRoute],
    proving_routes: Sequence[BaseRoute],
    for_guests: Sequence[BaseRoute],
) -> list[Middleware]:
    """Outermost first. Each is plain ASGI: nothing buffers a stream."""
    own = OwnOrigins(settings)
    cors = Middleware(
        CORSMiddleware,
        allow_origins=sorted(settings.allowed_origins),
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=CORS_HEADERS,
        expose_headers=CORS_EXPOSED,
    )
    return [
        Middleware(
            SecurityHeaders,
            preview_origin=settings.preview_origin,
            encrypted=settings.origin.startswith("https:"),
        ),
        Middleware(RequestLog),
        Middleware(RequestSpans),
        *([Middleware(codec_routes.CodecOrigin, origin=own.codec)] if own.codec else []),
        Middleware(OriginGate, own=own),
        *([cors] if settings.allowed_origins else []),
        Middleware(
            RequireSignIn,
            sign_in=sign_in,
            own=own,
            routes=routes,
            open_routes=open_routes,
            proving_routes=proving_routes,
            guest_routes=for_guests,
        ),
    ]
