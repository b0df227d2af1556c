"""Keys are read, made once, renewed, and tell nothing of themselves."""

import base64
import concurrent.futures
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.keyring import KeyRing, KeySource, UnusableKey, new_key, replace_file, seal, unseal


@given(plain=st.binary(max_size=200), bound=st.binary(max_size=50), other=st.binary(max_size=50))
def test_what_is_sealed_opens_only_where_it_is_bound(plain: bytes, bound: bytes, other: bytes) -> None:
    key = new_key()
    sealed = seal(key, plain, bound)
    assert unseal(key, sealed, bound) == plain
    assert plain == b"" or len(plain) < 4 or plain not in sealed
    for wrong in ((new_key(), sealed, bound), (key, sealed[:-1], bound), (key, b"", bound)):
        with pytest.raises(UnusableKey):
            unseal(*wrong)
    if other != bound:
        with pytest.raises(UnusableKey):
            unseal(key, sealed, other)


def test_a_flipped_bit_is_noticed() -> None:
    key = new_key()
    sealed = seal(key, b"secret", b"")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(UnusableKey):
            unseal(key, bytes(changed), b"")


@pytest.mark.parametrize("text", ["", " ", "secret", "c2hvcnQ=", base64.b64encode(bytes(31)).decode(), "é" * 44])
def test_malformed_keys_are_refused_without_showing_them(text: str) -> None:
    with pytest.raises(UnusableKey) as caught:
        KeyRing.parse(text)
    assert not text.strip() or text not in str(caught.value)


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_keys_come_in_either_alphabet(encode: object) -> None:
    keys = [b"\xff" * 32, b"\xfb" * 32]
    assert callable(encode)
    ring = KeyRing.parse(",\n".join(encode(key).decode() for key in keys))
    assert [ring.key(each) for each in ring.ids] == keys
    assert base64.b64encode(keys[0]).decode()[:8] not in repr(ring)


def test_a_file_is_made_once_by_whoever_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        rings = list(pool.map(lambda _: KeySource.file(path).ring().ids, range(16)))
    assert len(set(rings)) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["keys"]


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(KeyRing([new_key()]).text())
    path.chmod(0o644)
    KeySource.file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    source = KeySource.file(tmp_path / "keys")
    before = source.ring()
    replace_file(tmp_path / "keys", before.renewed().text())
    after = source.ring()
    assert after.current != before.current
    assert after.key(before.current) == before.key(before.current)
    assert after.only_current().ids == (after.current,)
