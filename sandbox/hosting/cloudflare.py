"""Cloudflare Pages by direct upload: contents by their hash, then a manifest that names them."""

import base64
import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import quote

from blake3 import blake3

from sandbox.errors import HostingFailed
from sandbox.hosting.accounts import Account
from sandbox.hosting.calls import Service, field, side_by_side
from sandbox.sites import Site, media_type

TITLE = "Cloudflare Pages"
_BRANCH = "main"
_BATCH_BYTES, _BATCH_FILES = 10 * 1024 * 1024, 500


class CloudflarePages:
    """Projects below `pages.dev`. Addresses without a file lead to the start page, unless there is a 404.html."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def publish(self, account: Account, name: str, site: Site) -> str:
        project = _project(account, name)
        async with Service(TITLE, self._url, account.token.get_secret_value()) as service:
            found = await service.call("GET", project, missing=True)
            if found is None:
                parts = {"name": name, "production_branch": _BRANCH}
                found = await service.call("POST", project.rpartition("/")[0], json=parts)
            manifest = await self._upload(service, project, site)
            form = {"manifest": (None, json.dumps(manifest)), "branch": (None, _BRANCH)}
            await service.call("POST", f"{project}/deployments", files=form)
            subdomain = field(found, "result", "subdomain", title=TITLE)
            return f"https://{subdomain}"

    async def _upload(self, service: Service, project: str, site: Site) -> dict[str, str]:
        """Send what Cloudflare does not have yet. Returns the manifest: the hash of each path."""
        hashes = {path: _hash(path, content) for path, content in site.files.items()}
        granted = await service.call("GET", f"{project}/upload-token")
        token = {"Authorization": f"Bearer {field(granted, 'result', 'jwt', title=TITLE)}"}
        wanted = sorted(set(hashes.values()))
        answer = await service.call("POST", "/pages/assets/check-missing", json={"hashes": wanted}, headers=token)
        missing = set(answer.get("result") or ()) if isinstance(answer, dict) else set(wanted)
        uploads = {hashes[path]: (path, site.files[path]) for path in site.files if hashes[path] in missing}
        await side_by_side(
            [
                lambda batch=batch: service.call(  # type: ignore[misc]
                    "POST", "/pages/assets/upload", json=batch, headers=token
                )
                for batch in _batches(uploads)
            ]
        )
        await service.call("POST", "/pages/assets/upsert-hashes", json={"hashes": wanted}, headers=token)
        return {f"/{path}": digest for path, digest in hashes.items()}

    async def withdraw(self, account: Account, name: str) -> None:
        async with Service(TITLE, self._url, account.token.get_secret_value()) as service:
            await service.call("DELETE", _project(account, name), missing=True)


def _project(account: Account, name: str) -> str:
    if account.owner is None:
        raise HostingFailed("Cloudflare Pages needs the account's id beside the token.", code="no_deployment_account")
    return f"/accounts/{quote(account.owner, safe='')}/pages/projects/{name}"


def _hash(path: str, content: bytes) -> str:
    """The name of a content, as Cloudflare's own tool makes it: of the text in base64 and the extension."""
    extension = PurePosixPath(path).suffix.removeprefix(".")
    return blake3(base64.b64encode(content) + extension.encode()).hexdigest()[:32]


def _batches(uploads: dict[str, tuple[str, bytes]]) -> Iterator[list[dict[str, object]]]:
    batch: list[dict[str, object]] = []
    size = 0
    for digest, (path, content) in uploads.items():
        if batch and (size + len(content) > _BATCH_BYTES or len(batch) >= _BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(
            {
                "key": digest,
                "value": base64.b64encode(content).decode(),
                "metadata": {"contentType": media_type(path)},
                "base64": True,
            }
        )
        size += len(content)
    if batch:
        yield batch
