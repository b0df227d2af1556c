"""Publishing elsewhere with the user's own token out of the vault, against servers of the places' interfaces."""

import logging
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError

from activities.publish import PublishActivities
from sandbox.hosting import EnvironmentTokens, Places
from sandbox.sites import Site
from schemas.deployments import Target
from stich.deployment_tokens import UserTokens
from stich.home import listen
from stich.serving import serving
from storage.database import Database
from storage.deployment_accounts import DeploymentAccounts
from storage.keyring import KeyRing, KeySource, new_key
from storage.vault import Vault
from tests.sandbox.hosting_services import TOKEN, HostingServices

SITE = Site("d1", {"index.html": b"<!doctype html><p>one</p>"})
OWNERS: dict[Target, str] = {"cloudflare": "account-1", "netlify": "", "vercel": "team-1"}


@pytest.fixture
def services() -> HostingServices:
    return HostingServices()


@pytest.fixture
async def places(services: HostingServices) -> AsyncIterator[Places]:
    with listen("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with serving(services.app(), listener):
            yield Places(cloudflare=f"{url}/cloudflare", netlify=f"{url}/netlify", vercel=f"{url}/vercel")


def keys() -> KeySource:
    return KeySource.given(KeyRing([new_key()]).text())


def activities(database: Database, places: Places, source: KeySource, env: dict[str, str]) -> PublishActivities:
    accounts = DeploymentAccounts(Vault(database, source))
    rooms: Any = SimpleNamespace(
        deployment_tokens=UserTokens(accounts, EnvironmentTokens(env)), places=places, targets=frozenset(OWNERS)
    )
    return PublishActivities(rooms)


@pytest.mark.parametrize("target", OWNERS)
async def test_the_users_token_is_used(
    database: Database,
    places: Places,
    services: HostingServices,
    target: Target,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    source = keys()
    accounts = DeploymentAccounts(Vault(database, source))
    await accounts.put("ann", target, SecretStr(TOKEN), OWNERS[target])
    await accounts.put("bob", target, SecretStr("another-token"), OWNERS[target])
    acts = activities(database, places, source, {"NETLIFY_AUTH_TOKEN": "of the operator"})

    publisher = await acts.publisher("ann", target)
    assert TOKEN not in repr(publisher) + repr(vars(publisher))
    await publisher.publish("s1", SITE)
    assert services.projects["stich-s1"]["index.html"] == SITE.files["index.html"]
    await publisher.withdraw("s1")
    assert "stich-s1" not in services.projects
    (stored,) = await accounts.list("ann")
    assert stored.last_used_at is not None

    with pytest.raises(Exception, match="token") as caught:  # the servers know ann's alone
        await (await acts.publisher("bob", target)).publish("s1", SITE)
    assert "another-token" not in str(caught.value)
    with pytest.raises(ApplicationError) as missing:
        await acts.publisher("eve", target)
    assert missing.value.type == "no_deployment_token"

    rows = await database.pool.fetch("SELECT t::text AS row FROM vault_secrets AS t")
    out, err = capfd.readouterr()
    said = [record.getMessage() for record in caplog.records] + [row["row"] for row in rows] + [out, err]
    assert not [text for text in said if TOKEN in text]


async def test_keys_of_model_providers_leave_them_out(database: Database) -> None:
    vault = Vault(database, keys())
    await DeploymentAccounts(vault).put("ann", "netlify", SecretStr(TOKEN), "")
    await vault.put("ann", "openai", SecretStr("sk-0123456789"))
    assert set(await vault.open("ann")) == {"openai"}
    assert await DeploymentAccounts(vault).open("bob", "netlify") is None
    assert await DeploymentAccounts(vault).delete("ann", "netlify")
    assert await DeploymentAccounts(vault).open("ann", "netlify") is None


async def test_the_operators_token_serves_the_local_user_alone(database: Database, places: Places) -> None:
    acts = activities(database, places, keys(), {"NETLIFY_AUTH_TOKEN": TOKEN})
    assert await (await acts.publisher("local", "netlify")).publish("s1", SITE)
    with pytest.raises(ApplicationError):
        await acts.publisher("ann", "netlify")


async def test_a_token_that_does_not_open_fails_plainly(database: Database, places: Places) -> None:
    await DeploymentAccounts(Vault(database, keys())).put("ann", "netlify", SecretStr(TOKEN), "")
    with pytest.raises(Exception, match="cannot be opened by this service"):
        await activities(database, places, keys(), {}).publisher("ann", "netlify")
