"""The whole environment, checked at the start of every command."""

import pytest

from inference.settings import VARIABLES as OF_INFERENCE
from inference.settings import InferenceSettings
from schemas.inference import ActionKey
from stich.environment import KNOWN, checked_settings, problems
from stich.errors import StichError
from stich.settings import VARIABLES


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("STICH_DATABSE_CONNECTIONS", "STICH_DATABASE_CONNECTIONS"),
        ("STICH_PREVIEW_ORIGN", "STICH_PREVIEW_ORIGIN"),
        ("STICH_MODEL_BLUEPRNT", "STICH_MODEL_BLUEPRINT"),
        ("STICH_INFERENCE_SLOT", "STICH_INFERENCE_SLOTS"),
        ("CLOUDFLARE_AI_GATEWAY_CACHE_TLL", "CLOUDFLARE_AI_GATEWAY_CACHE_TTL"),
    ],
)
def test_a_misspelt_name_comes_with_the_nearest(written: str, meant: str) -> None:
    assert list(problems({written: "1"})) == [f"{written} is not a setting of stich; did you mean {meant}?"]


def test_a_name_like_nothing_else_is_named_all_the_same() -> None:
    (sentence,) = problems({"STICH_XYZZY": ""})
    assert sentence.startswith("STICH_XYZZY is not a setting") and "did you mean" not in sentence


def test_names_of_others_are_their_business() -> None:
    links = {
        "STICH_SERVICE_HOST": "10.0.0.1",
        "STICH_SERVICE_PORT": "80",
        "STICH_PORT": "tcp://10.0.0.1:80",
        "STICH_API_PORT_8080_TCP_ADDR": "10.0.0.1",
    }
    assert list(problems({"PATH": "/bin", "OPENAI_ORG": "x", "DATABASE_URI": "x", **links})) == []


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"CLOUDFLARE_AI_GATEWAY_CACHE_TTL": "1h"}, "CLOUDFLARE_AI_GATEWAY_CACHE_TTL"),
        ({"CLOUDFLARE_AI_GATEWAY_CACHE_TTL": "-1"}, "CLOUDFLARE_AI_GATEWAY_CACHE_TTL"),
        ({"CLOUDFLARE_AI_GATEWAY_PROVIDERS": "openai, openapi"}, "'openapi'"),
        ({"CLOUDFLARE_AI_GATEWAY": "mine"}, "CLOUDFLARE_ACCOUNT_ID"),
        ({"CLOUDFLARE_AI_GATEWAY_URL": "gateway.example"}, "CLOUDFLARE_AI_GATEWAY_URL"),
        ({"OPENAI_BASE_URL": "http://[::1"}, "OPENAI_BASE_URL"),
        ({"OPENAI_BASE_URL": "http://host:99999"}, "OPENAI_BASE_URL"),
        ({"STICH_MODEL": "gpt-99"}, "STICH_MODEL is “gpt-99”"),
        ({"STICH_MODEL_BLUEPRINT": "nobody/x"}, "STICH_MODEL_BLUEPRINT"),
        ({"STICH_ALLOW_PRIVATE_ADDRESSES": "perhaps"}, "STICH_ALLOW_PRIVATE_ADDRESSES"),
        ({"STICH_DEMO_SPEED": "fast"}, "STICH_DEMO_SPEED"),
        ({"STICH_PREVIEW_ORIGIN": "preview.example.org"}, "STICH_PREVIEW_ORIGIN"),
        ({"STICH_VAULT_KEY": "hunter22"}, "STICH_VAULT_KEY"),
        ({"STICH_PAYLOAD_KEY": "hunter22"}, "STICH_PAYLOAD_KEY"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4317"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"STICH_WEBHOOK_URL": "https://x.example"}, "STICH_WEBHOOK_SECRET"),
    ],
)
def test_a_value_that_cannot_be_meant_is_one_sentence(env: dict[str, str], named: str) -> None:
    (sentence,) = problems(env)
    assert named in sentence and sentence.endswith(".") and "\n" not in sentence and "hunter22" not in sentence


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"STICH_MODEL": "demo"},
        {"STICH_MODEL": "openai/gpt-5"},
        {"STICH_MODEL": "[openrouter]some/model"},
        {"STICH_MODEL": "openai/a-model-of-next-year"},
        {"STICH_DEMO_SPEED": "instant"},
        {"CLOUDFLARE_AI_GATEWAY": "g", "CLOUDFLARE_ACCOUNT_ID": "a", "CLOUDFLARE_AI_GATEWAY_CACHE_TTL": "60"},
        {"STICH_PAYLOAD_KEY": "off"},
    ],
)
def test_what_can_be_meant_is_accepted(env: dict[str, str]) -> None:
    assert list(problems(env)) == []


def test_everything_wrong_is_told_at_once() -> None:
    env = {"STICH_ROUTIN": "x", "PORT": "eighty", "STICH_TOKEN": "short", "STICH_STALL_TIMEOUT": "soon"}
    with pytest.raises(StichError) as caught:
        checked_settings(env)
    sentences = str(caught.value).splitlines()
    assert [sentence.split()[0] for sentence in sentences] == [
        "STICH_ROUTIN", "PORT", "STICH_TOKEN", "STICH_STALL_TIMEOUT",
    ]  # fmt: skip


def test_every_variable_is_known_once() -> None:
    assert {f"STICH_MODEL_{key.upper()}" for key in ActionKey} <= KNOWN
    assert not {name for name, _ in VARIABLES.values()} & OF_INFERENCE


def test_a_gateway_keeps_what_it_was_told() -> None:
    env = {
        "CLOUDFLARE_AI_GATEWAY_URL": "https://gateway.example/",
        "CLOUDFLARE_AI_GATEWAY_CACHE_TTL": "60",
        "CLOUDFLARE_AI_GATEWAY_PROVIDERS": "openai gemini",
    }
    gateway = InferenceSettings.from_env(env).gateway
    assert gateway is not None
    assert (gateway.url, gateway.cache_ttl) == ("https://gateway.example", 60)
    assert gateway.stored_keys == {"openai", "google"}
