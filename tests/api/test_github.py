"""A session's repository goes to GitHub, again and again, with the user's token from the vault and nothing else."""

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from pydantic import SecretStr
from temporalio.client import Client

from stich.client import StichClient
from storage.database import Database
from storage.files import Files
from storage.sessions import SessionRecord, Sessions
from tests.api.conftest import TOKEN as SIGNED_IN
from tests.api.conftest import Service, bound_socket, running, serve
from tests.api.github_server import TOKEN, GithubServer

SESSION = "session-for-github"


class Place(NamedTuple):
    service: Service
    github: GithubServer
    files: Files

    async def write(self, number: int) -> None:
        """A version of the project."""
        await self.files.put(
            SESSION, "src/App.tsx", f"version {number}\n", author="model", reason=f"Step {number}",
            operation_id=f"step-{number}",
        )  # fmt: skip

    async def export(self, repository: str = "ada/board", **more: Any) -> httpx.Response:
        body = {"repository": repository, **more}
        return await self.service.signed_in.post(f"/api/sessions/{SESSION}/github", json=body)


@pytest.fixture
async def place(database: Database, temporal: Client, tmp_path: Path) -> AsyncIterator[Place]:
    github = GithubServer(tmp_path)
    async with serve(github.app, bound_socket()) as url, running(database, temporal, github_api=url) as service:
        record = SessionRecord(id=SESSION, prompt="A board", mode="deterministic", title="Board")
        await Sessions(database).create(record)
        yield Place(service, github, Files(database))


def log(path: Path, branch: str = "main") -> list[str]:
    subprocess.run(["git", "-C", str(path), "fsck", "--strict"], check=True, capture_output=True)
    done = subprocess.run(
        ["git", "-C", str(path), "log", "--format=%s", branch], check=True, capture_output=True, text=True
    )
    return done.stdout.splitlines()


async def test_a_session_is_pushed_and_pushed_again(place: Place) -> None:
    assert (await place.export()).json()["code"] == "github_token_missing"
    async with StichClient(place.service.url, SIGNED_IN) as program:
        put = await program.put_github_token(SecretStr(TOKEN))
    assert put.model_dump() == {"stored": True, "login": "ada", "hint": f"…{TOKEN[-4:]}"}
    assert (await place.export()).json()["code"] == "file_not_found"
    await place.write(1)
    await place.write(2)
    assert (await place.export()).json()["code"] == "github_repository_not_found"
    made = (await place.export(create=True)).json()
    assert (made["pushed"], made["created"]) == (2, True)
    assert made["url"].endswith("/ada/board")
    assert log(place.github.path("ada/board")) == ["Step 2", "Step 1"]
    again = (await place.export(create=True)).json()
    assert (again["pushed"], again["created"], again["commit"]) == (0, False, made["commit"])
    await place.write(3)
    assert (await place.export()).json()["pushed"] == 1
    assert log(place.github.path("ada/board"))[0] == "Step 3"
    other = (await place.export("makers/board", create=True, branch="from/stich")).json()
    assert other["pushed"] == 3 and other["url"].endswith("/makers/board/tree/from/stich")
    assert len(log(place.github.path("makers/board"), "from/stich")) == 3


async def test_what_others_committed_there_stays(place: Place, tmp_path: Path) -> None:
    await place.service.signed_in.put("/api/github/token", json={"token": TOKEN})
    await place.write(1)
    await place.export(create=True)
    commit_elsewhere(place.github.path("ada/board"), tmp_path / "work")
    await place.write(2)
    refused = await place.export()
    assert (refused.status_code, refused.json()["code"]) == (422, "github_refused")
    assert "does not have" in refused.json()["detail"]
    assert log(place.github.path("ada/board"))[0] == "By hand"
    assert (await place.export(branch="stich")).json()["pushed"] == 2


def commit_elsewhere(repository: Path, work: Path) -> None:
    run = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", "clone", "-q", str(repository), str(work)], check=True)
    (work / "README.md").write_text("By hand\n")
    subprocess.run([*run, "-C", str(work), "add", "-A"], check=True)
    subprocess.run([*run, "-C", str(work), "commit", "-q", "-m", "By hand"], check=True)
    subprocess.run([*run, "-C", str(work), "push", "-q", "origin", "HEAD:main"], check=True)


async def test_what_goes_wrong_is_told_without_the_token(place: Place) -> None:
    client = place.service.signed_in
    wrong = await client.put("/api/github/token", json={"token": "ghp_a_wrong_token_0123456789"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "github_refused")
    for strange in ("ghp_\u00fcber_0123456789", "ghp_two\r\nlines: 0123456789"):
        refused = await client.put("/api/github/token", json={"token": strange})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request"), "it fits into no header"
        assert "0123456789" not in refused.text
    assert (await client.get("/api/github")).json()["stored"] is False
    await client.put("/api/github/token", json={"token": TOKEN})
    await place.write(1)
    for name in ("board", "ada/", "ada/../x", "-ada/x", "ada/..", "ada/x y", "https://x/y"):
        assert (await place.export(name)).status_code == 422, name
    for branch in ("../x", "a..b", "-x", "x.lock", "x/", "x y"):
        assert (await place.export(branch=branch)).status_code == 422, branch
    strange = await place.export("strangers/board", create=True)
    assert "may not make repositories" in strange.json()["detail"]
    place.github.down = True
    away = await place.export()
    assert (away.status_code, away.json()["code"]) == (502, "github_unavailable")
    place.github.down = False
    keys = await client.get("/api/keys")
    account = await client.get("/api/github")
    assert TOKEN not in keys.text + account.text and keys.json()["keys"] == []
    assert (await client.delete("/api/github/token")).status_code == 204
    assert (await client.delete("/api/github/token")).json()["code"] == "github_token_missing"


async def test_a_token_is_bound_to_the_server_that_it_was_given_for(
    place: Place, database: Database, temporal: Client
) -> None:
    await place.service.signed_in.put("/api/github/token", json={"token": TOKEN})
    await place.write(1)
    place.github.seen.clear()
    async with running(database, temporal, github_api=f"http://localhost:{place.service.settings.port}") as elsewhere:
        answer = await elsewhere.signed_in.post(f"/api/sessions/{SESSION}/github", json={"repository": "ada/board"})
        assert answer.json()["code"] in ("github_token_missing", "vault_locked")
    async with running(database, temporal) as off:
        answer = await off.signed_in.post(f"/api/sessions/{SESSION}/github", json={"repository": "ada/board"})
        assert answer.json()["code"] == "github_off"
    assert place.github.seen == []
