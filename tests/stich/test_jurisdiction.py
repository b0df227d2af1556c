"""Databases remember whose they are; providers and targets outside are not called."""

import pytest
from pydantic import SecretStr

from inference.custom import UserCredentials, server
from inference.errors import NotConfigured
from inference.gateway import configuration_for_model, endpoint, usable
from inference.settings import InferenceSettings
from stich.environment import problems
from stich.errors import StichError
from stich.jurisdiction import claim_database
from stich.settings import Settings
from storage.database import Database

KEYS = {"OPENAI_API_KEY": "k" * 20, "ANTHROPIC_API_KEY": "k" * 20}
ELSEWHERE = UserCredentials("ada", servers={"openai": server("openai", "Mine", "https://elsewhere.example", (), None)})


async def test_a_database_belongs_to_the_first_that_used_it(database: Database) -> None:
    await claim_database(database, None)
    await claim_database(database, "eu")
    await claim_database(database, "eu")
    for other in ("us", None):
        with pytest.raises(StichError, match="belongs to jurisdiction eu"):
            await claim_database(database, other)


async def test_a_database_with_sessions_of_none_is_not_taken_over(database: Database) -> None:
    await database.pool.execute(
        "INSERT INTO sessions (id, user_id, title, prompt, mode) VALUES ('s', 'ada', 't', 'p', 'smart')"
    )
    with pytest.raises(StichError, match="holds sessions of no jurisdiction already"):
        await claim_database(database, "eu")
    await claim_database(database, None)


async def test_a_database_of_a_version_before_belongs_to_none(database: Database) -> None:
    await database.pool.execute("DROP TABLE installation")
    await claim_database(database, None)
    with pytest.raises(StichError, match="stich migrate"):
        await claim_database(database, "eu")


def test_a_jurisdiction_says_which_providers_are_in_it() -> None:
    (sentence,) = problems({"STICH_JURISDICTION": "eu"})
    assert "STICH_PROVIDERS" in sentence
    assert list(problems({"STICH_JURISDICTION": "eu", "STICH_PROVIDERS": "openai"})) == []
    (sentence,) = problems({"STICH_PROVIDERS": "opanai"})
    assert "'opanai'" in sentence


def test_applications_of_a_jurisdiction_are_published_there() -> None:
    assert len(Settings.from_env({}).targets) == 4
    assert Settings.from_env({"STICH_JURISDICTION": "eu"}).targets == {"local"}
    named = {"STICH_JURISDICTION": "eu", "STICH_PUBLISH_TARGETS": "local, netlify"}
    assert Settings.from_env(named).targets == {"local", "netlify"}
    assert Settings.from_env({}).github == "https://api.github.com"
    assert Settings.from_env({"STICH_JURISDICTION": "eu"}).github is None
    own = {"STICH_JURISDICTION": "eu", "STICH_GITHUB_API": "https://git.example.eu/api"}
    assert Settings.from_env(own).github == "https://git.example.eu/api"


def test_only_the_named_providers_are_called_whoever_pays() -> None:
    settings = InferenceSettings.from_env({**KEYS, "STICH_PROVIDERS": "openai"})
    assert set(settings.providers) == {"openai"}
    own = UserCredentials("ada", keys={"anthropic": SecretStr("mine"), "openai": SecretStr("mine")})
    assert usable("openai", settings, own)
    assert not usable("anthropic", settings, own) and not usable("anthropic", settings, None)
    assert not usable("openai", settings, ELSEWHERE), "another server under that name"
    for provider, user in (("anthropic", own), ("openai", ELSEWHERE)):
        with pytest.raises(NotConfigured, match="does not call it"):
            endpoint(provider, settings, user)
    with pytest.raises(NotConfigured, match="this service does not call it"):
        configuration_for_model("anthropic/claude-4-sonnet", own, settings=settings)


def test_users_servers_and_a_gateway_are_named_like_providers() -> None:
    gateway = {"CLOUDFLARE_AI_GATEWAY_URL": "https://gateway.example", **KEYS}
    assert InferenceSettings.from_env({**gateway, "STICH_PROVIDERS": "openai"}).gateway is None
    assert InferenceSettings.from_env({**gateway, "STICH_PROVIDERS": "openai gateway"}).gateway is not None
    assert usable("openai", InferenceSettings.from_env({"STICH_PROVIDERS": "custom"}), ELSEWHERE)
    assert not usable("openai", InferenceSettings.from_env({"STICH_PROVIDERS": "custom"}), None)
