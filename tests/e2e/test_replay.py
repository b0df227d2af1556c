"""A session with a message and a restore is exported, and played again on another home: the same prompts and files."""

import os
import subprocess
from pathlib import Path

import pytest

from schemas.http import CreateSession, PostMessage
from stich.client import Sequenced, StichHttpError
from stich.client_sync import StichClientSync
from stich.home import Home
from tests.e2e.service import Up, command, environment

CANARY = "canary-7d1c9f42-in-the-environment"


def stich(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    env = {**environment(home), "OPENAI_API_KEY": CANARY}
    return subprocess.run(command(*arguments), env=env, capture_output=True, text=True, timeout=400, check=False)


@pytest.mark.timeout(500)
def test_a_session_of_a_program_without_asyncio_is_played_again(shared_up: Up, tmp_path: Path) -> None:
    running = Home(shared_up.home).running()
    assert running is not None
    with StichClientSync(running.local_url, running.token, patience=120) as client:
        wanted = CreateSession(prompt="Build a simple counter app with plus and minus buttons")
        session = client.start(wanted, "rec")
        assert client.start(wanted, "rec").id == session.id
        seqs = []
        for item in client.follow(session.id):
            if not isinstance(item, Sequenced):
                continue
            seqs.append(item.seq)
            if item.event.type == "blueprint":
                client.message(session.id, PostMessage(id="m-1", text="How far are you?"))
            elif item.event.type == "session_state" and item.event.state.name == "completed":
                break
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
        assert client.wait(session.id).state.name == "completed"
        assert client.read(session.id, "package.json").startswith(b"{")
        assert session.id in [known.id for known in client.sessions().sessions]
        with pytest.raises(StichHttpError):
            client.snapshot("nobodys")
        template = client.history.versions(session.id).versions[-1]
        assert client.history.restore(session.id, template.version, "src/App.tsx").files == ["src/App.tsx"]
        files = {file.path: file.sha256 for file in client.files(session.id).files}
    with pytest.raises(RuntimeError):
        client.sessions()
    recording = tmp_path / "counter.zip"
    exported = stich(shared_up.home, "export", session.id, "--recording", str(recording))
    assert exported.returncode == 0, exported.stderr
    assert stich(shared_up.home, "export", session.id, "--recording", str(recording)).returncode == 1, "it is there"
    content = recording.read_bytes()
    assert running.token.encode() not in content and CANARY.encode() not in content

    played = stich(tmp_path / "home", "replay", str(recording), "--out", str(tmp_path / "played"))
    assert played.returncode == 0, played.stdout + played.stderr
    assert "the same: completed" in played.stdout
    assert "1 messages" in played.stderr and "restore 'src/App.tsx'" in played.stderr
    found = {str(path.relative_to(tmp_path / "played")) for path in (tmp_path / "played").rglob("*") if path.is_file()}
    assert found == files.keys()
    assert not (tmp_path / "home").exists(), "it has a home of its own, which is gone"
    assert os.environ.get("STICH_HOME") != str(tmp_path / "home")
