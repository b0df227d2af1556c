"""Pasted keys are taken out, ordinary text is left alone."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.http import CreateSession, PostMessage
from schemas.secrets import mask, mask_known, masked_in
from schemas.session import SessionRequest, UserMessage

# Put together here, so that no scanner takes this file for a leak.
KEYS = {
    "OpenAI key": "sk-" + "proj-" + "aB3dE5fG7hI9jK1lM3nO5pQ7",
    "Anthropic key": "sk-" + "ant-api03-" + "aB3dE5fG7hI9jK1lM3nO5pQ7",
    "OpenRouter key": "sk-" + "or-v1-" + "0123456789abcdef0123456789abcdef",
    "DeepSeek key": "sk-" + "0123456789abcdef0123456789abcdef",
    "Groq key": "gsk" + "_aB3dE5fG7hI9jK1lM3nO5pQ7",
    "Cerebras key": "csk" + "-ab3de5fg7hi9jk1lm3no5pq7",
    "Google key": "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "GitHub token": "ghp" + "_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5",
    "AWS key id": "AKIA" + "IOSFODNN7EXAMPLE",
    "Slack token": "xoxb" + "-123456789012-abcdefghijkl",
    "Stripe key": "sk" + "_live_aB3dE5fG7hI9jK1lM3nO",
    "signed token": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "private key": "-----BEGIN " + "RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabc\n-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("around", ["{}", "Use {} please.", "key='{}';", "https://a.example/?k={}", "({})", "a\n{}\nb"])
def test_known_forms_are_taken_out(kind: str, around: str) -> None:
    text = around.format(KEYS[kind])
    masked = mask_known(text)
    assert KEYS[kind][:-4] not in masked and KEYS[kind][8:20] not in masked
    assert [found.kind for found in masked_in(masked)] == [kind]
    assert mask(masked) == masked
    before, after = around.split("{}")
    assert masked.startswith(before) and masked.endswith(after)


def test_what_is_found_can_be_offered_to_the_vault() -> None:
    (found,) = masked_in(mask(f"my key is {KEYS['Groq key']}"))
    assert (found.provider, found.hint) == ("groq", "…5pQ7")
    (other,) = masked_in(mask("postgres://ann:hunter2@db.example/x"))
    assert (other.kind, other.provider, other.hint) == ("password", None, "")


@pytest.mark.parametrize(
    "text",
    [
        "password: xK9mP2vL8qR4tY7wZ1bN",
        "API_KEY=f3a9c1e7b5d2084669aa17fe",
        "the token is 9hT2kLmQ8vRx3ZpW7yNc4bJd",
        '"client_secret": "q8Zr-3kVt_9mXw2LpB7nYd5C"',
        "Authorization: Bearer aZ91kd82Lm30qP47xT65vB12",
    ],
)
def test_named_random_values_are_taken_out(text: str) -> None:
    (found,) = masked_in(mask(text))
    assert found.kind == "secret"
    assert mask_known(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "A kanban board with drag and drop that remembers its cards",
        "The key is to keep the design simple and the password field hidden.",
        "Use token based authentication_with_refresh_tokens please",
        "key: components/settings/api-key-form/index.tsx",
        "const password = document.querySelector('#password')",
        "secret: process.env.SESSION_SECRET_FOR_PRODUCTION",
        "sk-learn and sk-image are libraries; task-oriented-dialogue-systems-2024",
        "The id is 550e8400-e29b-41d4-a716-446655440000",
        "see https://example.org/a/b:c@d",
        "pk_live_aB3dE5fG7hI9jK1lM3nO is meant for browsers",
        "[removed: OpenAI key ending in ab12]",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert mask(text) == text


@given(st.text(max_size=300))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@given(st.text(max_size=60), st.sampled_from(sorted(KEYS)), st.text(max_size=60))
def test_no_key_survives_between_other_text(before: str, kind: str, after: str) -> None:
    masked = mask(f"{before} {KEYS[kind]} {after}")
    assert KEYS[kind] not in masked


@pytest.mark.parametrize("piece", ["sk-", "eyJ", "-----BEGIN PRIVATE KEY-----", "://a:", "key=", "a:AA", "token "])
def test_it_takes_linear_time(piece: str) -> None:
    text = (piece * 40_000)[:120_000]
    began = time.perf_counter()
    mask(text)
    assert time.perf_counter() - began < 5


def test_nothing_that_people_send_keeps_a_key() -> None:
    text = f"Use {KEYS['OpenAI key']}"
    for model, field in ((CreateSession, "prompt"), (SessionRequest, "prompt"), (PostMessage, "text")):
        sent = getattr(model.model_validate({field: text}), field)
        assert sent == "Use [removed: OpenAI key ending in 5pQ7]"
    assert "sk-" not in UserMessage(id="m1", text=text).text
