"""The set-up script: what it skips, and what it says when something is missing."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from stich.processes.roles import PACKAGES

SCRIPT = PACKAGES / "scripts" / "setup.py"


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, working on an empty checkout."""
    spec = importlib.util.spec_from_file_location("stich_setup_script", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, place in {"ROOT": "", "VENV": ".venv", "WEB": "web", "STATE": ".setup", "LOG": ".setup/log"}.items():
        monkeypatch.setattr(module, name, tmp_path / place)
    (tmp_path / ".setup").mkdir()
    return module


def programs(folder: Path, **scripts: str) -> str:
    """A folder of programs as the only one on the PATH."""
    folder.mkdir()
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_without_node_it_is_one_sentence(tmp_path: Path) -> None:
    env = {"PATH": programs(tmp_path / "bin"), "STICH_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, str(SCRIPT)], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("setup: Node.js 20 or newer with npm is needed") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("script", ["echo v18.19.0", "exit 1"])
def test_an_old_node_is_named(setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setenv("PATH", programs(tmp_path / "bin", node=script, npm="exit 0"))
    with pytest.raises(setup.SetupError, match=r"Node\.js 20 or newer is needed and this is (v18\.19\.0|not working)"):
        setup.check_node()


def test_nothing_is_asked_of_apt_when_nothing_is_missing(
    setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = "echo apt was called >&2; exit 1"
    monkeypatch.setenv(
        "PATH", programs(tmp_path / "bin", **{"node": "echo v22.1.0", "npm": "exit 0", "apt-get": never})
    )
    monkeypatch.setattr(setup, "missing_packages", list)
    assert setup.install_system_packages() is False


def test_what_is_missing_is_named_where_it_cannot_be_installed(
    setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_folder = programs(tmp_path / "bin", **{"node": "echo v22.1.0", "npm": "exit 0", "apt-get": "exit 1"})
    monkeypatch.setenv("PATH", bin_folder)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(
        setup.SetupError, match=r"as root, run `apt-get install -y bubblewrap git chromium-headless-shell"
    ):
        setup.install_system_packages()


def test_a_failing_program_leaves_its_last_words(setup: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(setup.SetupError, match=r"^it went wrong \(its whole output is in "):
        setup.run(["sh", "-c", "echo the reason >&2; exit 3"], "it went wrong")
    assert "  | the reason" in capsys.readouterr().err
    with pytest.raises(setup.SetupError, match="it is not there"):
        setup.run(["/nonexistent/program"], "it is not there")


def test_a_step_is_done_again_only_for_other_content(setup: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "requirements.lock"
    file.write_text("one")
    first = setup.content_key([file])
    setup.Stamps().remember("python", first)
    assert setup.Stamps().fresh("python", setup.content_key([file]))
    file.write_text("two")
    assert not setup.Stamps().fresh("python", setup.content_key([file]))
    (tmp_path / ".setup" / "stamps.json").write_text("damaged")
    assert not setup.Stamps().fresh("python", first)


def test_web_sources_are_those_that_people_write(setup: ModuleType, tmp_path: Path) -> None:
    for name in ("src/app.tsx", "node_modules/x/index.js", "dist/index.html", "package.json"):
        (tmp_path / "web" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "web" / name).write_text("")
    found = setup.files_below(tmp_path / "web", {"node_modules", "dist"})
    assert sorted(path.name for path in found) == ["app.tsx", "package.json"]


def test_a_home_that_cannot_be_made_is_one_sentence(setup: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(setup.SetupError, match=r"cannot be made .* STICH_HOME=DIR"):
        setup.prepare_sandbox(tmp_path / "file" / "home")
