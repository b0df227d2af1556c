"""What an operator does from a terminal."""

import asyncio
import json
import re
from pathlib import Path

import asyncpg
import pytest

from api.key_holders import hash_of
from stich.cli import main
from stich.cli_up import take_mails


@pytest.fixture
def terminal(
    database_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> "Terminal":
    for name, value in {
        "DATABASE_URL": database_dsn,
        "STICH_HOME": str(tmp_path),
        "STICH_AUTH": "accounts",
        "STICH_PUBLIC_URL": "https://stich.example.org",
    }.items():
        monkeypatch.setenv(name, value)
    return Terminal(capsys, database_dsn)


class Terminal:
    """Runs commands in this process against one database."""

    def __init__(self, capsys: pytest.CaptureFixture[str], dsn: str) -> None:
        self._capsys = capsys
        self._dsn = dsn

    async def __call__(self, *arguments: str) -> str:
        """What a command printed that went well."""
        status = await asyncio.to_thread(main, list(arguments))
        shown = self._capsys.readouterr()
        assert status == 0, shown.err
        return shown.out

    async def refused(self, *arguments: str) -> str:
        status = await asyncio.to_thread(main, list(arguments))
        shown = self._capsys.readouterr()
        assert status == 1 and shown.out == ""
        return shown.err

    async def query(self, statement: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self._dsn)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(statement)
            return rows
        finally:
            await connection.close()


async def test_a_key_is_made_for_somebody_s_programs(terminal: Terminal) -> None:
    await terminal("users", "add", "ada@example.org")
    key = (await terminal("users", "key", "ada@example.org", "--name", "ci", "--days", "7")).strip()
    assert re.fullmatch(r"stk_[0-9a-f]{48}", key)
    (row,) = await terminal.query("SELECT name, scopes, hash, expires_at - now() < '8 days' AS soon FROM api_keys")
    assert (row["name"], row["scopes"], row["soon"]) == ("ci", ["read", "sessions:write"], True)
    assert row["hash"] == hash_of(key)
    assert "operator" in await terminal.refused("users", "key", "ada@example.org", "--scope", "operator")
    assert "no user" in await terminal.refused("users", "key", "eve@example.org")
    shown = await terminal("audit", "--json")
    assert "api_key_made" in shown and key not in shown


async def test_users_are_added_listed_and_changed(terminal: Terminal) -> None:
    shown = await terminal("users", "add", "--operator", "Ada@Example.org")
    link = re.search(r"https://stich\.example\.org/sign-in#reset=([\w-]{43})", shown)
    assert link is not None
    assert link[1] not in str(await terminal.query("SELECT * FROM one_time_tokens"))
    assert "already" in await terminal.refused("users", "add", "ada@example.org")
    assert "not an e-mail address" in await terminal.refused("users", "add", "ada")
    assert re.search(r"user-\w+ +operator .* ada@example.org", await terminal("users", "list"))
    await terminal("users", "role", "ada@example.org", "user")
    await terminal("users", "disable", "ada@example.org")
    assert re.search(r"user-\w+ +disabled .* ada@example.org", await terminal("users", "list"))
    await terminal("users", "enable", "ada@example.org")
    assert re.search(r"user-\w+ +user .* ada@example.org", await terminal("users", "list"))
    assert "#reset=" in await terminal("users", "link", "ada@example.org")
    assert "no user" in await terminal.refused("users", "disable", "bob@example.org")


async def test_what_was_done_at_a_terminal_is_in_the_audit_log(terminal: Terminal) -> None:
    await terminal("users", "add", "ada@example.org")
    await terminal("users", "disable", "ada@example.org")
    await terminal("keys", "rotate")
    assert [line.split()[3] for line in (await terminal("audit")).splitlines()] == [
        "user_added",
        "user_disabled",
        "signing_keys_rotated",
    ]
    only = (await terminal("audit", "--json", "--user", "ada@example.org", "--limit", "1")).splitlines()
    (entry,) = [json.loads(line) for line in only]
    assert entry["act"] == "user_disabled" and entry["detail"]["terminal_of"]
    assert "ada@example.org" not in await terminal("audit", "--json")


async def test_rotating_keys_keeps_the_older_ones_unless_one_was_stolen(terminal: Terminal) -> None:
    for _ in range(2):
        await terminal("keys", "rotate")
    assert len(await terminal.query("SELECT id FROM signing_keys")) == 2
    await terminal("keys", "rotate", "--now")
    assert len(await terminal.query("SELECT id FROM signing_keys")) == 1


async def test_without_a_database_a_sentence_says_what_to_do(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    assert "stich is not running on this home" in await terminal.refused("users", "list")


def test_mails_without_a_server_are_taken_once(tmp_path: Path) -> None:
    (tmp_path / "2.txt").write_text("second")
    (tmp_path / "1.txt").write_text("first")
    (tmp_path / ".3").write_text("half")
    assert take_mails(tmp_path) == ["first", "second"]
    assert take_mails(tmp_path) == [] == take_mails(tmp_path / "nowhere")
