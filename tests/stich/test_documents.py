"""The documents agree with the code: settings, compose file, examples."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from api.metrics import METRICS
from inference.providers import PROVIDERS
from inference.settings import InferenceSettings
from schemas.inference import ActionKey
from stich.cli import COMMANDS
from stich.environment import KNOWN, OURS
from stich.settings import VARIABLES, Settings

ROOT = Path(__file__).parents[2]
CODE = ("activities", "api", "inference", "sandbox", "stich", "storage", "workflows")
# Told by the sandbox to the programs inside it, and never read from the environment of a process.
INNER = {"STICH_WORKSPACE", "STICH_RELAY_PIPES", "STICH_LIBRARIES"}
READ = re.compile(r"""["']((?:STICH|OTEL|CLOUDFLARE|CF|NETLIFY|VERCEL)_[A-Z0-9_]+)["']""")
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
    elsewhere = {"STICH_MODEL_<ACTION>", "HTTPS_PROXY", "STICH_DEMO_SPEED", "OTEL_EXPORTER_OTLP_HEADERS"}
    told = {name for name in rows() if not name.startswith("TEMPORAL_")}
    read = {name for name in known() if not name.startswith("TEMPORAL_")}
    assert read - told == set(), "not told"
    assert told - read - elsewhere == set(), "told, but never read"
    assert {name for name in read if name.startswith(OURS)} - KNOWN == set(), "would be refused as misspelt"


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


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "temporal-dev.yml").read_text())
    return loaded


def test_the_compose_file_keeps_to_the_schema_of_compose(tmp_path: Path) -> None:
    text = (ROOT / "temporal-dev.yml").read_text()
    (tmp_path / "misspelt.yml").write_text(text.replace("depends_on: [temporal]", "dependson: [temporal]"))
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    for file, fits in ((ROOT / "temporal-dev.yml", True), (tmp_path / "misspelt.yml", False)):
        done = subprocess.run([*check, str(file)], capture_output=True, text=True, timeout=60)
        assert (done.returncode == 0) is fits, done.stdout


def test_the_compose_file_hangs_together(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert {"postgres", "temporal", "temporal-ui", "migrate", "worker", "api"} <= services.keys()
    for name, service in services.items():
        needed = service.get("depends_on", [])
        for other in needed:
            assert other in services, f"{name} needs {other}, which is not there"
            condition = needed[other]["condition"] if isinstance(needed, dict) else "service_started"
            assert condition != "service_healthy" or "healthcheck" in services[other], (name, other)
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in compose["volumes"], (name, volume)
        for config in service.get("configs", []):
            assert config["source"] in compose["configs"], (name, config)
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), f"{name} is open to the network"
        assert re.fullmatch(r"[a-z/-]+(:[0-9.]+)?", service["image"]), f"{name} names the host of a registry"
    for name in ("worker", "api"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert int(services[name]["stop_grace_period"].removesuffix("s")) >= 10


def test_the_compose_file_sets_what_is_read_to_what_is_accepted(compose: dict[str, Any]) -> None:
    told = rows().keys()
    read = {name for name, _ in VARIABLES.values()}
    given = {"STICH_TOKEN": "t" * 24, "STICH_VAULT_KEY": "k" * 43 + "=", "STICH_PAYLOAD_KEY": "k" * 43 + "="}
    ours = [service for service in compose["services"].values() if service["image"] == "stich"]
    assert len(ours) >= 4
    for service in ours:
        assert service["environment"].keys() <= told, "told nowhere"
        if "command" in service:
            assert service["command"][0] in COMMANDS
        env = {name: _interpolated(str(value), given) for name, value in service["environment"].items()}
        Settings.from_env({name: value for name, value in env.items() if name in read})
        InferenceSettings.from_env(env)


def _interpolated(value: str, given: dict[str, str]) -> str:
    """`value` as Compose makes it where nothing but `given` is set."""

    def replaced(found: re.Match[str]) -> str:
        name, default = found["name"], found["default"]
        assert default is not None or name in given, f"{name} is needed"
        return given.get(name, default or "")

    return re.sub(r"\$\{(?P<name>[A-Z_]+)(:-(?P<default>[^}]*)|:\?[^}]*)?\}", replaced, value)


def test_the_dashboard_shows_what_is_measured() -> None:
    dashboard = json.loads((ROOT / "docs" / "grafana" / "stich.json").read_text())
    used = set()
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            used |= set(
                re.findall(r"\b(?:stich|gen_ai_client)_\w+(?=\[|\)|$)", re.sub(r"by \([^)]*\)", "", target["expr"]))
            )
    served = {metric.name + ("_bucket" if metric.kind == "histogram" else "") for metric in METRICS}
    sent = set()
    for file in ("stich/telemetry.py", "inference/telemetry.py"):
        for name, unit in re.findall(r'create_histogram\(\s*"([\w.]+)",\s*unit="(\w+)"', (ROOT / file).read_text()):
            sent.add(f"{name.replace('.', '_')}_{'seconds' if unit == 's' else unit}_bucket")
    assert used - served - sent == set(), "shown, but not measured"
    assert served - used == set(), "served, but not shown"
