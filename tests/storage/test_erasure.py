"""Deleting leaves nothing: every table of the database is searched for what must be gone."""

from datetime import UTC, datetime
from decimal import Decimal

from schemas.session import ChatMessage
from storage.audit import Audit
from storage.budgets import Budgets
from storage.database import Database
from storage.erasure import Erasure, forgotten
from storage.files import Files
from storage.ledger import Ledger
from storage.lines import Lines
from storage.messages import Messages
from storage.published import PublishedSites
from storage.sessions import SessionRecord, Sessions
from tests.storage.test_ledger import record

GONE, STAYS = "session-that-goes", "session-that-stays"


async def fill(database: Database, session_id: str, user_id: str) -> None:
    await Sessions(database).create(
        SessionRecord(id=session_id, user_id=user_id, prompt=f"An app for {user_id}", mode="deterministic")
    )
    files = Files(database)
    for path, text in (("src/same.ts", "the same in both"), ("src/own.ts", f"only of {session_id}")):
        await files.put(session_id, path, text, author="model", reason="", operation_id="o")
    await Lines(database).begin(session_id, f"{session_id}_blueprint_1")
    await PublishedSites(database).publish(session_id, "d", {"index.html": f"page of {session_id}".encode()})
    await Messages(database).put(
        session_id, ChatMessage(id="m", role="user", text=f"hello {session_id}", at=datetime.now(UTC))
    )
    now = datetime.now(UTC)
    await Ledger(database).settle(record(session_id=session_id, user_id=user_id, price=Decimal(2), started_at=now))
    await Audit(database).record("session_shared", "done", actor=user_id, subject=session_id)
    budgets = Budgets(database)
    await budgets.set(user_id, "user", {"day": Decimal(4)})
    await budgets.set_of_session(session_id, Decimal(3))
    await budgets.claim_notices(user_id, session_id)
    await database.pool.execute(
        "INSERT INTO working_sessions VALUES ($1, $2, now() + interval '1 hour')", session_id, user_id
    )


async def mentions(database: Database, text: str) -> list[str]:
    """The tables with a row that holds `text` anywhere."""
    tables = await database.pool.fetch(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    )
    found = []
    for (table,) in tables:
        plain = await database.pool.fetchval(
            f'SELECT EXISTS (SELECT FROM "{table}" AS t WHERE strpos(t::text, $1) > 0)', text
        )
        raw = table == "blobs" and await database.pool.fetchval(
            "SELECT EXISTS (SELECT FROM blobs WHERE strpos(encode(content, 'escape'), $1) > 0)", text
        )
        if plain or raw:
            found.append(table)
    return found


async def test_a_deleted_session_is_nowhere(database: Database) -> None:
    await fill(database, GONE, "ada")
    await fill(database, STAYS, "bob")
    assert len(await mentions(database, GONE)) >= 8
    await Erasure(database).session(GONE)
    await Erasure(database).session(GONE)
    assert await mentions(database, GONE) == []
    assert (await Budgets(database).of("ada"))[1].spent_usd == 2, "what was spent stays spent"
    subjects = [entry.subject for entry in await Audit(database).list(10)]
    assert sorted(map(str, subjects)) == sorted((forgotten(GONE), STAYS)), "what was done with it stays one story"
    files = await Files(database).contents(STAYS)
    assert files == {"src/same.ts": "the same in both", "src/own.ts": f"only of {STAYS}"}
    manifest = await PublishedSites(database).manifest(STAYS)
    assert manifest is not None and await PublishedSites(database).content(manifest["index.html"])


async def test_a_deleted_user_is_nowhere(database: Database) -> None:
    await fill(database, GONE, "ada-lovelace")
    await fill(database, STAYS, "bob")
    await Erasure(database).session(GONE)
    await Erasure(database).user("ada-lovelace")
    assert await mentions(database, "ada-lovelace") == []
    assert (await Budgets(database).of("bob"))[1].spent_usd == 2
