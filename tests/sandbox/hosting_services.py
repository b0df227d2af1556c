"""The interfaces of Cloudflare Pages, Netlify and Vercel, as far as publishing uses them, in memory."""

import base64
import hashlib
import json
from dataclasses import dataclass, field

from blake3 import blake3
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "token-of-the-user-0123456789"
UPLOAD_TOKEN = "granted-for-uploads"


@dataclass
class Fault:
    """An answer given instead of the real one, so many times, to requests whose path contains `part`."""

    part: str
    answer: Response
    times: int = 1


@dataclass
class HostingServices:
    """What was published where: files by path, per project. `requests` lists methods and paths."""

    projects: dict[str, dict[str, bytes]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    deploys: dict[str, dict[str, str]] = field(default_factory=dict)
    polls: int = 0
    end_state: str = "ready"

    def app(self) -> Starlette:
        account = "/cloudflare/accounts/{account}/pages/projects"
        return Starlette(
            routes=[
                Route(account, self._checked(self.cf_create), methods=["POST"]),
                Route(account + "/{name}", self._checked(self.cf_project), methods=["GET", "DELETE"]),
                Route(account + "/{name}/upload-token", self._checked(self.cf_token)),
                Route(account + "/{name}/deployments", self._checked(self.cf_deploy), methods=["POST"]),
                Route("/cloudflare/pages/assets/{what}", self._checked(self.cf_assets), methods=["POST"]),
                Route("/netlify/sites", self._checked(self.netlify_create), methods=["POST"]),
                Route("/netlify/sites/{site}", self._checked(self.netlify_site), methods=["GET", "DELETE"]),
                Route("/netlify/sites/{site}/deploys", self._checked(self.netlify_deploy), methods=["POST"]),
                Route("/netlify/deploys/{deploy}", self._checked(self.netlify_state)),
                Route("/netlify/deploys/{deploy}/files/{path:path}", self._checked(self.netlify_file), methods=["PUT"]),
                Route("/vercel/v2/files", self._checked(self.vercel_file), methods=["POST"]),
                Route("/vercel/v13/deployments", self._checked(self.vercel_deploy), methods=["POST"]),
                Route("/vercel/v13/deployments/{deploy}", self._checked(self.vercel_state)),
                Route("/vercel/v9/projects/{name}", self._checked(self.vercel_delete), methods=["DELETE"]),
            ]
        )

    def _checked(self, handler):  # type: ignore[no-untyped-def]
        async def handle(request: Request) -> Response:
            self.requests.append(f"{request.method} {request.url.path}")
            for fault in self.faults:
                if fault.times > 0 and fault.part in request.url.path:
                    fault.times -= 1
                    return fault.answer
            wanted = UPLOAD_TOKEN if "/pages/assets/" in request.url.path else TOKEN
            if request.headers.get("authorization") != f"Bearer {wanted}":
                return JSONResponse({"errors": [{"message": f"bad {request.headers['authorization']}"}]}, 403)
            answer: Response = await handler(request)
            return answer

        return handle

    # --- Cloudflare Pages

    async def cf_create(self, request: Request) -> Response:
        name = (await request.json())["name"]
        self.projects[name] = {}
        return JSONResponse({"result": {"name": name, "subdomain": f"{name}.pages.dev"}})

    async def cf_project(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self.projects:
            return JSONResponse({"errors": [{"message": "Project not found"}]}, 404)
        if request.method == "DELETE":
            del self.projects[name]
        return JSONResponse({"result": {"name": name, "subdomain": f"{name}.pages.dev"}})

    async def cf_token(self, request: Request) -> Response:
        return JSONResponse({"result": {"jwt": UPLOAD_TOKEN}})

    async def cf_assets(self, request: Request) -> Response:
        body = await request.json()
        match request.path_params["what"]:
            case "check-missing":
                return JSONResponse({"result": [name for name in body["hashes"] if name not in self.contents]})
            case "upload":
                for asset in body:
                    assert asset["base64"] and asset["metadata"]["contentType"]
                    self.contents[asset["key"]] = base64.b64decode(asset["value"])
            case _:
                assert all(name in self.contents for name in body["hashes"])
        return JSONResponse({"result": None})

    async def cf_deploy(self, request: Request) -> Response:
        form = await request.form()
        manifest = json.loads(str(form["manifest"]))
        for path, name in manifest.items():
            encoded = base64.b64encode(self.contents[name]) + path.rpartition(".")[2].encode()
            assert blake3(encoded).hexdigest()[:32] == name
        name = request.path_params["name"]
        self.projects[name] = {path[1:]: self.contents[digest] for path, digest in manifest.items()}
        return JSONResponse({"result": {"id": "1", "url": f"https://f00.{name}.pages.dev"}})

    # --- Netlify

    async def netlify_create(self, request: Request) -> Response:
        name = (await request.json())["name"]
        self.projects[name] = {}
        return JSONResponse({"id": f"id-{name}", "ssl_url": f"https://{name}.netlify.app"}, 201)

    async def netlify_site(self, request: Request) -> Response:
        name = request.path_params["site"].removesuffix(".netlify.app").removeprefix("id-")
        if name not in self.projects:
            return JSONResponse({"code": 404, "message": "Not Found"}, 404)
        if request.method == "DELETE":
            del self.projects[name]
            return Response(status_code=204)
        return JSONResponse({"id": f"id-{name}", "ssl_url": f"https://{name}.netlify.app"})

    async def netlify_deploy(self, request: Request) -> Response:
        files = (await request.json())["files"]
        name = request.path_params["site"].removeprefix("id-")
        self.deploys[name] = files
        required = sorted({sha for sha in files.values() if sha not in self.contents})
        return JSONResponse({"id": f"deploy-{name}", "required": required, "state": "uploading"})

    async def netlify_file(self, request: Request) -> Response:
        content = await request.body()
        sha = hashlib.sha1(content).hexdigest()
        name = request.path_params["deploy"].removeprefix("deploy-")
        assert self.deploys[name]["/" + request.path_params["path"]] == sha
        self.contents[sha] = content
        return JSONResponse({})

    async def netlify_state(self, request: Request) -> Response:
        name = request.path_params["deploy"].removeprefix("deploy-")
        self.polls += 1
        if self.polls < 3:
            return JSONResponse({"state": "processing"})
        if self.end_state != "ready":
            return JSONResponse({"state": "error", "error_message": "Too many files"})
        self.projects[name] = {path[1:]: self.contents[sha] for path, sha in self.deploys[name].items()}
        return JSONResponse({"state": "ready"})

    # --- Vercel

    async def vercel_file(self, request: Request) -> Response:
        content = await request.body()
        sha = hashlib.sha1(content).hexdigest()
        if request.headers["x-vercel-digest"] != sha:
            return JSONResponse({"error": {"code": "bad_digest", "message": "The digest is wrong"}}, 400)
        self.contents[sha] = content
        return JSONResponse({})

    async def vercel_deploy(self, request: Request) -> Response:
        body = await request.json()
        assert request.query_params.get("teamId") == "team-1"
        missing = [file["sha"] for file in body["files"] if file["sha"] not in self.contents]
        if missing:
            return JSONResponse({"error": {"code": "missing_files", "message": "Missing files"}}, 400)
        self.projects[body["name"]] = {file["file"]: self.contents[file["sha"]] for file in body["files"]}
        return JSONResponse({"id": f"dpl_{body['name']}", "url": f"{body['name']}-a1b2.vercel.app"})

    async def vercel_state(self, request: Request) -> Response:
        name = request.path_params["deploy"].removeprefix("dpl_")
        self.polls += 1
        if self.polls < 3:
            return JSONResponse({"readyState": "BUILDING"})
        if self.end_state != "ready":
            return JSONResponse({"readyState": "ERROR", "errorMessage": "Too many files"})
        alias = [f"{name}-git-team.vercel.app", f"{name}.vercel.app"]
        return JSONResponse({"readyState": "READY", "url": f"{name}-a1b2.vercel.app", "alias": alias})

    async def vercel_delete(self, request: Request) -> Response:
        if self.projects.pop(request.path_params["name"], None) is None:
            return JSONResponse({"error": {"code": "not_found", "message": "Not found"}}, 404)
        return Response(status_code=204)
