"""The command line as people meet it: a process, its output, its exit status."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from stich.cli import COMMANDS, EXAMPLES, main, parser
from stich.home import listen
from stich.processes.roles import PACKAGES


class Ended(NamedTuple):
    """What a command left: its exit status and what it printed."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Ended]


@pytest.fixture
def stich(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command inside the test's process, in an empty directory and an environment of its own."""
    for name in [name for name in os.environ if name.startswith(("STICH_", "TEMPORAL_", "PORT")) or "API_KEY" in name]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("STICH_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, stdin: str = "", **env: str) -> Ended:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        status = main(list(arguments))
        shown = capsys.readouterr()
        return Ended(status, shown.out, shown.err)

    return run


def up(home: Path, *arguments: str, **env: str) -> Ended:
    """Runs `stich up` in a process of its own: it adopts orphans, and this one has children that it must not end."""
    plain = {"PATH": os.environ["PATH"], "HOME": str(home), "STICH_HOME": str(home), "PYTHONPATH": str(PACKAGES)}
    command = [sys.executable, "-P", "-m", "stich", "up", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={**plain, **env}, cwd=home, timeout=60)
    return Ended(done.returncode, done.stdout, done.stderr)


def refused(done: Ended) -> str:
    """The one sentence on stderr of a command that ended with status 1."""
    assert done.returncode == 1, done
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("stich: ")
    return line.removeprefix("stich: ")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([command, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(example in shown for example in EXAMPLES[command])


@pytest.mark.parametrize("arguments", [[], ["frobnicate"], ["build", "x", "--mode", "wild"], ["up", "--nope"]])
def test_what_is_typed_wrongly_ends_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(arguments)
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "stdin", "sentence"),
    [
        (["build"], "", "Say what to build"),
        (["build", "  "], "", "The prompt is empty"),
        (["build", "-"], "x" * 20_001, "The prompt has 20,001 characters; at most 20,000 are allowed."),
        (["build", "x", "--out", "full"], "", "full is not an empty directory"),
        (["build", "x", "--out", "full/file"], "", "full/file is not an empty directory"),
        (["build", "x", "--resume", "session-1"], "", "--resume goes on with"),
    ],
)
def test_build_refuses_before_anything_starts(
    stich: Run, tmp_path: Path, arguments: list[str], stdin: str, sentence: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    assert sentence in refused(stich(*arguments, stdin=stdin))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"]


def test_a_bad_setting_is_one_sentence(tmp_path: Path) -> None:
    assert refused(up(tmp_path, PORT="eighty")).startswith("PORT is “eighty”; it should be a port number")
    assert refused(up(tmp_path, "--port", "x")).startswith("PORT is “x”")


def test_up_refuses_a_port_that_is_taken(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as listener:
        port = str(listener.getsockname()[1])
        done = up(tmp_path, PORT=port)
    assert f"Port {port} of 127.0.0.1 cannot be used (Address already in use); choose another, as in PORT=" in refused(
        done
    )


def test_up_refuses_a_preview_port_that_is_taken_only_when_it_was_asked_for(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as listener:
        port = str(listener.getsockname()[1])
        done = up(tmp_path, PORT="0", STICH_PREVIEW_PORT=port)
    assert f"Port {port} for previews is taken" in refused(done)


def test_up_refuses_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = up(tmp_path, STICH_HOME=str(tmp_path / "file"))
    assert "cannot be written" in refused(done)


def test_up_names_the_program_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    assert "Node.js is missing" in refused(up(tmp_path, PATH=str(tmp_path / "bin")))
    (tmp_path / "bin" / "node").symlink_to("/bin/true")
    assert "bubblewrap is missing" in refused(up(tmp_path, PATH=str(tmp_path / "bin")))


def test_up_refuses_a_provider_address_that_cannot_be_meant(tmp_path: Path) -> None:
    done = up(tmp_path, PORT="0", OPENAI_BASE_URL="nowhere", OPENAI_API_KEY="sk-x")
    assert refused(done) == "OPENAI_BASE_URL must be an address that begins with http:// or https://."


def test_everything_wrong_in_the_environment_is_told_before_anything_starts(tmp_path: Path) -> None:
    done = up(tmp_path, STICH_ROUTIN="cost", STICH_LOG_LEVEL="loud")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "stich: STICH_ROUTIN is not a setting of stich; did you mean STICH_ROUTING?",
        "stich: STICH_LOG_LEVEL is “loud”; it should be one of debug, info, warning, error.",
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("role", ["worker", "api"])
def test_a_role_without_a_database_says_so(stich: Run, role: str) -> None:
    with listen("127.0.0.1", 0) as listener:
        free = str(listener.getsockname()[1])
    done = stich(role, TEMPORAL_ADDRESS="127.0.0.1:1", PORT=free)
    assert "DATABASE_URL is not set" in refused(done)


def test_models_are_listed_with_what_is_missing(stich: Run) -> None:
    none = stich("models")
    assert (
        none.returncode == 0 and "the demo model answers" in none.stdout and "OPENAI_API_KEY is not set" in none.stdout
    )
    rows = [
        json.loads(line) for line in stich("models", "--json", "--usable", OPENAI_API_KEY="k" * 20).stdout.splitlines()
    ]
    assert {"openai/gpt-5", "openai/o3"} <= {row["name"] for row in rows}
    assert all("openai" in row["usable_providers"] for row in rows)


def test_a_reader_that_leaves_does_not_make_noise(tmp_path: Path) -> None:
    command = f"{sys.executable} -P -m stich models --json | true"
    env = {"PATH": os.environ["PATH"], "STICH_HOME": str(tmp_path), "PYTHONPATH": str(PACKAGES)}
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=env, timeout=60)
    assert done.stderr == ""


def test_doctor_says_what_is_wrong(stich: Run) -> None:
    done = stich("doctor", PATH="/nonexistent")
    assert done.returncode == 1
    assert "PROBLEM  sandbox      Node.js is missing" in done.stdout


def test_doctor_looks_at_the_database_and_the_temporal_that_are_named(stich: Run) -> None:
    nowhere = {"DATABASE_URL": "postgresql://stich@127.0.0.1:1/stich", "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    done = stich("doctor", **nowhere)
    assert done.returncode == 1
    assert re.search(r"PROBLEM  database +Postgres cannot be used .* is DATABASE_URL right\?", done.stdout)
    assert re.search(r"PROBLEM  temporal +Temporal at 127.0.0.1:1 cannot be used: it does not answer", done.stdout)


def test_doctor_says_what_is_wrong_with_the_settings(stich: Run) -> None:
    done = stich("doctor", STICH_PREVEIW_PORT="1", PORT="eighty", CLOUDFLARE_AI_GATEWAY_CACHE_TTL="1h")
    assert done.returncode == 1
    assert [line.split()[:3] for line in done.stdout.splitlines()] == [
        ["PROBLEM", "settings", "STICH_PREVEIW_PORT"],
        ["PROBLEM", "settings", "PORT"],
        ["PROBLEM", "settings", "CLOUDFLARE_AI_GATEWAY_CACHE_TTL"],
    ]
