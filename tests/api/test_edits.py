"""Editing files of a session over HTTP, and choosing between sides where an edit could not be merged."""

import hashlib
import uuid

import pytest

from schemas.http import FileList, Problem, SessionSnapshot
from schemas.session import SessionRequest
from schemas.versions import ConflictList, ConflictTexts, EditResult
from storage.file_rows import MAX_FILE_BYTES
from storage.files import Files
from storage.sessions import SessionRecord, Sessions
from tests.api.conftest import Service

pytestmark = pytest.mark.usefixtures("worker")
BASE = "".join(f"line {number}\n" for number in range(12))
TOP, BOTTOM = BASE.replace("line 1\n", "top\n"), BASE.replace("line 10\n", "bottom\n")
OTHER_TOP = BASE.replace("line 1\n", "another top\n")


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
async def project(service: Service, sessions: Sessions, files: Files) -> str:
    """A running session with one file."""
    session_id = f"session-{uuid.uuid4().hex[:12]}"
    request = SessionRequest(prompt="An app")
    workflows = service.app.state.services.workflows
    await workflows.start(session_id, request, "0")
    await sessions.create(SessionRecord(id=session_id, prompt="An app", mode="deterministic", template="react-vite"))
    await files.put(session_id, "src/App.tsx", BASE, author="model", reason="", operation_id="op-1")
    return session_id


async def put(service: Service, session: str, content: str, base: str | None, path: str = "src/App.tsx") -> EditResult:
    body = {"content": content, "base_sha256": None if base is None else sha(base)}
    answer = await service.signed_in.put(f"/api/sessions/{session}/files/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return EditResult.model_validate_json(answer.content)


async def problem(service: Service, method: str, path: str, body: object = None) -> tuple[int, str]:
    answer = await service.signed_in.request(method, path, json=body)
    return answer.status_code, Problem.model_validate_json(answer.content).code


async def test_an_edit_is_stored_told_and_shown(service: Service, project: str, files: Files) -> None:
    assert (await put(service, project, TOP, BASE)).outcome == "saved"
    assert await files.read(project, "src/App.tsx") == TOP
    snapshot = SessionSnapshot.model_validate_json((await service.signed_in.get(f"/api/sessions/{project}")).content)
    assert [(file.path, file.version, file.author) for file in snapshot.progress.files] == [("src/App.tsx", 2, "user")]
    assert snapshot.progress.title == "edited in 2"  # the workflow was told
    assert (await put(service, project, "new\n", None, "src/New.tsx")).outcome == "saved"


async def test_a_session_that_has_ended_can_be_edited(service: Service, sessions: Sessions, files: Files) -> None:
    session = f"session-{uuid.uuid4().hex[:12]}"
    await sessions.create(SessionRecord(id=session, prompt="An app", mode="smart"))
    assert (await put(service, session, "a\n", None, "a.ts")).outcome == "saved"


async def test_a_conflict_waits_until_it_is_resolved(service: Service, project: str, files: Files) -> None:
    await files.put(project, "src/App.tsx", OTHER_TOP, author="model", reason="", operation_id="op-2")
    result = await put(service, project, TOP, BASE)
    assert result.outcome == "conflict" and result.conflict is not None
    url = f"/api/sessions/{project}/conflicts"
    listed = ConflictList.model_validate_json((await service.signed_in.get(url)).content)
    assert [conflict.path for conflict in listed.conflicts] == ["src/App.tsx"]
    snapshot = SessionSnapshot.model_validate_json((await service.signed_in.get(f"/api/sessions/{project}")).content)
    assert snapshot.conflicts == listed.conflicts
    texts = ConflictTexts.model_validate_json((await service.signed_in.get(f"{url}/src/App.tsx")).content)
    assert (texts.mine, texts.theirs) == (TOP, OTHER_TOP)
    assert await problem(service, "POST", f"{url}/src/App.tsx", {"choice": "text"}) == (422, "invalid_request")
    answer = await service.signed_in.post(f"{url}/src/App.tsx", json={"choice": "mine"})
    assert EditResult.model_validate_json(answer.content).outcome == "saved"
    assert await files.read(project, "src/App.tsx") == TOP
    assert await problem(service, "POST", f"{url}/src/App.tsx", {"choice": "mine"}) == (404, "conflict_not_found")
    assert await problem(service, "GET", f"{url}/src/App.tsx") == (404, "conflict_not_found")


async def test_an_edit_of_an_older_text_is_merged(service: Service, project: str, files: Files) -> None:
    await files.put(project, "src/App.tsx", BOTTOM, author="model", reason="", operation_id="op-2")
    assert (await put(service, project, TOP, BASE)).outcome == "merged"
    text = await files.read(project, "src/App.tsx")
    assert "top\n" in text and "bottom\n" in text


async def test_deleting_and_renaming(service: Service, project: str, files: Files) -> None:
    url = f"/api/sessions/{project}"
    moved = {"path": "src/App.tsx", "to": "src/Main.tsx", "base_sha256": sha(BASE)}
    answer = await service.signed_in.post(f"{url}/rename", json=moved)
    assert answer.status_code == 200, answer.text
    assert await problem(service, "POST", f"{url}/rename", moved) == (404, "file_not_found")
    wrong = f"{url}/files/src/Main.tsx?base_sha256={sha(TOP)}"
    assert await problem(service, "DELETE", wrong) == (409, "file_changed")
    answer = await service.signed_in.delete(f"{url}/files/src/Main.tsx?base_sha256={sha(BASE)}")
    assert answer.status_code == 200
    listed = FileList.model_validate_json((await service.signed_in.get(f"{url}/files")).content)
    assert listed.files == []


async def test_what_is_refused(service: Service, project: str, files: Files) -> None:
    url = f"/api/sessions/{project}/files"
    new = {"content": "x"}
    for path in ("package.json", "node_modules/x.js"):
        assert await problem(service, "PUT", f"{url}/{path}", new) == (409, "file_protected")
        assert await problem(service, "DELETE", f"{url}/{path}") == (409, "file_protected")
    moved = {"path": "src/App.tsx", "to": "package.json"}
    assert await problem(service, "POST", f"/api/sessions/{project}/rename", moved) == (409, "file_protected")
    for path in ("src/App.tsx/below", "src"):
        assert await problem(service, "PUT", f"{url}/{path}", new) == (409, "path_taken")
    for path in ("a%5Cb", "a//b", "a%01b", "/".join("d" * 30), "x" * 300):
        assert await problem(service, "PUT", f"{url}/{path}", new) == (422, "invalid_request")
    unknown = {"content": "x", "base_sha256": sha("never")}
    assert await problem(service, "PUT", f"{url}/src/App.tsx", unknown) == (409, "base_unknown")
    for body in ({}, {"content": 1}, {"content": "x", "base_sha256": "x"}, {"content": "x", "more": 1}):
        assert await problem(service, "PUT", f"{url}/src/App.tsx", body) == (422, "invalid_request")
    large = {"content": "€" * (MAX_FILE_BYTES // 2)}
    assert await problem(service, "PUT", f"{url}/large.txt", large) == (422, "invalid_request")
    answer = await service.anonymous.put(f"{url}/src/App.tsx", json=new)
    assert answer.status_code == 401
    assert len(await files.versions(project)) == 1
