"""Metrics in Prometheus's text format, for whoever watches the installation."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from api.auth import operator_of
from api.endpoints import Answer, Endpoint
from api.problems import DATABASE_AWAY, NOT_OPERATOR, TOO_SLOW
from api.services import Services, services_of
from storage.measures import STEP_BUCKETS, Measures

MEDIA_TYPE: Final = "text/plain; version=0.0.4"

Labels = Mapping[str, str]


class Metric(NamedTuple):
    """A metric's name, kind and meaning."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    meaning: str

    def text(self, samples: Iterable[tuple[str, Labels, float]]) -> str:
        """The metric as a scrape has it: (suffix of the name, labels, value) of each sample."""
        lines = [f"# HELP {self.name} {self.meaning}", f"# TYPE {self.name} {self.kind}"]
        lines += [f"{self.name}{suffix}{_braces(labels)} {value:.12g}" for suffix, labels, value in samples]
        return "\n".join(lines) + "\n"


SESSIONS: Final = Metric("stich_sessions", "gauge", "Sessions by state")
CALLS: Final = Metric("stich_model_calls_total", "counter", "Model calls by provider, model and outcome")
TOKENS: Final = Metric("stich_model_tokens_total", "counter", "Tokens by provider, model, outcome and direction")
COST: Final = Metric("stich_model_cost_usd_total", "counter", "US dollars by provider, model and outcome")
STEPS: Final = Metric("stich_step_seconds", "histogram", "Time from a step's first attempt to its end")
READERS: Final = Metric("stich_stream_readers", "gauge", "Streams of events that this process serves")
LAG: Final = Metric("stich_event_lag_seconds", "gauge", "Age of the newest event when this process read it")
CONNECTIONS: Final = Metric("stich_database_connections", "gauge", "Connections of this process's pool by use")

METRICS: Final = (SESSIONS, CALLS, TOKENS, COST, STEPS, READERS, LAG, CONNECTIONS)


async def metrics(request: Request) -> Response:
    operator_of(request)
    return Response(await written(services_of(request)), media_type=MEDIA_TYPE)


async def written(services: Services) -> str:
    """Every metric, as text."""
    measures, pool = Measures(services.database), services.database.pool
    sessions, totals, (below, seconds, steps) = await asyncio.gather(
        measures.sessions(), measures.model_calls(), measures.steps()
    )
    models = [({"provider": total.provider, "model": total.model}, total) for total in totals]
    tokens = [
        ("", {**labels, "outcome": total.outcome, "direction": direction}, float(count))
        for labels, total in models
        for direction, count in (("input", total.input_tokens), ("output", total.output_tokens))
    ]
    buckets = [
        ("_bucket", {"le": f"{bound:g}"}, float(count)) for bound, count in zip(STEP_BUCKETS, below, strict=True)
    ]
    parts = (
        SESSIONS.text(("", {"state": state}, count) for state, count in sorted(sessions.items())),
        CALLS.text(("", {**labels, "outcome": total.outcome}, total.calls) for labels, total in models),
        TOKENS.text(tokens),
        COST.text(("", {**labels, "outcome": total.outcome}, float(total.cost)) for labels, total in models),
        STEPS.text([*buckets, ("_bucket", {"le": "+Inf"}, steps), ("_sum", {}, seconds), ("_count", {}, steps)]),
        READERS.text([("", {}, services.stream.readers)]),
        LAG.text([("", {}, services.stream.lag)]),
        CONNECTIONS.text(
            [
                ("", {"use": "idle"}, pool.get_idle_size()),
                ("", {"use": "busy"}, pool.get_size() - pool.get_idle_size()),
            ]
        ),
    )
    return "".join(parts)


def _braces(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/metrics",
        handler=metrics,
        name="metrics",
        summary="Metrics in Prometheus's text format, for operators",
        answer=Answer(
            description="Every metric.",
            media_type="text/plain",
            schema=str,
            example=SESSIONS.text([("", {"state": "generating"}, 3)]),
        ),
        problems=(NOT_OPERATOR, DATABASE_AWAY, TOO_SLOW),
        scope="operator",
    ),
)
