"""The whole environment of a process, looked at once at its start: what is misspelt, what cannot be meant."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from inference import settings as inference
from stich.errors import StichError
from stich.keys import check_given
from stich.mcp_servers import allowed_servers
from stich.previews import PreviewPlace
from stich.settings import VARIABLES, Settings

OURS: Final = ("STICH_", "CLOUDFLARE_AI_GATEWAY")
"""What begins so is meant for stich alone: a name that nobody reads is a mistake."""

READ_ELSEWHERE: Final = frozenset({"STICH_SANDBOX_CACHE", "STICH_DEMO_SPEED"})

KNOWN: Final = frozenset(name for name, _ in VARIABLES.values()) | inference.VARIABLES | READ_ELSEWHERE

# Kubernetes tells every container of every service beside it; one called `stich` appears under our prefix.
SERVICE_LINK: Final = re.compile(r".*_(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")


def checked_settings(env: Mapping[str, str]) -> Settings:
    """The settings in `env`. Raises StichError with everything that is wrong in it: a sentence each, one a line."""
    if found := list(problems(env)):
        raise StichError("\n".join(found))
    return Settings.from_env(env)


def problems(env: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with an environment, a sentence each. Values of secrets are not repeated."""
    yield from _misspelt(env)
    settings = None
    try:
        settings = Settings.from_env(env)
    except StichError as error:
        yield from str(error).splitlines()
    yield from (f"{clause}." for clause in inference.invalid(env))
    yield from _told(lambda: _models(env))
    yield from _told(lambda: _telemetry(env))
    yield from _told(lambda: _demo_speed(env))
    if settings is not None:
        known = settings
        if known.jurisdiction is not None and not env.get("STICH_PROVIDERS", "").strip():
            yield (
                "STICH_JURISDICTION needs STICH_PROVIDERS: the providers that keep data there, such as openai, custom."
            )
        yield from _told(lambda: PreviewPlace.of(known))
        yield from _told(lambda: check_given(known))
        yield from _told(lambda: allowed_servers(known.mcp_servers))


def _misspelt(env: Mapping[str, str]) -> Iterator[str]:
    for name, value in env.items():
        if not name.startswith(OURS) or name in KNOWN or _is_service_link(name, value):
            continue
        nearest = difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.75)
        hint = f"did you mean {nearest[0]}?" if nearest else "docs/settings.md lists those that there are."
        yield f"{name} is not a setting of stich; {hint}"


def _is_service_link(name: str, value: str) -> bool:
    return bool(SERVICE_LINK.fullmatch(name)) or (name.endswith("_PORT") and value.startswith("tcp://"))


def _told(check: Callable[[], object]) -> Iterator[str]:
    try:
        check()
    except StichError as error:
        yield str(error)


def _models(env: Mapping[str, str]) -> None:
    named = {name: env[name].strip() for name in sorted(env) if name.startswith("STICH_MODEL") and name in KNOWN}
    named = {name: model for name, model in named.items() if model and model != "demo"}
    if not named:
        return
    from inference.errors import NotConfigured  # takes a second that a process without these settings need not wait
    from inference.routing import configured_model

    for name, model in named.items():
        try:
            configured_model(model)
        except NotConfigured:
            raise StichError(
                f"{name} is “{model[:80]}”; it should be provider/model, such as openai/gpt-5 (see `stich models`)."
            ) from None


def _telemetry(env: Mapping[str, str]) -> None:
    name = "OTEL_EXPORTER_OTLP_ENDPOINT"
    value = env.get(name, "").strip()
    if value and urlsplit(value).scheme not in ("http", "https"):
        raise StichError(f"{name} is “{value[:80]}”; it should be an address that begins with http:// or https://.")


def _demo_speed(env: Mapping[str, str]) -> None:
    if not (value := env.get("STICH_DEMO_SPEED", "").strip()):
        return
    from stich.demo.playback import pace

    try:
        pace(value)
    except ValueError as error:
        raise StichError(f"{error}.") from None
