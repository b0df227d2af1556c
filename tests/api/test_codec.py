"""The codec server opens payloads for operators, and for the page that was told its address."""

import base64
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from stich.codec import EncryptionCodec
from storage.database import Database
from storage.keyring import KeyRing, KeySource, new_key
from tests.api.conftest import Service, running
from tests.api.people import signed_in

UI = "http://127.0.0.1:8233"
TICKET = "0123456789abcdef" * 4
CODEC = EncryptionCodec(KeySource.given(KeyRing([new_key()]).text()))
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'{"prompt":"A board"}')


@pytest.fixture(scope="module")
async def coded(module_database: Database, temporal: Client) -> AsyncIterator[Service]:
    converter = dataclasses.replace(pydantic_data_converter, payload_codec=CODEC)
    client = Client(temporal.service_client, namespace=temporal.namespace, data_converter=converter)
    async with running(module_database, client, temporal_ui=f"{UI}/", codec_ticket=SecretStr(TICKET)) as service:
        yield service


def as_json(*payloads: Payload) -> dict[str, Any]:
    def b64(value: bytes) -> str:
        return base64.b64encode(value).decode()

    rows = [{"metadata": {k: b64(v) for k, v in p.metadata.items()}, "data": b64(p.data)} for p in payloads]
    return {"payloads": rows}


@pytest.mark.parametrize("path", ["/codec/decode", f"/codec/{TICKET}/decode"])
async def test_payloads_are_opened_in_order(coded: Service, path: str) -> None:
    body = as_json(*await CODEC.encode([PLAIN, Payload()]), PLAIN)
    http = coded.signed_in if path == "/codec/decode" else coded.anonymous
    answer = await http.post(path, json=body, headers={"Origin": UI, "X-Namespace": "default"})
    assert answer.json() == as_json(PLAIN, Payload(), PLAIN)
    assert answer.headers["access-control-allow-origin"] == UI


@pytest.mark.parametrize("path", ["/codec/encode", f"/codec/{TICKET}/encode"])
async def test_what_operators_say_is_encrypted(coded: Service, path: str) -> None:
    http = coded.signed_in if path == "/codec/encode" else coded.anonymous
    answer = await http.post(path, json=as_json(PLAIN), headers={"Origin": UI})
    assert answer.status_code == 200 and answer.json() != as_json(PLAIN)
    opened = await coded.signed_in.post("/codec/decode", json=answer.json(), headers={"Origin": UI})
    assert opened.json() == as_json(PLAIN)
    assert (await coded.signed_in.post("/codec/encode", json={})).json() == {"payloads": []}, (
        "Temporal's way to say none"
    )
    assert (await coded.anonymous.post("/codec/encode", json=as_json(PLAIN))).status_code == 401
    assert (await coded.anonymous.post("/codec/wrong/encode", json=as_json(PLAIN))).status_code == 404


async def test_a_browser_may_ask_from_the_page_of_temporal_only(coded: Service) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-namespace"}
    allowed = await coded.anonymous.options("/codec/decode", headers={"Origin": UI, **asked})
    assert allowed.status_code == 200 and allowed.headers["access-control-allow-origin"] == UI
    other = await coded.anonymous.options("/codec/decode", headers={"Origin": "https://evil.example", **asked})
    assert other.status_code == 400 and "access-control-allow-origin" not in other.headers
    body = as_json(PLAIN)
    refused = await coded.signed_in.post("/codec/decode", json=body, headers={"Origin": "https://evil.example"})
    assert refused.json()["code"] == "foreign_origin"
    api = await coded.signed_in.get("/api/about", headers={"Origin": UI})
    assert api.json()["code"] == "foreign_origin", "that page may call the codec server and nothing else"


async def test_strangers_and_wrong_tickets(coded: Service) -> None:
    body = as_json(*await CODEC.encode([PLAIN]))
    assert (await coded.anonymous.post("/codec/decode", json=body)).status_code == 401
    for ticket in ("wrong", TICKET[:-1], f"{TICKET}0", "%00", "é"):
        refused = await coded.anonymous.post(f"/codec/{ticket}/decode", json=body)
        assert refused.status_code == 404, ticket
    async with running(coded.database, coded.app.state.services.workflows._client) as without_ticket:
        assert (await without_ticket.anonymous.post("/codec/None/decode", json=body)).status_code == 404


async def test_people_without_the_role_are_refused(accounts: Service) -> None:
    async with signed_in(accounts, "ann@example.org") as ann:
        refused = await ann.browser.post("/codec/decode", json=as_json(PLAIN))
        assert (refused.status_code, refused.json()["code"]) == (403, "operator_only")
    async with signed_in(accounts, "olga@example.org", "operator") as olga:
        assert (await olga.browser.post("/codec/decode", json=as_json(PLAIN))).json() == as_json(PLAIN)
        (line,) = (await olga.browser.get("/api/audit?limit=1")).json()["entries"]
        assert (line["act"], line["actor"], line["detail"]) == ("payloads_opened", olga.id, {"count": 1})


@pytest.mark.parametrize(
    "body",
    [
        {"payloads": 1},
        {"payloads": [{"data": "not base64!"}]},
        {"payloads": [{"metadata": {"encoding": "ü"}}]},
        as_json(Payload(metadata={"encoding": b"binary/encrypted", "cipher": b"AES-256-GCM", "key-id": b"x"})),
    ],
)
async def test_bad_bodies(coded: Service, body: object) -> None:
    assert (await coded.signed_in.post("/codec/decode", json=body)).status_code == 422
