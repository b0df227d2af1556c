"""Names of previews: stable, unguessable, and fit for a host name."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.addresses import preview_name, session_of

SECRET = b"secret"
ids = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,42}[a-z0-9])?", fullmatch=True)


@settings(deadline=None)
@given(ids)
def test_a_name_leads_back_to_its_session(session_id: str) -> None:
    name = preview_name(SECRET, session_id)
    assert len(name) <= 63
    assert session_of(SECRET, name) == session_id
    assert session_of(b"another", name) is None


def test_fits_the_usual_ids() -> None:
    session_id = "session-0b0e7a4e-6c5d-4a3b-9d1e-2f3a4b5c6d7e"
    assert session_of(SECRET, preview_name(SECRET, session_id)) == session_id


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_other_text_is_no_name(text: str) -> None:
    assert session_of(SECRET, text) is None


@settings(deadline=None)
@given(ids, st.integers(0, 17), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_changed_letter_spoils_the_signature(session_id: str, place: int, letter: str) -> None:
    name = preview_name(SECRET, session_id)
    index = len(name) - 1 - place
    changed = name[:index] + letter + name[index + 1 :]
    assert (session_of(SECRET, changed) is None) == (changed != name)


@pytest.mark.parametrize("session_id", ["", "A", "a_b", "-a", "a-", "a.b", "x" * 45, "a b", "ä"])
def test_odd_ids_are_refused(session_id: str) -> None:
    with pytest.raises(ValueError, match="host name"):
        preview_name(SECRET, session_id)
