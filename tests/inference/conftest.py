"""A client against the fault server, as a provider of each dialect."""

import functools
from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from inference import Inference
from inference.settings import InferenceSettings, ProviderSettings
from inference.transport import make_client
from schemas.inference import ActionKey, Message, ModelCall, ModelOverrides
from tests.fault_server import FaultServer

MODELS = {"openai": "openai/gpt-4.1", "anthropic": "anthropic/claude-haiku-4.5", "google": "google/gemini-2.5-flash"}
KEY = "sk-test-0123456789abcdef"


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with FaultServer() as server:
        yield server


def settings_for(server: FaultServer, faults: str, **changes: object) -> InferenceSettings:
    """Settings in which every dialect's own provider answers with `faults`."""
    providers = {
        name: ProviderSettings(base_url=server.url(faults), key=SecretStr(KEY))
        for name in ("openai", "anthropic", "google")
    }
    values: dict[str, object] = {"providers": providers, "first_token_timeout": 0.4, "stall_timeout": 0.3}
    return InferenceSettings.model_validate(values | changes)


def call_for(dialect: str, **changes: object) -> ModelCall:
    """A short call that goes to the provider of `dialect` and nowhere else."""
    values: dict[str, object] = {
        "action": ActionKey.CODE_REVIEW,
        "messages": (Message(role="system", content="Be brief."), Message(role="user", content="Tell a story.")),
        "session_id": "s1",
        "operation_id": "o1",
        "overrides": ModelOverrides(model=MODELS[dialect], fallback=MODELS[dialect], effort="none"),
    }
    return ModelCall.model_validate(values | changes)


@functools.cache
def shared_client() -> httpx.AsyncClient:
    """One client for all tests: making one loads the system's certificates."""
    return make_client(5)


def inference_for(server: FaultServer, faults: str, **changes: object) -> Inference:
    return Inference(settings_for(server, faults, **changes), client=shared_client())
