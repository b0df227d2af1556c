"""What the service is told, and what it refuses to be told."""

import pytest
from pydantic import ValidationError

from api.settings import origin_of
from tests.api.conftest import api_settings


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://Example.org", "http://example.org"),
        ("https://example.org:443/", "https://example.org"),
        ("http://example.org:80", "http://example.org"),
        ("https://example.org:8443", "https://example.org:8443"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_origins_are_written_as_browsers_write_them(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "changes",
    [
        {"token": "short"},
        {"port": 65536},
        {"public_url": "ftp://example.org"},
        {"public_url": "example.org"},
        {"public_url": "https://example.org/under/a/path"},
        {"allowed_origins": ["*"]},
        {"preview_origin": "http://*.preview.localhost:1; script-src *"},
        {"preview_origin": "*"},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        api_settings(**{"port": 8080} | changes)  # type: ignore[arg-type]


def test_a_token_is_never_shown() -> None:
    settings = api_settings(8080)
    assert settings.token.get_secret_value() not in repr(settings)


def test_hosts_follow_from_the_public_address() -> None:
    settings = api_settings(8080, public_url="https://stich.example.org:8443")
    assert "stich.example.org" in settings.hosts
    assert api_settings(8080, public_url="http://[2001:db8::1]:80").hosts >= {"[2001:db8::1]", "localhost"}


def test_keys_differ_by_purpose_and_token() -> None:
    one, other = api_settings(8080), api_settings(8080, token="another-token-0123456789")
    assert one.derive_key("a") == one.derive_key("a")
    assert len({one.derive_key("a"), one.derive_key("b"), other.derive_key("a")}) == 3
