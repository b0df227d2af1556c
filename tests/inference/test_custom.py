"""A user's own server: found by name, reached through the guard, with its own key and nobody else's."""

import pytest
from pydantic import SecretStr

from inference import Inference
from inference.agents import NotAllowed
from inference.catalogue import UnknownModel
from inference.custom import CustomProvider, UserCredentials, find, server, taken
from inference.errors import AddressNotAllowed, InferenceError, NotConfigured
from inference.gateway import GatewaySettings, endpoint
from inference.settings import InferenceSettings, ProviderSettings
from inference.wire import gather
from schemas.inference import ActionKey, Message, ModelCall, ModelOverrides
from schemas.model_settings import CustomModel
from tests.fault_server import FaultServer
from tests.inference.conftest import shared_client

MINE = "my-own-key-9d3f"
PLATFORM = SecretStr("sk-platform-0123456789")


def mine(url: str, **facts: object) -> CustomProvider:
    return server("lab", "My lab", url, [CustomModel.model_validate({"id": "llama3:8b", **facts})], SecretStr(MINE))


def user(url: str = "https://lab.example/v1", **facts: object) -> UserCredentials:
    return UserCredentials("u1", servers={"lab": mine(url, **facts)})


def asked(model: str = "lab/llama3:8b", **changes: object) -> ModelCall:
    values: dict[str, object] = {
        "action": ActionKey.CODE_REVIEW,
        "messages": (Message(role="user", content="Tell a story."),),
        "user_id": "u1",
        "overrides": ModelOverrides(model=model, fallback=model),
    }
    return ModelCall.model_validate(values | changes)


def platform(**changes: object) -> InferenceSettings:
    keys = {"openai": ProviderSettings(base_url="https://api.openai.com/v1", key=PLATFORM)}
    return InferenceSettings.model_validate({"providers": keys} | changes)


@pytest.mark.parametrize("name", ["lab/llama3:8b", "[lab]llama3:8b", "[lab]lab/llama3:8b", " lab/llama3:8b "])
def test_it_is_found_by_its_names(name: str) -> None:
    found = find(name, user())
    assert (found.model.name, found.forced_provider) == ("lab/llama3:8b", "lab")


@pytest.mark.parametrize("name", ["lab/other", "[lab]", "lab", "lab/", "[lab", "elsewhere/llama3:8b"])
def test_what_it_does_not_serve_is_unknown(name: str) -> None:
    with pytest.raises(UnknownModel):
        find(name, user())


def test_others_do_not_find_it() -> None:
    for other in (None, UserCredentials("u2")):
        with pytest.raises(UnknownModel):
            find("lab/llama3:8b", other)
        with pytest.raises((NotAllowed, NotConfigured)):
            Inference(platform(), client=shared_client()).plan(asked(), user=other)


@pytest.mark.parametrize("name", ["openai", "gemini", "demo", "custom", "anthropic", "compatible"])
def test_names_that_mean_something_are_taken(name: str) -> None:
    assert taken(name)
    assert not taken("lab")


def test_its_key_goes_to_it_and_past_the_gateway() -> None:
    gateway = GatewaySettings(url="https://gateway.example/a/b", token=SecretStr("aig-token"))
    found = endpoint("lab", platform(gateway=gateway), user(), call=asked())
    assert (found.base_url, found.credential, found.guarded, found.via_gateway) == (
        "https://lab.example/v1", "user", True, False,
    )  # fmt: skip
    sent = " ".join(found.request_headers().values())
    assert MINE in sent and "aig-token" not in sent and "platform" not in sent
    assert MINE not in repr(found) + repr(user()) + str(mine("https://lab.example/v1"))


def test_it_serves_alone_where_the_platform_has_only_the_demo() -> None:
    demo = InferenceSettings(providers={"demo": ProviderSettings(base_url="http://127.0.0.1:9/v1")})
    inference = Inference(demo, client=shared_client())
    assert inference.serves(ActionKey.BLUEPRINT) == ("demo/demo", True)
    overrides = ModelOverrides(model="lab/llama3:8b", fallback="lab/llama3:8b")
    assert inference.serves(ActionKey.BLUEPRINT, user(), overrides) == ("lab/llama3:8b", False)


def test_what_it_cannot_do_is_refused() -> None:
    inference = Inference(platform(), client=shared_client())
    with pytest.raises(NotAllowed):
        inference.plan(asked(action=ActionKey.SMART_BUILDER), user=user(tools=False))
    assert inference.plan(asked(action=ActionKey.CONVERSATION), user=user()).step.provider == "lab"


async def test_a_server_on_this_machine_is_reached_when_the_operator_allows_it() -> None:
    async with FaultServer() as local:
        async with Inference(platform(), client=shared_client()) as inference:
            with pytest.raises(AddressNotAllowed) as refused:
                await _answer(inference, user(local.url("ok")))
            assert not refused.value.retryable and not refused.value.elsewhere
            assert local.seen == []
        async with Inference(platform(allow_private=True), client=shared_client()) as inference:
            assert await _answer(inference, user(local.url("ok")))
        (seen,) = local.seen
        assert seen.headers["authorization"] == f"Bearer {MINE}"


async def test_a_redirect_is_not_followed() -> None:
    async with FaultServer() as local, Inference(platform(allow_private=True), client=shared_client()) as inference:
        with pytest.raises(InferenceError):
            await _answer(inference, user(local.url("302")))
        assert len(local.seen) == 1


async def _answer(inference: Inference, who: UserCredentials) -> str:
    return gather([delta async for delta in inference.stream(asked(), user=who)]).text
