"""Requests made up from the OpenAPI document: whatever is sent, no route meets an error that it did not expect."""

import asyncio

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation

from api.problems import TOO_SLOW
from tests.api.conftest import TOKEN, Service

EXAMPLES = 4
ENDLESS = {"watch_session"}
SECONDS = 60.0


@schemathesis.serializer("application/x-git-upload-pack-request", "application/x-git-receive-pack-request")
def as_bytes(context: object, value: object) -> bytes:
    """A body of git as it was made up."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


async def test_no_made_up_request_meets_a_server_error(service: Service, worker: None) -> None:
    document = (await service.anonymous.get("/openapi.json")).json()
    tried = await asyncio.to_thread(try_everything, document, service.url)
    assert len(tried) > 40
    assert not {name: status for name, status in tried.items() if 500 in status}


def try_everything(document: dict[str, object], url: str) -> dict[str, set[int]]:
    """The statuses that each operation answered with."""
    tried: dict[str, set[int]] = {}
    schema = schemathesis.openapi.from_dict(document)
    with httpx.Client(base_url=url, timeout=SECONDS) as client:
        for found in schema.get_all_operations():
            assert isinstance(found, Ok)
            name = str(found.ok().definition.raw["operationId"])
            if name in ENDLESS:
                continue
            tried[name] = try_operation(client, found.ok(), url)
    return tried


def try_operation(client: httpx.Client, operation: APIOperation, url: str) -> set[int]:
    """The statuses that made-up requests to one operation were answered with."""
    statuses: set[int] = set()
    described = {int(status) for status in operation.definition.raw["responses"]}

    @seed(1)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def check(case: Case) -> None:
        sent = case.as_transport_kwargs(base_url=url)
        headers = {str(k): str(v).encode("utf-8", "surrogatepass") for k, v in (sent["headers"] or {}).items()}
        answer = client.request(
            sent["method"],
            sent["url"],
            params=sent.get("params"),
            headers={**headers, "Authorization": f"Bearer {TOKEN}".encode()},
            json=sent.get("json"),
            content=sent.get("data"),
        )
        statuses.add(answer.status_code)
        # A machine that is busy may be too slow for any route: that is said, and is no surprise.
        too_slow = answer.status_code == TOO_SLOW.status and answer.json()["code"] == TOO_SLOW.code
        assert answer.status_code < 500 or answer.status_code in described or too_slow, answer.text

    check()
    return statuses
