"""A session as a git repository, with git itself: clone, edit, push, and what is refused."""

import os
import subprocess
from pathlib import Path

import pytest

from schemas.http import CreateSession
from schemas.session import Progress
from stich.client import StichClient
from stich.home import Home
from tests.e2e.service import Up

PEOPLE = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org"}


def git(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    env = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1",
        **PEOPLE, "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org",
    }  # fmt: skip
    return subprocess.run(
        ["git", *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
async def finished(shared_up: Up) -> Progress:
    running = Home(shared_up.home).running()
    assert running is not None
    async with StichClient(running.local_url, running.token) as client:
        created = await client.start(CreateSession(prompt="A counter under git"), "git-counter")
        return await client.wait(created.id)


async def test_clone_edit_push_and_what_is_refused(shared_up: Up, finished: Progress, tmp_path: Path) -> None:
    running = Home(shared_up.home).running()
    assert running is not None
    address = running.local_url.replace("://", f"://me:{running.token}@") + f"/git/{finished.session_id}.git"

    cloned = git(tmp_path, "clone", "-q", address, "work")
    assert cloned.returncode == 0, cloned.stderr
    work = tmp_path / "work"
    paths = sorted(
        str(path.relative_to(work)) for path in work.rglob("*") if path.is_file() and ".git" not in path.parts
    )
    assert paths == [file.path for file in finished.files if not file.path.startswith(".git/")]
    log = git(work, "log", "--format=%an|%s").stdout.splitlines()
    assert any(line.startswith("stich (model)|") for line in log)
    assert log[-1].startswith("stich (template)|")
    assert git(work, "fsck", "--strict").returncode == 0

    (work / "src" / "App.tsx").write_text((work / "src" / "App.tsx").read_text() + "\n// by hand\n")
    (work / "notes").mkdir()
    (work / "notes" / "today.md").write_text("# Today\n")
    git(work, "add", "-A")
    git(work, "commit", "-qm", "Leave a note")
    pushed = git(work, "push", "-q", "origin", "HEAD:main")
    assert pushed.returncode == 0, pushed.stderr
    async with StichClient(running.local_url, running.token) as client:
        assert b"// by hand" in await client.read(finished.session_id, "src/App.tsx")
        assert "notes/today.md" in [file.path for file in (await client.files(finished.session_id)).files]
    again = git(tmp_path, "clone", "-q", address, "again")
    assert again.returncode == 0, again.stderr
    heads = [git(tmp_path / name, "rev-parse", "HEAD").stdout for name in ("work", "again")]
    assert heads[0] == heads[1] != ""

    (work / "picture.bin").write_bytes(b"\xff\xfe\x00")
    git(work, "add", "-A")
    git(work, "commit", "-qm", "A picture")
    refused = git(work, "push", "origin", "HEAD:main")
    assert refused.returncode != 0
    assert "picture.bin is not a text in UTF-8" in refused.stderr
    assert "only main can be pushed to" in git(work, "push", "origin", "HEAD:other").stderr
    git(tmp_path / "again", "commit", "-q", "--amend", "-m", "Another story")
    assert git(tmp_path / "again", "push", "--force", "origin", "HEAD:main").returncode != 0
    async with StichClient(running.local_url, running.token) as client:
        assert "picture.bin" not in [file.path for file in (await client.files(finished.session_id)).files]

    stranger = address.replace(running.token, "x" * 20)
    assert "Authentication failed" in git(tmp_path, "clone", stranger, "stolen").stderr
    assert "not found" in git(tmp_path, "clone", address.replace(finished.session_id, "nobodys"), "none").stderr
