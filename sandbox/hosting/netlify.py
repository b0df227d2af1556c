"""Netlify by file digests: it says which contents it wants, and gets those."""

import hashlib
from collections.abc import Mapping
from urllib.parse import quote

from sandbox.errors import HostingFailed
from sandbox.hosting.accounts import Account
from sandbox.hosting.calls import Service, field, message_in, side_by_side
from sandbox.sites import Site

TITLE = "Netlify"
_ALL_TO_START = b"/* /index.html 200\n"


class Netlify:
    """Sites below `netlify.app`."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def publish(self, account: Account, name: str, site: Site) -> str:
        files = dict(site.files)
        if site.single_page:
            files.setdefault("_redirects", _ALL_TO_START)
        async with Service(TITLE, self._url, account.token.get_secret_value()) as service:
            found = await service.call("GET", f"/sites/{name}.netlify.app", missing=True)
            if found is None:
                found = await service.call("POST", "/sites", json={"name": name})
            site_id = field(found, "id", title=TITLE)
            await self._deploy(service, site_id, files)
            return _address(found)

    async def _deploy(self, service: Service, site_id: str, files: Mapping[str, bytes]) -> None:
        digests = {path: hashlib.sha1(content, usedforsecurity=False).hexdigest() for path, content in files.items()}
        begun = await service.call(
            "POST",
            f"/sites/{quote(site_id, safe='')}/deploys",
            json={"files": {f"/{path}": sha for path, sha in digests.items()}},
        )
        deploy = f"/deploys/{quote(field(begun, 'id', title=TITLE), safe='')}"
        required = set(begun.get("required") or ())
        # A content that several files share is wanted once.
        uploads = {sha: path for path, sha in digests.items() if sha in required}
        await side_by_side(
            [
                lambda path=path: service.call(  # type: ignore[misc]
                    "PUT",
                    f"{deploy}/files/{quote(path)}",
                    content=files[path],
                    headers={"Content-Type": "application/octet-stream"},
                )
                for path in uploads.values()
            ]
        )

        async def ready() -> str | None:
            state = await service.call("GET", deploy)
            name = field(state, "state", title=TITLE)
            if name == "error":
                said = state.get("error_message") or message_in(state) or "no reason was given"
                raise HostingFailed(f"{TITLE} could not publish: {str(said)[:300]}")
            return name if name == "ready" else None

        await service.until(ready)

    async def withdraw(self, account: Account, name: str) -> None:
        async with Service(TITLE, self._url, account.token.get_secret_value()) as service:
            found = await service.call("GET", f"/sites/{name}.netlify.app", missing=True)
            if found is not None:
                site_id = quote(field(found, "id", title=TITLE), safe="")
                await service.call("DELETE", f"/sites/{site_id}", missing=True)


def _address(found: Mapping[str, object]) -> str:
    return field({"url": found.get("ssl_url") or found.get("url")}, "url", title=TITLE)
