"""Deleting a user leaves nothing of the user in any table, and everything of others. The whole database is searched."""

import pytest

from storage.database import Database
from storage.erasure import GONE, Erasure, SessionsLeft
from tests.storage.planting import NOBODYS, mentions, plant, tables

WHO, OWN, MARK = "user-who-goes", "session-of-who-goes", "canary-7f3a"
NAME = "name-of-who-goes"
OTHER, THEIRS, KEPT = "user-who-stays", "session-of-who-stays", "other-9b1c"
IN_THEIRS = frozenset({"events", "file_versions", "file_conflicts", "messages", "session_shares", "operations"})


async def test_every_table_is_planted_and_nothing_is_left(database: Database) -> None:
    await plant(database, WHO, OWN, MARK)
    planted = {table for text in (WHO, OWN, MARK) for table in await mentions(database, text)}
    assert planted >= set(await tables(database)) - NOBODYS
    await Erasure(database).session(OWN)
    assert set(await mentions(database, OWN)) <= {"sign_ins", "refresh_tokens", "images"}
    await Erasure(database).user(WHO)
    await Erasure(database).user(WHO)
    assert await mentions(database, WHO) == await mentions(database, OWN) == []
    # The ledger and the audit log keep what happened, without a name; a planted row has its mark in every text.
    assert set(await mentions(database, MARK)) <= {"model_attempts", "audit_log"}


async def test_what_was_done_in_sessions_of_others_stays_without_a_name(database: Database) -> None:
    await plant(database, OTHER, THEIRS, KEPT)
    await plant(
        database, WHO, OWN, MARK, only=frozenset({"users", "vault_user_keys", "vault_secrets", "images", "blobs"})
    )
    await database.pool.execute("INSERT INTO users (id, email, name) VALUES ('user-third', 't@x.example', 'T')")
    before = {table: await database.pool.fetchval(f'SELECT count(*) FROM "{table}"') for table in IN_THEIRS}
    await database.pool.execute("DELETE FROM messages")
    await plant(database, WHO, THEIRS, KEPT + "-by-guest", only=IN_THEIRS - {"file_conflicts"})
    await database.pool.execute(
        "UPDATE sessions SET progress = $1 WHERE id = $2",
        f'{{"messages": [{{"author": "{WHO}", "author_name": "Ada \\"L\\" {NAME}", "text": "hi"}}]}}',
        THEIRS,
    )
    await database.pool.execute(
        f"""UPDATE webhook_deliveries SET data = '{{"message":{{"author":"{WHO}","author_name":"{NAME}"}}}}'"""
    )
    await database.pool.execute("INSERT INTO message_images VALUES ($1, 'by-guest', 1, $2)", THEIRS, f"img-{OWN}")
    await Erasure(database).user(WHO)
    assert await mentions(database, WHO) == []
    found = await database.pool.fetchrow("SELECT author, text FROM messages WHERE session_id = $1", THEIRS)
    assert found is not None and found["author"] == GONE and KEPT in found["text"]
    versions = await database.pool.fetch("SELECT user_id FROM file_versions WHERE session_id = $1", THEIRS)
    assert sorted(row["user_id"] for row in versions) == [GONE, OTHER]
    progress = await database.pool.fetchval("SELECT progress FROM sessions WHERE id = $1", THEIRS)
    assert NAME not in progress and '"text": "hi"' in progress
    assert await database.pool.fetchval("SELECT user_id FROM images WHERE id = $1", f"img-{OWN}") == GONE
    shared = await database.pool.fetch("SELECT user_id FROM session_shares WHERE session_id = $1", THEIRS)
    assert [row["user_id"] for row in shared] == [OTHER]
    assert before["operations"] == 1
    assert await mentions(database, NAME) == []


async def test_a_user_with_sessions_is_not_deleted(database: Database) -> None:
    await plant(database, WHO, OWN, MARK)
    with pytest.raises(SessionsLeft):
        await Erasure(database).user(WHO)
    assert await database.pool.fetchval("SELECT true FROM users WHERE id = $1", WHO)
