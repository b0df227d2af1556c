"""Vercel: contents by their digest first, then a deployment that names them."""

import hashlib
import json
from urllib.parse import quote

from sandbox.errors import HostingFailed
from sandbox.hosting.accounts import Account
from sandbox.hosting.calls import Service, field, message_in, side_by_side
from sandbox.sites import Site

TITLE = "Vercel"
_ALL_TO_START = json.dumps({"rewrites": [{"source": "/(.*)", "destination": "/index.html"}]}).encode()
# The files are served as they are: nothing is built there.
_AS_IT_IS = {"framework": None, "buildCommand": None, "installCommand": None, "outputDirectory": None}


class Vercel:
    """Projects below `vercel.app`."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def publish(self, account: Account, name: str, site: Site) -> str:
        files = dict(site.files)
        if site.single_page:
            files.setdefault("vercel.json", _ALL_TO_START)
        digests = {path: hashlib.sha1(content, usedforsecurity=False).hexdigest() for path, content in files.items()}
        async with Service(TITLE, self._url, account.token.get_secret_value()) as service:
            contents = {digests[path]: content for path, content in files.items()}
            await side_by_side(
                [
                    lambda sha=sha, content=content: service.call(  # type: ignore[misc]
                        "POST",
                        "/v2/files",
                        params=_team(account),
                        content=content,
                        headers={"Content-Type": "application/octet-stream", "x-vercel-digest": sha},
                    )
                    for sha, content in contents.items()
                ]
            )
            named = [{"file": path, "sha": digests[path], "size": len(files[path])} for path in files]
            made = await service.call(
                "POST",
                "/v13/deployments",
                params={**_team(account), "skipAutoDetectionConfirmation": "1"},
                json={"name": name, "files": named, "projectSettings": _AS_IT_IS, "target": "production"},
            )
            return await self._until_ready(service, account, field(made, "id", title=TITLE))

    async def _until_ready(self, service: Service, account: Account, deployment: str) -> str:
        async def ready() -> str | None:
            state = await service.call("GET", f"/v13/deployments/{quote(deployment, safe='')}", params=_team(account))
            name = field(state, "readyState", title=TITLE)
            if name in ("ERROR", "CANCELED"):
                said = state.get("errorMessage") or message_in(state) or "no reason was given"
                raise HostingFailed(f"{TITLE} could not publish: {str(said)[:300]}")
            if name != "READY":
                return None
            # The project's own name stays the same from version to version; the deployment's does not.
            lasting = [alias for alias in state.get("alias") or () if isinstance(alias, str)]
            return min(lasting, key=len) if lasting else field(state, "url", title=TITLE)

        return f"https://{await service.until(ready)}"

    async def withdraw(self, account: Account, name: str) -> None:
        async with Service(TITLE, self._url, account.token.get_secret_value()) as service:
            await service.call("DELETE", f"/v9/projects/{quote(name, safe='')}", params=_team(account), missing=True)


def _team(account: Account) -> dict[str, str]:
    return {"teamId": account.owner} if account.owner else {}
