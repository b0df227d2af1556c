"""Keys that users bring into files by an edit or a push are told, once, and never repeated."""

from typing import Any

import orjson
import pytest

from storage.database import Database
from storage.edits import Edits
from storage.files import Files
from storage.git import Commit, Git, Pushed
from tests.schemas.test_secrets import KEYS

S = "session-1"
KEY = KEYS["OpenAI key"]
TEXT = f"const a = 1;\nconst key = '{KEY}';\n"


async def told(database: Database) -> list[dict[str, Any]]:
    rows = await database.pool.fetch("SELECT data FROM events WHERE session_id = $1 AND type = 'error'", S)
    return [orjson.loads(row["data"]) for row in rows]


async def test_an_edit_that_brings_a_key_says_so_once(database: Database) -> None:
    edits = Edits(database)

    async def write(content: str, base: str | None, name: str) -> tuple[list[str], str]:
        result = await edits.write(S, "src/a.ts", content, base_sha256=base, user_id="u", operation_id=name)
        assert result.file is not None
        return [one.kind for one in result.secrets], result.file.sha256

    found, sha256 = await write(TEXT, None, "edit-1")
    assert found == ["OpenAI key"]
    found, _ = await write("// more\n" + TEXT, sha256, "edit-2")
    assert found == []
    (event,) = await told(database)
    assert event["code"] == "secret_in_file" and "src/a.ts" in event["sentence"] and "line 2" in event["sentence"]
    assert "under your keys" in event["next_action"]
    assert event["secrets"] == [{"kind": "OpenAI key", "provider": "openai", "hint": f"…{KEY[-4:]}"}], "for the vault"
    assert KEY[:-4] not in str(event)


async def test_a_merged_edit_is_looked_at_too(database: Database) -> None:
    files, edits = Files(database), Edits(database)
    base = await files.put(S, "a.ts", "1\n2\n3\n4\n5\n", author="model", reason="", operation_id="o1")
    await files.put(S, "a.ts", "one\n2\n3\n4\n5\n", author="model", reason="", operation_id="o2")
    result = await edits.write(
        S, "a.ts", f"1\n2\n3\n4\n'{KEY}'\n", base_sha256=base.sha256, user_id="u", operation_id="edit-1"
    )
    assert (result.outcome, [one.line for one in result.secrets]) == ("merged", [5])


@pytest.mark.parametrize("known", [False, True])
async def test_a_push_that_brings_a_key_says_so(database: Database, known: bool) -> None:
    before = TEXT if known else "const a = 1;\n"
    version = await Files(database).put(S, "src/a.ts", before, author="model", reason="", operation_id="o1")
    git = Git(database)
    assert await git.add(S, 0, [Commit(version.version, "a" * 40, b"")])
    pushed = Pushed("b" * 40, b"", "Use the key", {"src/a.ts": "// new\n" + TEXT})
    assert await git.push(S, 1, [pushed], "u")
    assert [event["code"] for event in await told(database)] == ([] if known else ["secret_in_file"])
