"""The end of data: everything of a session, or of a user, in every table that holds some.

Which tables those are is read from the database itself, so that one that is added later is not forgotten. What stays:
the ledger's rows of a session without anything that tells which it was, because budgets count them; and the audit log,
which forgets who a deleted user and which a deleted session was.
"""

import hashlib
import re
from typing import Final

from storage.database import Connection, Database

_KEPT: Final = ("model_attempts", "audit_log")
_BLOB_COLUMNS: Final = {
    "file_versions": ("sha256", "given_sha256"),
    "screenshots": ("sha256",),
    "file_conflicts": ("base_sha256", "mine_sha256"),
    "images": ("sha256",),
}

GONE: Final = "deleted"
"""In the place of the id of a user who is deleted."""

_PERSON: Final = ("user_id", "author")
"""Names of columns that say whose something in a session is."""
_THEIR_SESSIONS: Final = (("file_versions", "user_id"), ("file_conflicts", "user_id"), ("messages", "author"))
"""What a user did in a session of somebody else, which stays in it."""
_JSON_OF_SESSIONS: Final = """
    SELECT c.table_name, c.column_name, c.udt_name FROM information_schema.columns c
    JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.table_name <> ALL ($1)
      AND (c.udt_name IN ('json', 'jsonb') OR c.column_name = 'data')
      AND (c.table_name = 'sessions' OR EXISTS (
        SELECT FROM information_schema.columns o
        WHERE o.table_schema = c.table_schema AND o.table_name = c.table_name AND o.column_name = 'session_id'))"""


def forgotten(session_id: str) -> str:
    """What stands for a deleted session in the audit log: the same for all that was done with it, found by who knows
    its id, and no way back to the id."""
    return f"{GONE}-{hashlib.sha256(session_id.encode()).hexdigest()[:16]}"


class SessionsLeft(Exception):
    """The user has sessions, which are to be deleted first."""


class Erasure:
    """Deletes for good. Everything here may be repeated."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def session(self, session_id: str) -> None:
        """Delete a session with its candidates, its pictures and every content that nobody else refers to."""
        async with self._database.transaction() as connection:
            names = [session_id, *await _lines(connection, session_id)]
            await _forget_calls(connection, session_id)
            images = await connection.fetch(
                """SELECT image_id FROM message_images WHERE session_id = ANY ($1)
                   AND image_id NOT IN (SELECT image_id FROM message_images WHERE session_id <> ALL ($1))""",
                names,
            )
            blobs = await _blobs_of(connection, names, [row["image_id"] for row in images])
            for table in await _tables_with(connection, "session_id"):
                await connection.execute(f'DELETE FROM "{table}" WHERE session_id = ANY ($1)', names)
            await connection.execute("DELETE FROM budgets WHERE scope = 'session' AND owner = $1", session_id)
            await connection.execute("DELETE FROM images WHERE id = ANY ($1)", [row["image_id"] for row in images])
            await connection.execute(
                "UPDATE audit_log SET subject = $2 WHERE subject = $1", session_id, forgotten(session_id)
            )
            await connection.execute("DELETE FROM sessions WHERE id = $1", session_id)
            await _drop_unused(connection, blobs)

    async def user(self, user_id: str) -> None:
        """Delete a user whose sessions are deleted already. The ledger keeps their calls without a name; what they said
        and changed in sessions of others stays there, as somebody's who left; the audit log keeps what was done, not by
        whom or from where. Raises SessionsLeft."""
        async with self._database.transaction() as connection:
            if await connection.fetchval("SELECT true FROM sessions WHERE user_id = $1 LIMIT 1", user_id):
                raise SessionsLeft(user_id)
            blobs = await _leave_sessions_of_others(connection, user_id)
            await connection.execute("UPDATE model_attempts SET user_id = NULL WHERE user_id = $1", user_id)
            await connection.execute(
                "DELETE FROM one_time_tokens WHERE email = (SELECT email FROM users WHERE id = $1)", user_id
            )
            for table in await _tables_with(connection, "user_id"):
                await connection.execute(f'DELETE FROM "{table}" WHERE user_id = $1', user_id)
            await connection.execute("DELETE FROM budgets WHERE scope = 'user' AND owner = $1", user_id)
            await connection.execute("DELETE FROM rate_limits WHERE $1 = ANY (string_to_array(key, ':'))", user_id)
            await connection.execute(_FORGET_ACTOR, user_id, GONE)
            await connection.execute("DELETE FROM users WHERE id = $1", user_id)
            await _drop_unused(connection, blobs)


_FORGET_ACTOR: Final = """
    UPDATE audit_log SET address = CASE WHEN actor = $1 OR subject = $1 THEN '' ELSE address END,
      actor = CASE WHEN actor = $1 THEN $2 ELSE actor END, subject = CASE WHEN subject = $1 THEN $2 ELSE subject END,
      detail = CASE
        WHEN actor = $1 THEN (detail::jsonb - 'repository')::json  -- which names the account that it is of
        ELSE replace(detail::text, to_json($1::text)::text, to_json($2::text)::text)::json END
    WHERE actor = $1 OR subject = $1 OR strpos(detail::text, to_json($1::text)::text) > 0"""


async def _leave_sessions_of_others(connection: Connection, user_id: str) -> set[str]:
    """Take the user's name from what is in sessions of others. Returns the pictures' contents that nobody shows."""
    sessions: set[str] = set()
    for column in _PERSON:
        for table in await _tables_with(connection, column):
            if await _has_column(connection, table, "session_id"):
                rows = await connection.fetch(f'SELECT DISTINCT session_id FROM "{table}" WHERE {column} = $1', user_id)
                sessions.update(row["session_id"] for row in rows)
    # Commits hold the names and addresses of who pushed them; without them the branch is written from the versions.
    await connection.execute(
        """DELETE FROM git_commits WHERE session_id = ANY ($1)
           AND session_id IN (SELECT session_id FROM file_versions WHERE user_id = $2)""",
        list(sessions),
        user_id,
    )
    for table, column in _THEIR_SESSIONS:
        await connection.execute(f"UPDATE {table} SET {column} = $2 WHERE {column} = $1", user_id, GONE)
    for table, column, kind in await connection.fetch(_JSON_OF_SESSIONS, list(_KEPT)):
        name = "id" if table == "sessions" else "session_id"
        await connection.execute(
            f"""UPDATE "{table}" SET "{column}" = replace(regexp_replace("{column}"::text, $3, '\\1null', 'g'),
                  $2, $4)::{kind}
                WHERE {name} = ANY ($1) AND strpos("{column}"::text, $2) > 0""",
            list(sessions),
            f'"{user_id}"',
            rf'("author": ?"{re.escape(user_id)}", ?"author_name": ?)"([^"\\]|\\.)*"',
            f'"{GONE}"',
        )
    await connection.execute(
        """UPDATE images SET user_id = $2 WHERE user_id = $1
           AND EXISTS (SELECT FROM message_images m WHERE m.image_id = images.id)""",
        user_id,
        GONE,
    )
    rows = await connection.fetch("SELECT sha256 FROM images WHERE user_id = $1", user_id)
    return {row["sha256"] for row in rows}


async def _lines(connection: Connection, session_id: str) -> list[str]:
    """Names of the session's candidates, which are kept like sessions of their own."""
    rows = await connection.fetch(
        "SELECT session_id FROM file_heads WHERE starts_with(session_id, $1 || '_')", session_id
    )
    return [row["session_id"] for row in rows]


