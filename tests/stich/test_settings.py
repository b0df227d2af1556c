"""Settings out of the environment, and what is said about bad ones."""

import os
from pathlib import Path

import pytest

from stich.errors import StichError
from stich.settings import VARIABLES, Settings


def test_nothing_set_gives_the_defaults() -> None:
    settings = Settings.from_env({})
    assert settings.port == 8080
    assert settings.home == Path.home() / ".stich"
    assert settings.database_url is None and settings.temporal_address is None and settings.preview_port is None
    assert settings.loopback


def test_every_field_has_a_variable() -> None:
    assert VARIABLES.keys() == Settings.model_fields.keys()


def test_empty_counts_as_not_set_and_blanks_are_cut() -> None:
    settings = Settings.from_env({"PORT": "  ", "STICH_PREVIEW_PORT": " 9001 ", "DATABASE_URL": ""})
    assert (settings.port, settings.preview_port, settings.database_url) == (8080, 9001, None)


def test_home_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.from_env({"STICH_HOME": "data"}).home == tmp_path / "data"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "70000"),
        ("STICH_PREVIEW_PORT", "-1"),
        ("TEMPORAL_ADDRESS", "no-port"),
        ("DATABASE_URL", "mysql://somewhere/x"),
        ("STICH_PUBLIC_URL", "stich.example.org"),
        ("STICH_TOKEN", "short"),
        ("STICH_LOG_LEVEL", "loud"),
        ("STICH_SANDBOX_SLOTS", "0"),
    ],
)
def test_a_bad_value_is_named_with_what_it_should_be(name: str, value: str) -> None:
    with pytest.raises(StichError) as caught:
        Settings.from_env({name: value})
    sentence = str(caught.value)
    assert sentence.startswith(f"{name} is ") and sentence.endswith(".") and "\n" not in sentence


def no_entry(uid: int) -> object:
    raise KeyError(uid)


@pytest.mark.parametrize(("name", "value"), [("DATABASE_URL", "mysql://u:hunter22@h/x"), ("STICH_TOKEN", "hunter22")])
def test_a_bad_secret_is_not_repeated(name: str, value: str) -> None:
    with pytest.raises(StichError) as caught:
        Settings.from_env({name: value})
    assert "hunter22" not in str(caught.value)


def test_a_secret_is_not_shown() -> None:
    settings = Settings.from_env({"DATABASE_URL": "postgresql://u:hunter22@h/x", "STICH_TOKEN": "hunter22hunter22"})
    assert "hunter22" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_without_a_home_directory_it_asks_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", no_entry)
    with pytest.raises(StichError, match="STICH_HOME"):
        Settings.from_env({})
    assert Settings.from_env({"STICH_HOME": "/x"}).home == Path("/x")


def test_home_without_the_variable_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    assert Settings.from_env(os.environ).home.name == ".stich"
