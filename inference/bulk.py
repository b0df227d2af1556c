"""The batch endpoints of OpenAI and Anthropic: a call that may take hours, at half its price.

https://platform.openai.com/docs/api-reference/batch and https://docs.anthropic.com/en/api/creating-message-batches
"""

from decimal import Decimal
from typing import Any, Final, NamedTuple

import httpx
import orjson

from inference.gateway import Endpoint

BATCH_PRICE: Final = Decimal("0.5")
"""Of the price of the same call made at once."""
BATCHED: Final = frozenset({"openai", "anthropic"})
SECONDS: Final = 60.0
LARGEST: Final = 64 * 1024 * 1024
WORKING: Final = frozenset({"validating", "in_progress", "finalizing"})


class BatchRefused(Exception):
    """The provider takes no batch now. The message repeats nothing that it said."""


class BatchAway(Exception):
    """The provider did not answer; asking later may help."""


class BatchResult(NamedTuple):
    """How a batch is: at work, or with the answer as the provider would have given it, or without one and why."""

    working: bool = False
    answer: bytes | None = None
    reason: str = ""


class Bulk:
    """Batches of one call each. `client` is the caller's."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def submit(self, where: Endpoint, path: str, name: str, body: dict[str, Any]) -> str:
        """Hand a call in and return the batch's id. The same `name` again means the same batch. Raises BatchRefused,
        also where the provider cannot be reached: the call then goes the usual way."""
        try:
            if where.provider.id == "anthropic":
                given: dict[str, Any] = {"requests": [{"custom_id": name, "params": body}]}
                answer = await self._ask(where, "POST", "/v1/messages/batches", json=given, name=name)
            else:
                line = orjson.dumps({"custom_id": name, "method": "POST", "url": f"/v1{path}", "body": body})
                files = {"file": ("calls.jsonl", line + b"\n", "application/jsonl"), "purpose": (None, "batch")}
                file = await self._ask(where, "POST", "/files", files=files, name=f"{name}-file")
                given = {
                    "input_file_id": _text(file, "id"),
                    "endpoint": f"/v1{path}",
                    "completion_window": "24h",
                    "metadata": {"call": name},
                }
                answer = await self._ask(where, "POST", "/batches", json=given, name=name)
            return _text(answer, "id")
        except BatchAway as error:
            raise BatchRefused(str(error)) from None

    async def look(self, where: Endpoint, batch_id: str, name: str) -> BatchResult:
        """How a batch is. Raises BatchAway, and BatchRefused where the provider does not know it."""
        if where.provider.id == "anthropic":
            shown = await self._ask(where, "GET", f"/v1/messages/batches/{batch_id}")
            if shown.get("processing_status") != "ended":
                return BatchResult(working=True)
            line = await self._line(where, f"/v1/messages/batches/{batch_id}/results", name)
            result = line.get("result") or {}
            if result.get("type") == "succeeded":
                return BatchResult(answer=orjson.dumps(result.get("message")))
            return BatchResult(reason=f"the batch's call {str(result.get('type', 'is missing'))[:40]}")
        shown = await self._ask(where, "GET", f"/batches/{batch_id}")
        status = str(shown.get("status"))[:40]
        if status in WORKING:
            return BatchResult(working=True)
        if not shown.get("output_file_id"):
            return BatchResult(reason=f"the batch {status}")
        line = await self._line(where, f"/files/{_text(shown, 'output_file_id')}/content", name)
        response = line.get("response") or {}
        if response.get("status_code") != 200:
            return BatchResult(reason=f"the batch's call had status {response.get('status_code')}")
        return BatchResult(answer=orjson.dumps(response.get("body")))

    async def cancel(self, where: Endpoint, batch_id: str) -> None:
        """Give a batch up. One that has ended is left as it is. Raises BatchAway."""
        start = "/v1/messages/batches" if where.provider.id == "anthropic" else "/batches"
        try:
            await self._ask(where, "POST", f"{start}/{batch_id}/cancel")
        except BatchRefused:
            return

    async def _line(self, where: Endpoint, path: str, name: str) -> dict[str, Any]:
        """The line of a file of results that is this call's; empty where there is none."""
        content = await self._send(where, "GET", path)
        for line in content.splitlines():
            found = _object(line)
            if found.get("custom_id") == name:
                return found
        return {}

    async def _ask(self, where: Endpoint, method: str, path: str, *, name: str = "", **given: Any) -> dict[str, Any]:
        return _object(await self._send(where, method, path, name=name, **given))

    async def _send(self, where: Endpoint, method: str, path: str, *, name: str = "", **given: Any) -> bytes:
        headers = {**where.request_headers(), **({"idempotency-key": name} if name else {})}
        if where.provider.id == "anthropic":
            headers.setdefault("anthropic-version", "2023-06-01")
        try:
            answer = await self._client.request(
                method, f"{where.base_url}{path}", headers=headers, timeout=SECONDS, **given
            )
        except httpx.HTTPError as error:
            raise BatchAway(f"the provider cannot be reached ({type(error).__name__})") from None
        if answer.status_code == 429 or answer.status_code >= 500:
            raise BatchAway(f"the provider answered with status {answer.status_code}")
        if answer.status_code >= 300 or len(answer.content) > LARGEST:
            raise BatchRefused(f"the provider answered with status {answer.status_code}")
        return answer.content


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise BatchRefused("the provider's answer is not JSON") from None
    return found if isinstance(found, dict) else {}


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value.replace("-", "").replace("_", "").isalnum():
        raise BatchRefused(f"the provider's answer has no {name}")
    return value
