"""Serves the built web app: the page itself, its hashed assets, and the sign-in that a page's address may carry."""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.staticfiles import StaticFiles

from api.problems import NOT_FOUND, NOT_SIGNED_IN, PAGE_MISSING, Refusal
from api.services import services_of

# The build puts a hash of the content into the names below assets/, so these never change.
FOREVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"


class Pages:
    """The files of `web/dist`. The page is the same for every address that the app itself routes."""

    def __init__(self, web_dist: Path | None) -> None:
        self._root = web_dist
        self._files = StaticFiles(directory=web_dist, check_dir=False) if web_dist is not None else None

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self.page, methods=["GET"], name="home"),
            Route("/s/{session_id}", self.page, methods=["GET"], name="session_page"),
            Route("/sign-in", self.page, methods=["GET"], name="sign_in_page"),
            Route("/models", self.page, methods=["GET"], name="models_page"),
            Route("/usage", self.page, methods=["GET"], name="usage_page"),
            Route("/account", self.page, methods=["GET"], name="account_page"),
            Route("/operators", self.page, methods=["GET"], name="operators_page"),
            Route("/shared", self.page, methods=["GET"], name="shared_page"),
            Route("/assets/{path:path}", self.asset, methods=["GET"], name="asset"),
            Route("/{name}", self.root_file, methods=["GET"], name="root_file"),
        ]

    async def page(self, request: Request) -> Response:
        """The app, signed in or not: what it may see is decided by what it asks for."""
        if "token" in request.query_params:
            return services_of(request).sign_in.exchange_token(request)
        if self._root is None or not (self._root / "index.html").is_file():
            raise Refusal(PAGE_MISSING, "The service runs, but its web app is not built.")
        return await self._file("index.html", request, REVALIDATE)

    async def asset(self, request: Request) -> Response:
        return await self._file(f"assets/{request.path_params['path']}", request, FOREVER)

    async def root_file(self, request: Request) -> Response:
        """Files beside the page, such as its icon. Like all that no route knows, the rest needs a sign-in."""
        try:
            return await self._file(request.path_params["name"], request, REVALIDATE)
        except (Refusal, HTTPException):
            if request.state.principal is None:
                hint = services_of(request).sign_in.hint
                raise Refusal(NOT_SIGNED_IN, "The request is not signed in.", next_action=hint) from None
            raise

    async def _file(self, name: str, request: Request, caching: str) -> Response:
        if self._files is None or "\0" in name:
            raise Refusal(NOT_FOUND, "There is nothing at this address.")
        # Raises HTTPException 404 for what is missing, a folder, or outside of the root.
        response = await self._files.get_response(name, request.scope)
        response.headers["Cache-Control"] = caching
        return response
