"""Rows in every table of the database, made from the tables' own description: a table or a column that is added later
is planted too, or its rule has to be written here."""

import itertools
from collections.abc import Mapping
from typing import Final

import asyncpg

from storage.database import Database

NOBODYS: Final = {
    "blobs",
    "installation",
    "provider_breakers",
    "sandbox_hosts",
    "schema_migrations",
    "sign_in_attempts",
    "signing_keys",
}
"""Tables that hold nothing of anybody: attempts are kept by digests, and contents, in `blobs`, come with the rows
that refer to them."""

# What a column holds where a text would not do. {who}, {session}, {mark} and {n} are filled in.
_VALUES: Final[Mapping[str, str]] = {
    "user_id": "'{who}'",
    "author": "'{who}'",
    "actor": "'{who}'",
    "subject": "'{who}'",
    "session_id": "'{session}'",
    "users.id": "'{who}'",
    "users.email": "'{who}@mark.example'",
    "users.role": "'user'",
    "one_time_tokens.purpose": "'reset'",
    "one_time_tokens.email": "'{who}@mark.example'",
    "sessions.id": "'{session}'",
    "sessions.mode": "'smart'",
    "sessions.state": "'completed'",
    "images.id": "'img-{session}'",
    "sign_ins.id": "'in-{session}'",
    "sign_ins.client": "'program'",
    "share_links.access": "'view'",
    "session_shares.access": "'view'",
    "session_shares.link_id": "''",
    "budgets.scope": "'user'",
    "budgets.owner": "'{who}'",
    "budgets.kind": "'day'",
    "budgets.set_by": "'user'",
    "budget_notices.owner": "'{who}'",
    "audit_log.outcome": "'done'",
    "model_attempts.outcome": "'succeeded'",
    "model_attempts.credential": "'platform'",
    "rate_limits.key": "'calls:{who}'",
    "file_versions.author": "'user'",
    "api_keys.scopes": "ARRAY['read']",
}
_OF_KIND: Final[Mapping[str, str]] = {
    "text": "'{mark} {n}'",
    "bytea": "convert_to('{mark} {n}', 'UTF8')",
    "json": """'{{"author": "{who}", "author_name": "Mark {mark}", "text": "{mark}"}}'""",
    "jsonb": """'{{"author": "{who}", "text": "{mark}"}}'""",
    "_text": "ARRAY['{mark}']",
    "bool": "true",
    "timestamptz": "now()",
    "uuid": "gen_random_uuid()",
    "float8": "1",
    "int2": "1",
    "int4": "{n}",
    "int8": "{n}",
    "numeric": "1",
}
_CONTENTS: Final = ("sha256", "given_sha256")
_REFERENCES: Final = """
    SELECT c.conrelid::regclass::text AS table, a.attname AS column, c.confrelid::regclass::text AS other,
      b.attname AS other_column
    FROM pg_constraint c
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
    JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = c.confkey[1]
    WHERE c.contype = 'f' AND cardinality(c.conkey) = 1"""
_CHOICES: Final = r"""
    SELECT conrelid::regclass::text AS table, found[1] AS column, found[2] AS choice
    FROM pg_constraint, regexp_match(pg_get_constraintdef(oid), $q$\(\((\w+) = ANY \(ARRAY\['([^']+)$q$) AS found
    WHERE contype = 'c' AND found IS NOT NULL"""
_numbers = itertools.count(1)


async def tables(database: Database) -> list[str]:
    """Every table."""
    rows = await database.pool.fetch(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    )
    return [row["table_name"] for row in rows]


async def plant(database: Database, who: str, session: str, mark: str, *, only: frozenset[str] | None = None) -> None:
    """A row about `who` and `session` in every table, or in those named, with `mark` wherever a text can stand."""
    choices = {(row["table"], row["column"]): row["choice"] for row in await database.pool.fetch(_CHOICES)}
    references = {(row["table"], row["column"]): row for row in await database.pool.fetch(_REFERENCES)}
    left = {name for name in await tables(database) if name not in NOBODYS and (only is None or name in only)}
    while left:
        waiting = {table for (table, _), row in references.items() if row["other"] in left and row["other"] != table}
        ready = sorted(left - waiting)
        assert ready, f"{left} refer to each other"
        for table in ready:
            filled = {"who": who, "session": session, "mark": mark, "n": str(next(_numbers))}
            await _plant(database, table, filled, references, choices)
        left -= set(ready)


async def _plant(
    database: Database,
    table: str,
    filled: Mapping[str, str],
    references: Mapping[tuple[str, str], asyncpg.Record],
    choices: Mapping[tuple[str, str], str],
) -> None:
    columns = await database.pool.fetch(
        """SELECT column_name, udt_name FROM information_schema.columns
           WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER' AND is_identity = 'NO'""",
        table,
    )
    values = {}
    for name, kind in columns:
        rule = _VALUES.get(f"{table}.{name}") or _VALUES.get(name)
        if rule is None and (table, name) in choices:
            rule = f"'{choices[table, name]}'"
        refers = references.get((table, name))
        if rule is None and refers is not None and refers["other"] != "blobs":
            newest = f'SELECT "{refers["other_column"]}" FROM "{refers["other"]}" ORDER BY ctid DESC LIMIT 1'
            rule = f"'{await database.pool.fetchval(newest)}'"
        elif rule is None and kind == "text" and (refers is not None or name in _CONTENTS):
            content = await _content(database, " ".join((filled["mark"], name, filled["n"])))
            rule = f"'{content}'"
        if name == "data":
            rule = _OF_KIND["json"]
        if (table, name) == ("published_sites", "files"):
            content = await _content(database, " ".join((filled["mark"], name, filled["n"])))
            rule = f"""'{{{{"index.html": "{content}"}}}}'"""
        values[name] = (rule or _OF_KIND[kind]).format(**filled)
    names = ", ".join(f'"{name}"' for name in values)
    await database.pool.execute(f'INSERT INTO "{table}" ({names}) VALUES ({", ".join(values.values())})')


async def _content(database: Database, text: str) -> str:
    """The name of a content of a row's own."""
    name: str = await database.pool.fetchval(
        """INSERT INTO blobs (sha256, content, size)
           VALUES (encode(sha256(convert_to($1, 'UTF8')), 'hex'), convert_to($1, 'UTF8'), 1) RETURNING sha256""",
        text,
    )
    return name


async def mentions(database: Database, text: str) -> list[str]:
    """The tables with a row that holds `text` anywhere, in bytes too."""
    found = []
    for table in await tables(database):
        as_hex = text.encode().hex()
        if await database.pool.fetchval(
            f'SELECT EXISTS (SELECT FROM "{table}" AS t WHERE strpos(t::text, $1) > 0 OR strpos(t::text, $2) > 0)',
            text,
            as_hex,
        ):
            found.append(table)
    return found
