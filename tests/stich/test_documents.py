"""The documents agree with the code: settings, compose file, examples."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from inference.providers import PROVIDERS
from inference.settings import InferenceSettings
from schemas.inference import ActionKey
from stich.settings import VARIABLES, Settings

ROOT = Path(__file__).parents[2]
CODE = ("activities", "api", "inference", "sandbox", "stich", "storage", "workflows")
# Told by the sandbox to the programs inside it, and never read from the environment of a process.
INNER = {"STICH_WORKSPACE", "STICH_RELAY_PIPES", "STICH_LIBRARIES"}
READ = re.compile(r"""["']((?:STICH|CLOUDFLARE|CF|NETLIFY|VERCEL)_[A-Z0-9_]+)["']""")
IN_INFERENCE = {
    "STICH_ROUTING": "policy",
    "STICH_CONNECT_TIMEOUT": "connect_timeout",
    "STICH_FIRST_TOKEN_TIMEOUT": "first_token_timeout",
    "STICH_STALL_TIMEOUT": "stall_timeout",
    "STICH_ANSWER_CACHE": "answer_cache_size",
}


def rows() -> dict[str, str]:
    """Every variable of the tables, with the default that is told beside it."""
    found = {}
    for line in (ROOT / "docs" / "settings.md").read_text().splitlines():
        if line.startswith("| `"):
            names, _, default, _ = (cell.strip() for cell in line.removeprefix("|").split("|"))
            for name in re.findall(r"`([A-Z][A-Z0-9_]*(?:<ACTION>)?)`", names):
                assert name not in found, f"{name} is told twice"
                found[name] = default
    return found


def known() -> set[str]:
    """Every variable that the code reads."""
    names = {name for name, _ in VARIABLES.values()}
    for provider in PROVIDERS.values():
        names |= {*provider.key_variables, *provider.url_variables}
    for room in CODE:
        for path in (ROOT / room).rglob("*.py"):
            names |= set(READ.findall(path.read_text()))
    return names - INNER - {f"STICH_MODEL_{key.upper()}" for key in ActionKey}


def test_every_setting_is_told_and_nothing_else() -> None:
    elsewhere = {"STICH_MODEL_<ACTION>", "HTTPS_PROXY", "STICH_DEMO_SPEED"}
    told = {name for name in rows() if not name.startswith("TEMPORAL_")}
    read = {name for name in known() if not name.startswith("TEMPORAL_")}
    assert read - told == set(), "not told"
    assert told - read - elsewhere == set(), "told, but never read"


@pytest.mark.parametrize(
    ("model", "variables"),
    [
        (Settings, {f: n for f, (n, _) in VARIABLES.items()}),
        (InferenceSettings, {f: n for n, f in IN_INFERENCE.items()}),
    ],
)
def test_the_defaults_are_those_of_the_code(model: type[BaseModel], variables: dict[str, str]) -> None:
    told = rows()
    for field, name in variables.items():
        default = model.model_fields[field].get_default()
        if isinstance(default, str | int | float) and not isinstance(default, bool):
            assert told[name].startswith(f"`{default}`"), (name, default, told[name])
