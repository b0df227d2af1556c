"""Limits on how much may happen in a time, and how the operator writes them down."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from pydantic import BaseModel, ConfigDict

SECONDS: Final = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
RATES: Final = frozenset(
    {
        "requests",
        "session_starts",
        "calls",
        "tokens",
        "provider_calls",
        "provider_tokens",
        "model_calls",
        "model_tokens",
    }
)
NAMED: Final = frozenset({"provider_calls", "provider_tokens", "model_calls", "model_tokens"})
CONCURRENT: Final = "concurrent_sessions"

_RULE: Final = re.compile(r"([a-z_]+)(?::([A-Za-z0-9._/@:-]{1,100}))?\s*=\s*(off|[0-9]{1,12})(?:\s*/\s*([a-z]+))?")


@dataclass(frozen=True, order=True)
class Rate:
    """So many in so many seconds; all of them may come at once."""

    count: int
    seconds: int

    def __str__(self) -> str:
        unit = next((name for name, seconds in SECONDS.items() if seconds == self.seconds), f"{self.seconds} s")
        return f"{self.count:,} per {unit}"


class LimitRules(BaseModel):
    """The limits of an installation. What is not named here is not limited.

    Of a user: `requests` over HTTP, `session_starts`, `calls` of models, their `tokens`, and how many sessions may work
    at once. Of the platform's own keys, over all users: `provider_calls`, `provider_tokens`, `model_calls` and
    `model_tokens`, each for every provider or model, or with its name behind a colon for one.
    """

    model_config = ConfigDict(frozen=True)

    rates: Mapping[str, Rate] = {
        "requests": Rate(3_000, 60),
        "session_starts": Rate(1_000, 3_600),
    }
    concurrent_sessions: int | None = 200

    @classmethod
    def parse(cls, text: str) -> Self:
        """The default rules changed by `text`: `requests=600/minute, concurrent_sessions=5, calls=off,
        provider_calls:openai=500/minute, model_tokens=2000000/minute`. Raises ValueError."""
        rules = cls()
        rates, concurrent = dict(rules.rates), rules.concurrent_sessions
        for part in filter(None, (part.strip() for part in text.split(","))):
            found = _RULE.fullmatch(part)
            if found is None:
                raise ValueError(f"{part[:60]!r} is not a limit")
            name, one, count, unit = found.groups()
            if name == CONCURRENT and one is None and unit is None and count != "0":
                concurrent = None if count == "off" else int(count)
                continue
            if name not in RATES or (one is not None and name not in NAMED):
                raise ValueError(f"there is no limit {name[:40]!r}")
            key = name if one is None else f"{name}:{one}"
            if count == "off":
                rates.pop(key, None)
            elif unit not in SECONDS or int(count) == 0:
                raise ValueError(f"{part[:60]!r} needs a number above 0 and a time, such as 60/minute")
            else:
                rates[key] = Rate(int(count), SECONDS[unit])
        return cls(rates=rates, concurrent_sessions=concurrent)

    def rate(self, name: str, one: str = "") -> Rate | None:
        """The limit of this name, for one provider or model where it has its own."""
        return self.rates.get(f"{name}:{one}") or self.rates.get(name)
