"""What a call cost, from the `genai-prices` table, whose version goes on every charge."""

import functools
import importlib.metadata
from decimal import Decimal

import genai_prices

from inference.providers import PROVIDERS
from schemas.inference import Usage

SOURCE = f"genai-prices {importlib.metadata.version('genai-prices')}"
MILLION = Decimal(1_000_000)


def price(provider: str, wire_id: str, usage: Usage) -> tuple[Decimal | None, str]:
    """US dollars of `usage` and the table they come from. None where the table does not know the model, or has it
    without a price (qwen-3-coder-480b at Cerebras, withdrawn): a price elsewhere is not what it cost there.

    Cached input and cache writes are part of `input_tokens` and are priced at their own rates.
    """
    facts = PROVIDERS.get(provider)
    if facts is None:
        return None, "unknown"  # a user's own server
    if facts.free:
        return Decimal(0), "no charge"
    if facts.price_id is None:
        return None, "unknown"
    tokens = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=min(usage.cached_input_tokens, usage.input_tokens),
        cache_write_tokens=min(usage.cache_write_tokens, max(usage.input_tokens - usage.cached_input_tokens, 0)),
        output_tokens=usage.output_tokens,
    )
    try:
        charge = genai_prices.calc_price(tokens, wire_id, provider_id=facts.price_id)
    except LookupError:
        return None, "unknown"
    if not charge.total_price and (usage.input_tokens or usage.output_tokens) and not wire_id.endswith(":free"):
        return None, "unknown"  # the table's zero for a retired entry; nothing but a ":free" id costs nothing
    return charge.total_price.normalize(), SOURCE


@functools.cache
def per_million(provider: str, wire_id: str) -> tuple[Decimal | None, Decimal | None]:
    """US dollars per million input and output tokens of a model at `provider` (the rate of a short request)."""
    thousand = 1_000
    read, _ = price(provider, wire_id, Usage(input_tokens=thousand))
    written, _ = price(provider, wire_id, Usage(output_tokens=thousand))
    scale = MILLION / thousand
    return (_scaled(read, scale), _scaled(written, scale))


def _scaled(amount: Decimal | None, scale: Decimal) -> Decimal | None:
    return None if amount is None else Decimal(f"{(amount * scale).normalize():f}")  # 10, where normalize says 1E+1
