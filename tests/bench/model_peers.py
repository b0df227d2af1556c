"""How each contender reads one streamed answer: stich, a bare httpx + json loop, litellm, pydantic-ai.

Run in the environment that has the contender: `python -m tests.bench.model_peers NAME DIALECT URL ROUNDS` prints one
JSON object: CPU seconds and wall seconds of each round, and the characters that were read.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable

Read = Callable[[], Awaitable[int]]


async def bare(dialect: str, url: str) -> Read:
    """The least that any client does: lines, json.loads, the text out of each event."""
    import httpx

    client = httpx.AsyncClient(timeout=60)

    def text_of(event: dict) -> str:  # type: ignore[type-arg]
        match dialect:
            case "openai":
                return event["choices"][0]["delta"].get("content") or "" if event["choices"] else ""
            case "anthropic":
                return event["delta"].get("text", "") if event["type"] == "content_block_delta" else ""
            case _:
                return "".join(part["text"] for part in event["candidates"][0]["content"]["parts"])

    async def read() -> int:
        characters = 0
        async with client.stream("POST", f"{url}/bare", json={"stream": True}) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    characters += len(text_of(json.loads(line[6:])))
        return characters

    return read


async def stich(dialect: str, url: str) -> Read:
    from pydantic import SecretStr

    from inference import Inference
    from inference.settings import InferenceSettings, ProviderSettings
    from schemas.inference import ActionKey, Message, ModelCall, ModelOverrides, TextDelta

    name = {
        "openai": "openai/gpt-4.1",
        "anthropic": "anthropic/claude-haiku-4.5",
        "google": "google/gemini-2.5-flash",
    }[dialect]
    provider = ProviderSettings(base_url=url, key=SecretStr("sk-bench-0123456789"))
    inference = Inference(InferenceSettings(providers={dialect: provider}))
    call = ModelCall(
        action=ActionKey.CODE_REVIEW,
        messages=(Message(role="user", content="hi"),),
        overrides=ModelOverrides(model=name, fallback=name, effort="none"),
    )

    async def read() -> int:
        characters = 0
        async for delta in inference.stream(call):
            if isinstance(delta, TextDelta):
                characters += len(delta.text)
        return characters

    return read


async def litellm(dialect: str, url: str) -> Read:
    import litellm as library

    library.suppress_debug_info = True
    library.telemetry = False
    model, base = {
        "openai": ("openai/gpt-4.1", url),
        "anthropic": ("anthropic/claude-haiku-4-5", f"{url}/v1/messages"),
        "google": ("gemini/gemini-2.5-flash", f"{url}/v1beta/models/gemini-2.5-flash"),
    }[dialect]

    async def read() -> int:
        characters = 0
        stream = await library.acompletion(
            model=model,
            api_base=base,
            api_key="sk-bench-0123456789",
            messages=[{"role": "user", "content": "hi"}],
            stream=True,
            max_tokens=1000,
        )
        async for chunk in stream:
            characters += len(chunk.choices[0].delta.content or "") if chunk.choices else 0
        return characters

    return read


async def pydantic_ai(dialect: str, url: str) -> Read:
    from pydantic_ai import ModelRequest
    from pydantic_ai.direct import model_request_stream
    from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta

    key = "sk-bench-0123456789"
    if dialect == "openai":
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        model = OpenAIChatModel("gpt-4.1", provider=OpenAIProvider(base_url=url, api_key=key))
    elif dialect == "anthropic":
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        model = AnthropicModel("claude-haiku-4-5", provider=AnthropicProvider(base_url=url, api_key=key))
    else:
        from pydantic_ai.models.google import GoogleModel
        from pydantic_ai.providers.google import GoogleProvider

        model = GoogleModel("gemini-2.5-flash", provider=GoogleProvider(base_url=url, api_key=key))

    async def read() -> int:
        characters = 0
        async with model_request_stream(model, [ModelRequest.user_text_prompt("hi")]) as stream:
            async for event in stream:
                if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                    characters += len(event.part.content)
                elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                    characters += len(event.delta.content_delta)
        return characters

    return read


async def measure(name: str, dialect: str, url: str, rounds: int) -> dict[str, object]:
    contender = {"bare": bare, "stich": stich, "litellm": litellm, "pydantic-ai": pydantic_ai}[name]
    read = await contender(dialect, url)
    characters = await read()  # imports, connections and caches are not the stream's cost
    cpu, wall = [], []
    for _ in range(rounds):
        cpu_before, wall_before = time.process_time(), time.perf_counter()
        assert await read() == characters
        cpu.append(time.process_time() - cpu_before)
        wall.append(time.perf_counter() - wall_before)
    return {"cpu": cpu, "wall": wall, "characters": characters}


async def crowd(url: str, streams: int, rounds: int) -> dict[str, object]:
    """`streams` of stich's at once in one process, again and again: resident memory after each round, in KiB."""
    read = await stich("openai", url)
    resident, wall = [], []
    for _ in range(rounds):
        before = time.perf_counter()
        await asyncio.gather(*(read() for _ in range(streams)))
        wall.append(time.perf_counter() - before)
        with open("/proc/self/statm") as statm:  # noqa: ASYNC230, PTH123
            resident.append(int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024)
    return {"resident_kib": resident, "wall": wall}


if __name__ == "__main__":
    task, first, second, third = sys.argv[1:5]
    measured = crowd(first, int(second), int(third)) if task == "crowd" else measure(task, first, second, int(third))
    print(json.dumps(asyncio.run(measured)))
