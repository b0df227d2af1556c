"""What is handed over to a person comes from every table that holds something of people or of their sessions."""

import json
import re
from typing import Final

from storage.database import Database
from storage.personal import ABOUT, OF_SESSION, Personal
from tests.storage.planting import NOBODYS, plant, tables

WHO, SESSION, MARK = "user-ada", "session-of-ada", "canary-2c9e"
READ_ELSEWHERE: Final = {"images", "message_images", "model_traffic"}
"""Pictures are handed over themselves, and answers opened."""
LEFT_OUT: Final = {
    "refresh_tokens": "secrets",
    "one_time_tokens": "secrets",
    "vault_user_keys": "secrets",
    "rate_limits": "what counts in the moment only",
    "watchers": "what counts in the moment only",
    "working_sessions": "what counts in the moment only",
    "sandbox_waits": "what counts in the moment only",
    "budget_changes": "what counts in the moment only",
    "event_heads": "numbers that follow from what is handed over",
    "event_writers": "numbers that follow from what is handed over",
    "file_heads": "numbers that follow from what is handed over",
    "message_ids": "digests of messages, which are handed over",
    "session_hosts": "where the service has the session",
}


async def test_every_table_is_handed_over(database: Database) -> None:
    read = set(re.findall(r"(?:FROM|JOIN)\s+(\w+)", " ".join((*ABOUT.values(), *OF_SESSION.values()))))
    assert set(await tables(database)) - NOBODYS == read | READ_ELSEWHERE | set(LEFT_OUT)
    assert not read & set(LEFT_OUT)


async def test_of_a_session_all_lists_have_something(database: Database) -> None:
    await plant(database, WHO, SESSION, MARK)
    await database.pool.execute("UPDATE events SET chunk_of = NULL")
    personal = Personal(database)
    for name in OF_SESSION:
        lines = [json.loads(line) async for line in personal.of_session(name, SESSION)]
        assert lines, name
        assert [line async for line in personal.of_session(name, "another")] == []
    for name in ABOUT:
        assert [json.loads(line) async for line in personal.about(name, WHO)] or name.endswith("-elsewhere"), name
        assert [line async for line in personal.about(name, "another")] == []
    texts = {
        await database.pool.fetchval("SELECT convert_from(content, 'UTF8') FROM blobs WHERE sha256 = $1", sha256)
        for sha256 in await personal.contents(SESSION)
    }
    kinds = {re.sub(rf"{MARK} | \d+", "", text) for text in texts}
    assert kinds == {"sha256", "given_sha256", "mine_sha256", "files"}
