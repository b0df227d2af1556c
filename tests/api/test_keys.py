"""Keys, servers and model settings over HTTP: tried with real calls, stored sealed, each user's own."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from pydantic import SecretStr
from temporalio.client import Client

from inference.settings import GatewaySettings, InferenceSettings, ProviderSettings
from schemas.inference import ActionKey
from schemas.model_settings import ActionSettings
from storage.database import Database
from storage.ledger import Ledger
from storage.model_choices import ModelChoices
from storage.sessions import SessionRecord, Sessions
from tests.api.conftest import Service, running
from tests.fault_server import FaultServer

KEY = "sk-canary-0123456789-ab12"
LAB = {"title": "Lab", "models": [{"id": "llama3:8b"}], "key": "lab-canary-key-77"}


@dataclass
class Place:
    """A service whose providers are behind a gateway on this machine that answers with `faults`."""

    service: Service
    server: FaultServer
    faults: str

    def seen(self) -> list[dict[str, str]]:
        return [request.headers for request in self.server.seen]


@pytest.fixture
async def place(database: Database, temporal: Client, request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    faults: str = getattr(request, "param", "ok")
    async with FaultServer() as server:
        settings = InferenceSettings(
            providers={"demo": ProviderSettings(base_url="http://127.0.0.1:9/v1")},
            gateway=GatewaySettings(url=server.url(faults), token=SecretStr("aig-canary-token")),
            first_token_timeout=5,
            allow_private=True,
        )
        async with running(database, temporal, settings) as service:
            yield Place(service, server, faults)


async def put(place: Place, path: str, body: object) -> httpx.Response:
    return await place.service.signed_in.put(path, json=body)


async def test_a_key_is_tried_stored_masked_used_and_forgotten(place: Place) -> None:
    http = place.service.signed_in
    before = (await http.get("/api/about")).json()
    assert before["demo"] is True and before["models"] == ["demo/demo"]
    stored = await put(place, "/api/keys/openai", {"key": KEY})
    assert stored.status_code == 200, stored.text
    assert (stored.json()["hint"], stored.json()["note"]) == ("…ab12", "")
    assert [headers["authorization"] for headers in place.seen()] == [f"Bearer {KEY}"]
    after = (await http.get("/api/about")).json()
    assert after["demo"] is False and "openai/gpt-5" in after["models"]
    tried = (await http.post("/api/keys/openai/test")).json()
    assert tried["ok"] and tried["credential"] == "user"
    listed = await http.get("/api/keys")
    assert [key["provider"] for key in listed.json()["keys"]] == ["openai"]
    assert {"openai", "anthropic", "google"} <= {each["id"] for each in listed.json()["providers"]}
    models = {each["name"]: each for each in (await http.get("/api/models")).json()["models"]}
    assert models["openai/gpt-5"]["key"] == "user" and not models["anthropic/claude-opus-5"]["available"]
    for answer in (stored, listed, await http.get("/api/audit"), await http.get("/api/models")):
        assert KEY not in answer.text
    rows = await Ledger(place.service.database).attempts("")
    assert [(row.credential, row.outcome, row.user_id) for row in rows] == [("user", "succeeded", "local")] * 2
    assert (await http.delete("/api/keys/openai")).status_code == 204
    assert (await http.delete("/api/keys/openai")).json()["code"] == "provider_key_not_found"
    assert (await http.get("/api/about")).json()["demo"] is True


@pytest.mark.parametrize(("place", "code"), [("401", "key_not_accepted"), ("503", "key_not_tried")], indirect=["place"])
async def test_a_key_that_fails_is_not_stored(place: Place, code: str) -> None:
    refused = await put(place, "/api/keys/openai", {"key": KEY})
    assert refused.json()["code"] == code
    assert KEY not in refused.text
    assert (await place.service.signed_in.get("/api/keys")).json()["keys"] == []


@pytest.mark.parametrize("place", ["402", "429_seconds"], indirect=True)
async def test_a_key_whose_account_is_at_a_limit_is_stored_with_a_note(place: Place) -> None:
    stored = await put(place, "/api/keys/openai", {"key": KEY})
    assert stored.status_code == 200
    assert "valid" in stored.json()["note"]


async def test_bad_bodies_are_refused_without_an_echo(place: Place) -> None:
    bodies: list[object] = [{}, {"key": ""}, {"key": 5}, {"key": "x" * 5_000}, {"key": KEY, "more": 1}, []]
    for body in bodies:
        refused = await put(place, "/api/keys/openai", body)
        assert refused.status_code in (400, 422)
        assert KEY not in refused.text and "xxxx" not in refused.text
    for provider in ("demo", "ollama", "compatible", "cloudflare", "nobody", "%2e%2e"):
        assert (await put(place, f"/api/keys/{provider}", {"key": KEY})).status_code == 404, provider
    assert place.seen() == []


async def test_a_key_has_a_limit_of_its_own(place: Place) -> None:
    http = place.service.signed_in
    await put(place, "/api/providers/lab", LAB | {"base_url": place.server.url("ok")})
    await put(place, "/api/keys/lab/limits", {"calls_per_minute": 1})
    assert (await http.post("/api/providers/lab/test")).json()["ok"]
    refused = await http.post("/api/providers/lab/test")
    assert (refused.status_code, refused.json()["code"]) == (429, "limit_reached")
    assert 0 < int(refused.headers["Retry-After"]) <= 60 and len(place.seen()) == 1


async def test_a_server_of_ones_own(place: Place) -> None:
    http, url = place.service.signed_in, place.server.url("ok")
    stored = await put(place, "/api/providers/lab", LAB | {"base_url": f"{url}/"})
    assert stored.status_code == 200, stored.text
    assert stored.json()["key"]["hint"] == "…y-77" and "canary" not in stored.text
    tried = (await http.post("/api/providers/lab/test")).json()
    assert tried["ok"] and tried["model"] == "lab/llama3:8b"
    assert [headers["authorization"] for headers in place.seen()] == ["Bearer lab-canary-key-77"]
    assert not any("cf-aig-authorization" in headers for headers in place.seen())
    first = (await http.get("/api/models")).json()["models"][0]
    assert (first["name"], first["key"], first["available"]) == ("lab/llama3:8b", "user", True)
    chosen = await put(place, "/api/settings/models/blueprint", {"model": "lab/llama3:8b"})
    assert chosen.json()["effective"]["model"] == "lab/llama3:8b" and chosen.json()["problem"] == ""
    moved = await put(place, "/api/providers/lab", {**LAB, "base_url": f"{url}/elsewhere", "key": None})
    assert moved.json()["key"] is None, "a key stays with the address it was given for"
    assert await place.service.app.state.services.vault.list("local") == [], "and is forgotten with it"
    await http.post("/api/providers/lab/test")
    assert "authorization" not in place.seen()[-1]
    assert (await http.delete("/api/providers/lab")).status_code == 204
    row = (await http.get("/api/settings/models/blueprint")).json()
    assert "not a model" in row["problem"]


async def test_addresses_and_names_that_cannot_be_meant(place: Place) -> None:
    for url in (
        "ftp://models.example", "https://user:pw@models.example", "https://models.example/?a=1", "https://", "models",
        "https://models.example/#a", "https://models.example:99999/", "https://[::1",
    ):  # fmt: skip
        assert (await put(place, "/api/providers/lab", LAB | {"base_url": url})).status_code == 422, url
    fine = LAB | {"base_url": "https://models.example/v1"}
    for name in ("openai", "custom", "gemini", "demo"):
        assert (await put(place, f"/api/providers/{name}", fine)).status_code == 422, name
    for name in ("A", "a", "a_b", "-ab", "a" * 40, "ü1"):
        assert (await put(place, f"/api/providers/{name}", fine)).status_code in (404, 422), name


async def test_private_servers_are_the_operators_to_allow(database: Database, temporal: Client) -> None:
    async with FaultServer() as server, running(database, temporal) as service:
        http = service.signed_in
        refused = await http.put("/api/providers/lab", json=LAB | {"base_url": server.url("ok")})
        assert refused.status_code == 422, "not even https"
        for host in ("127.0.0.1", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "169.254.169.254"):
            at_once = await http.put("/api/providers/lab", json=LAB | {"base_url": f"https://{host}/v1"})
            assert at_once.status_code == 422 and "STICH_ALLOW_PRIVATE_ADDRESSES" in at_once.json()["next_action"]
        for host in ("localhost", "2130706433", "0x7f.1", "127.1"):
            body = LAB | {"base_url": f"https://{host}:{server.url('ok').split(':')[2]}"}
            assert (await http.put("/api/providers/lab", json=body)).status_code == 200
            tried = (await http.post("/api/providers/lab/test")).json()
            assert (tried["ok"], tried["code"]) == (False, "address_not_allowed")
            assert "STICH_ALLOW_PRIVATE_ADDRESSES" in tried["next_action"]
        assert server.seen == []


async def test_settings_are_merged_constrained_tried_and_reset(place: Place) -> None:
    http, path = place.service.signed_in, "/api/settings/models/code_review"
    await put(place, "/api/keys/openai", {"key": KEY})
    answer = await put(place, path, {"model": "openai/gpt-4.1", "temperature": 0.5, "enabled": False})
    effective = answer.json()["effective"]
    assert (effective["model"], effective["temperature"], effective["enabled"]) == ("openai/gpt-4.1", 0.5, False)
    assert effective["max_output_tokens"] == answer.json()["default"]["max_output_tokens"]
    tried = (await http.post(f"{path}/test", json={"model": "openai/gpt-5"})).json()
    assert tried["ok"] and tried["model"] == "openai/gpt-5" and tried["input_tokens"] > 0
    assert (await http.get(path)).json()["chosen"]["model"] == "openai/gpt-4.1", "trying changes nothing"
    assert len(await Ledger(place.service.database).attempts("")) == 2
    assert (await http.delete(path)).status_code == 204
    assert (await http.get(path)).json()["chosen"]["model"] is None
    await put(place, path, {"effort": "high"})
    assert (await http.delete("/api/settings/models")).status_code == 204
    actions = (await http.get("/api/settings/models")).json()["actions"]
    assert len(actions) == len(ActionKey)
    assert all(set(row["chosen"].values()) == {None} for row in actions)


REFUSED: tuple[tuple[str, dict[str, object], str], ...] = (
    ("blueprint", {"model": "openai/nothing"}, "model_not_allowed"),
    ("template_selection", {"model": "openai/gpt-5"}, "model_not_allowed"),
    ("smart_builder", {"model": "openai/chatgpt-4o-latest"}, "model_not_allowed"),
    ("blueprint", {"enabled": False}, "model_not_allowed"),
    ("blueprint", {"model": "openai/gpt-4.1", "max_output_tokens": 100_000}, "model_not_allowed"),
    ("blueprint", {"model": "openai/gpt-5", "provider": "anthropic"}, "model_not_allowed"),
    ("blueprint", {"temperature": 3}, "invalid_request"),
    ("blueprint", {"max_output_tokens": 0}, "invalid_request"),
    ("blueprint", {"effort": "extreme"}, "invalid_request"),
    ("blueprint", {"modell": "x"}, "invalid_request"),
    ("nothing", {}, "action_not_found"),
)


async def test_what_cannot_be_chosen(place: Place) -> None:
    for action, body, code in REFUSED:
        refused = await put(place, f"/api/settings/models/{action}", body)
        assert refused.json()["code"] == code, refused.text


async def test_a_provider_may_be_forced(place: Place) -> None:
    answer = await put(place, "/api/settings/models/blueprint", {"provider": "openrouter"})
    assert answer.json()["effective"]["provider"] == "openrouter"
    await put(place, "/api/keys/openrouter", {"key": "sk-or-canary-123456"})
    tried = (await place.service.signed_in.post("/api/settings/models/blueprint/test", json={})).json()
    assert (tried["provider"], tried["model"]) == ("openrouter", "google/gemini-2.5-pro")


async def test_a_session_keeps_its_settings_until_it_is_told(place: Place) -> None:
    database, http = place.service.database, place.service.signed_in
    choices = ModelChoices(database)
    for session_id, user_id in (("session-mine", "local"), ("session-other", "ann")):
        await Sessions(database).create(SessionRecord(id=session_id, user_id=user_id, prompt="x", mode="deterministic"))
    await choices.put_settings("local", ActionKey.BLUEPRINT, ActionSettings(effort="low"))
    await choices.take("session-mine", "local")
    await put(place, "/api/settings/models/blueprint", {"effort": "high"})
    path = "/api/sessions/session-mine/settings/models"
    assert (await http.get(path)).json()["settings"]["blueprint"]["effort"] == "low"
    refreshed = await http.post(f"{path}/refresh")
    assert refreshed.json()["settings"]["blueprint"]["effort"] == "high"
    for method, tail in (("GET", ""), ("POST", "/refresh")):
        other = await http.request(method, f"/api/sessions/session-other/settings/models{tail}")
        assert (other.status_code, other.json()["code"]) == (404, "session_not_found")


async def test_nothing_is_open_to_strangers(place: Place) -> None:
    for method, path in (
        ("GET", "/api/keys"), ("PUT", "/api/keys/openai"), ("GET", "/api/providers"), ("GET", "/api/models"),
        ("PUT", "/api/providers/lab"), ("GET", "/api/settings/models"), ("DELETE", "/api/settings/models"),
        ("POST", "/api/keys/openai/test"), ("POST", "/api/settings/models/blueprint/test"),
    ):  # fmt: skip
        refused = await place.service.anonymous.request(method, path, content=json.dumps({}))
        assert refused.status_code == 401
