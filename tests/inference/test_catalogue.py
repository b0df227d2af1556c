"""The catalogue's own promises: who stands in, and what things cost."""

import pytest

from inference import agents, routing
from inference.catalogue import MODELS, SUBSTITUTES
from inference.prices import price
from inference.settings import InferenceSettings
from schemas.inference import ActionKey, Message, ModelCall, Usage


def test_no_model_that_is_withdrawn_stands_in_for_another() -> None:
    assert not [name for names in SUBSTITUTES.values() for name in names if MODELS[name].retired]


@pytest.mark.parametrize("action", list(ActionKey))
def test_with_one_providers_key_the_first_step_is_a_model_that_is_served(action: ActionKey) -> None:
    call = ModelCall(action=action, messages=(Message(role="user", content="Hi."),))
    for variable in ("CEREBRAS_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"):
        settings = InferenceSettings.from_env({variable: "key-0123456789"})
        first = routing.route(call, agents.configuration(action, call.overrides), settings)[0]
        assert not first.model.retired, variable


def test_who_goes_on_with_a_beginning() -> None:
    """Claude from 4.6 on answers 400 to a conversation that ends with an assistant's turn."""
    continuing = {name for name, model in MODELS.items() if model.continues}
    assert {"anthropic/claude-sonnet-4.5", "anthropic/claude-4-opus", "demo/demo"} <= continuing
    assert not continuing & {"anthropic/claude-sonnet-4.6", "anthropic/claude-opus-5.5", "openai/gpt-5.5"}


def test_a_price_is_known_for_every_model_at_its_vendor_but_those_the_table_has_without_one() -> None:
    usage = Usage(input_tokens=1_000, output_tokens=1_000)
    own = {name: next(iter(model.served.items())) for name, model in MODELS.items()}
    unknown = {name for name, (provider, wire_id) in own.items() if price(provider, wire_id, usage)[0] is None}
    assert unknown == {"cerebras/qwen-3-coder-480b"}
    assert price("cerebras", "qwen-3-coder-480b", usage) == (None, "unknown"), "never a zero that nobody charged"
    at_router, _ = price("openrouter", "qwen/qwen3-coder", usage)
    assert at_router is not None and at_router > 0