async def _forget_calls(connection: Connection, session_id: str) -> None:
    """Keep what the session's calls cost, and nothing that tells which session it was."""
    await connection.execute(
        """UPDATE model_attempts
           SET session_id = 'deleted', operation_id = gen_random_uuid()::text, context_parts = '{}'
           WHERE session_id = $1""",
        session_id,
    )


async def _tables_with(connection: Connection, column: str) -> list[str]:
    rows = await connection.fetch(
        """SELECT c.table_name FROM information_schema.columns c
           JOIN information_schema.tables t USING (table_schema, table_name)
           WHERE c.table_schema = current_schema() AND c.column_name = $1 AND t.table_type = 'BASE TABLE'
             AND c.table_name <> ALL ($2) ORDER BY c.table_name""",
        column,
        list(_KEPT),
    )
    return [row["table_name"] for row in rows]


async def _has_column(connection: Connection, table: str, column: str) -> bool:
    return table in await _tables_with(connection, column)


async def _blobs_of(connection: Connection, names: list[str], image_ids: list[str]) -> set[str]:
    """Contents that the session refers to."""
    found: set[str] = set()
    for table, columns in _BLOB_COLUMNS.items():
        condition, values = ("id", image_ids) if table == "images" else ("session_id", names)
        for column in columns:
            rows = await connection.fetch(
                f"SELECT DISTINCT {column} AS name FROM {table} WHERE {condition} = ANY ($1) AND {column} IS NOT NULL",
                values,
            )
            found.update(row["name"] for row in rows)
    rows = await connection.fetch(
        "SELECT DISTINCT jsonb_path_query(files, '$.*') #>> '{}' AS name FROM published_sites"
        " WHERE session_id = ANY ($1)",
        names,
    )
    return found | {row["name"] for row in rows}


async def _drop_unused(connection: Connection, blobs: set[str]) -> None:
    """Delete those contents that nothing refers to any more."""
    used = " ".join(
        f"AND NOT EXISTS (SELECT FROM {table} WHERE {column} = blobs.sha256)"
        for table, columns in _BLOB_COLUMNS.items()
        for column in columns
    )
    await connection.execute(
        f"""DELETE FROM blobs WHERE sha256 = ANY ($1) {used}
            AND sha256 NOT IN (SELECT jsonb_path_query(files, '$.*') #>> '{{}}' FROM published_sites)""",
        sorted(blobs),
    )
