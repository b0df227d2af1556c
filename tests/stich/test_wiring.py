"""Decisions of the composition root: which model answers, where previews are, what the API is told."""

from pathlib import Path

import pytest

from stich.api_server import api_settings_from
from stich.errors import StichError
from stich.previews import PreviewPlace, naming_secret, page_origins
from stich.settings import Settings
from stich.supervisor import needs_demo

KEY = {"OPENAI_API_KEY": "sk-0123456789abcdef"}


@pytest.mark.parametrize(
    ("env", "needed"),
    [
        ({}, True),
        (KEY, False),
        ({"OPENAI_API_KEY": "your-api-key"}, True),
        ({**KEY, "STICH_MODEL": "demo"}, True),
        ({**KEY, "STICH_MODEL": "demo/demo"}, True),
        ({**KEY, "STICH_MODEL": "openai/gpt-5"}, False),
        ({"ANTHROPIC_API_KEY": "sk-ant-0123456789"}, False),
    ],
)
def test_the_demo_model_answers_when_asked_for_or_when_it_is_all_there_is(env: dict[str, str], needed: bool) -> None:
    assert needs_demo(env) is needed


def test_a_provider_setting_that_cannot_be_used_is_one_sentence() -> None:
    with pytest.raises(StichError, match="A setting of the model providers cannot be used"):
        needs_demo({**KEY, "OPENAI_BASE_URL": "nowhere"})


def test_previews_are_beside_the_page_on_this_machine() -> None:
    place = PreviewPlace.of(Settings.from_env({"PORT": "9000"}))
    assert place.source == "http://*.preview.localhost:9001"
    assert place.address("a.preview.localhost") == "http://a.preview.localhost:9001"
    assert page_origins(Settings.from_env({"PORT": "9000"})) == ["http://127.0.0.1:9000", "http://localhost:9000"]


def test_previews_are_where_they_are_said_to_be() -> None:
    settings = Settings.from_env(
        {"STICH_PREVIEW_ORIGIN": "https://*.preview.example.org", "STICH_PUBLIC_URL": "https://stich.example.org"}
    )
    place = PreviewPlace.of(settings)
    assert (place.suffix, place.source) == ("preview.example.org", "https://*.preview.example.org")
    assert page_origins(settings) == ["https://stich.example.org"]


@pytest.mark.parametrize("origin", ["https://preview.example.org", "*.example.org", "ftp://*.x", "https://*.x/path"])
def test_an_origin_that_is_no_wildcard_is_refused(origin: str) -> None:
    with pytest.raises(StichError, match="STICH_PREVIEW_ORIGIN"):
        PreviewPlace.of(Settings.from_env({"STICH_PREVIEW_ORIGIN": origin}))


def test_the_names_of_previews_depend_on_the_token_and_do_not_show_it() -> None:
    assert naming_secret("a" * 20) != naming_secret("b" * 20)
    assert b"a" * 20 not in naming_secret("a" * 20)


def test_the_api_is_told_what_there_is(tmp_path: Path) -> None:
    env = {"STICH_HOME": str(tmp_path / "home"), "STICH_DEMO_URL": "http://127.0.0.1:1/v1"}
    settings = api_settings_from(Settings.from_env(env), env)
    assert settings.examples and "react-vite" in [template.name for template in settings.templates]
    assert settings.token.get_secret_value() == (tmp_path / "home" / "token").read_text().strip()
    with_key = api_settings_from(Settings.from_env(env), {**env, **KEY})
    assert with_key.examples != settings.examples
