"""Tokens for publishing elsewhere over HTTP: stored sealed, shown masked, each user's own."""

import pytest

from tests.api.conftest import Service

TOKEN = "nfp_canary-0123456789-ab12"
PLACES = "/api/deployment-accounts"


async def test_a_token_is_stored_masked_replaced_and_forgotten(service: Service) -> None:
    http = service.signed_in
    stored = await http.put(f"{PLACES}/netlify", json={"token": TOKEN})
    assert stored.status_code == 200
    assert stored.json()["hint"].endswith("ab12")
    listed = await http.get(PLACES)
    assert [(each["target"], each["title"]) for each in listed.json()["accounts"]] == [("netlify", "Netlify")]
    assert TOKEN not in stored.text + listed.text
    # It is no key of a model provider.
    assert "deploy" not in (await http.get("/api/keys")).text

    await http.put(f"{PLACES}/netlify", json={"token": "another-token-cd34"})
    assert [each["hint"][-4:] for each in (await http.get(PLACES)).json()["accounts"]] == ["cd34"]
    assert (await http.delete(f"{PLACES}/netlify")).status_code == 204
    assert (await http.delete(f"{PLACES}/netlify")).status_code == 404
    assert (await http.get(PLACES)).json() == {"accounts": []}
    rows = await service.database.pool.fetch("SELECT t::text AS row FROM audit_log AS t")
    assert not [row for row in rows if "canary" in row["row"]]


@pytest.mark.parametrize("target,status", [("local", 404), ("heroku", 404), ("cloudflare", 422)])
async def test_places_that_take_no_such_token(service: Service, target: str, status: int) -> None:
    refused = await service.signed_in.put(f"{PLACES}/{target}", json={"token": TOKEN})
    assert refused.status_code == status
    assert TOKEN not in refused.text


@pytest.mark.parametrize("body", [{}, {"token": ""}, {"token": TOKEN, "owner": "a/b"}, {"token": TOKEN, "x": 1}])
async def test_bad_bodies_are_refused_without_an_echo(service: Service, body: object) -> None:
    refused = await service.signed_in.put(f"{PLACES}/vercel", json=body)
    assert refused.status_code == 422
    assert TOKEN not in refused.text


async def test_strangers_have_none(service: Service) -> None:
    assert (await service.anonymous.get(PLACES)).status_code == 401
    assert (await service.anonymous.put(f"{PLACES}/netlify", json={"token": TOKEN})).status_code == 401
