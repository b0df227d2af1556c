"""A server that speaks as much of GitHub as an export needs: its interface, and git itself behind smart HTTP."""

import asyncio
import base64
import subprocess
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "ghp_a_token_of_ada_0123456789"


class GithubServer:
    """Ada's account, with an organisation. `folder` has the bare repositories; `down` makes it fail."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.down = False
        self.seen: list[str] = []
        self.app = Starlette(
            routes=[
                Route("/user", self.user),
                Route("/repos/{owner}/{name}", self.repository),
                Route("/user/repos", self.create, methods=["POST"]),
                Route("/orgs/{owner}/repos", self.create, methods=["POST"]),
                Route("/{owner}/{name}.git/info/refs", self.refs),
                Route("/{owner}/{name}.git/git-receive-pack", self.receive, methods=["POST"]),
            ]
        )

    def path(self, repository: str) -> Path:
        return self._folder / f"{repository}.git"

    def make(self, repository: str) -> Path:
        path = self.path(repository)
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True)
        return path

    def _refused(self, request: Request) -> Response | None:
        self.seen.append(f"{request.method} {request.url.path}")
        if self.down:
            return Response(status_code=503)
        basic = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
        if request.headers.get("authorization") not in (f"Bearer {TOKEN}", f"Basic {basic}"):
            return JSONResponse({"message": "Bad credentials"}, 401)
        return None

    async def user(self, request: Request) -> Response:
        return self._refused(request) or JSONResponse({"login": "ada"})

    async def repository(self, request: Request) -> Response:
        name = "{owner}/{name}".format(**request.path_params)
        if (refused := self._refused(request)) is not None:
            return refused
        return JSONResponse({"full_name": name}) if self.path(name).exists() else JSONResponse({}, 404)

    async def create(self, request: Request) -> Response:
        if (refused := self._refused(request)) is not None:
            return refused
        body = await request.json()
        owner = request.path_params.get("owner", "ada")
        if owner == "strangers":
            return JSONResponse({"message": "You may not make repositories here"}, 403)
        assert body["private"] is True
        await asyncio.to_thread(self.make, f"{owner}/{body['name']}")
        return JSONResponse({"full_name": f"{owner}/{body['name']}"}, 201)

    async def refs(self, request: Request) -> Response:
        if (refused := self._refused(request)) is not None:
            return refused
        said = await self._git(request, b"", "--advertise-refs")
        return Response(
            b"001f# service=git-receive-pack\n0000" + said, media_type="application/x-git-receive-pack-advertisement"
        )

    async def receive(self, request: Request) -> Response:
        if (refused := self._refused(request)) is not None:
            return refused
        return Response(
            await self._git(request, await request.body()), media_type="application/x-git-receive-pack-result"
        )

    async def _git(self, request: Request, given: bytes, *more: str) -> bytes:
        path = self.path("{owner}/{name}".format(**request.path_params))
        process = await asyncio.create_subprocess_exec(
            "git", "receive-pack", "--stateless-rpc", *more, str(path), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        said, _ = await process.communicate(given)
        return said
