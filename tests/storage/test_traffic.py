"""What models answered is sealed, bounded, erased with its session and dropped in time."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.inference import AttemptRecord
from schemas.traffic import RecordedAnswer
from storage import traffic
from storage.database import Database
from storage.erasure import Erasure
from storage.keyring import KeyRing, KeySource, new_key
from storage.traffic import Traffic
from storage.vault import Vault, VaultLocked
from tests.storage.test_ledger import record

ANSWER = RecordedAnswer(action="blueprint", fingerprint="f" * 64, provider="p", model="m", text="A canary sings. " * 9)


@pytest.fixture
def vault(database: Database) -> Vault:
    return Vault(database, KeySource.given(KeyRing([new_key()]).text()))


def attempt(number: int = 0, session_id: str = "s-1") -> AttemptRecord:
    return record(session_id=session_id, call_number=number, user_id="u-1", started_at=datetime.now(UTC))


async def test_an_answer_is_kept_once_and_sealed(database: Database, vault: Vault) -> None:
    kept = Traffic(database, vault)
    assert await kept.put(attempt(), ANSWER)
    assert not await kept.put(attempt(), ANSWER.model_copy(update={"text": "another"}))
    [entry] = await kept.of_session("s-1")
    assert entry.answer == ANSWER
    assert b"canary" not in await database.pool.fetchval("SELECT sealed FROM model_traffic")
    stranger = Traffic(database, Vault(database, KeySource.given(KeyRing([new_key()]).text())))
    with pytest.raises(VaultLocked):
        await stranger.of_session("s-1")
    await database.pool.execute("UPDATE model_traffic SET session_id = 's-2'")
    with pytest.raises(VaultLocked):
        await kept.of_session("s-2")  # moved to another session it does not open
    await vault.forget_user("u-1")
    with pytest.raises(VaultLocked):
        await kept.of_session("s-2")


async def test_it_is_bounded(database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Traffic(database, vault)
    monkeypatch.setattr(traffic, "LARGEST_ANSWER", 1_000)
    assert not await kept.put(attempt(), ANSWER.model_copy(update={"text": "x" * 1_000}))
    monkeypatch.setattr(traffic, "LARGEST_SESSION", 1)
    assert await kept.put(attempt(1), ANSWER)
    assert not await kept.put(attempt(2), ANSWER)
    assert await kept.put(attempt(2, "s-2"), ANSWER)


async def test_it_goes_with_its_session_and_with_time(database: Database, vault: Vault) -> None:
    kept = Traffic(database, vault)
    for session_id in ("s-1", "s-2"):
        await kept.put(attempt(session_id=session_id), ANSWER)
    await Erasure(database).session("s-1")
    assert await kept.of_session("s-1") == []
    await kept.forget_old()
    assert len(await kept.of_session("s-2")) == 1
    old = traffic.KEPT + timedelta(hours=1)
    await database.pool.execute("UPDATE model_traffic SET ended_at = ended_at - $1::interval", old)
    await kept.forget_old()
    assert await kept.of_session("s-2") == []
