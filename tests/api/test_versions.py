"""The history of a session over HTTP."""

import asyncio
import subprocess
import uuid
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.diffs import MAX_LINES, unified
from codegen.unified_diff import apply_unified_diff
from schemas.http import FileList, Problem, SessionCreated, SessionSnapshot
from schemas.session import ForkOrigin, SessionRequest
from schemas.versions import PhaseRetried, ProjectDiff, Restored, VersionList
from storage.files import Files
from storage.sessions import SessionRecord, Sessions
from tests.api.conftest import Service

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
async def project(service: Service, sessions: Sessions, files: Files) -> str:
    """A running session with three versions."""
    session_id = f"session-{uuid.uuid4().hex[:12]}"
    await service.app.state.services.workflows.start(session_id, SessionRequest(prompt="An app"), "0")
    await sessions.create(
        SessionRecord(id=session_id, prompt="An app", mode="deterministic", template="react-vite", state="generating")
    )
    for path, content, by in (
        ("a.ts", "one\ntwo\n", "template"),
        ("a.ts", "one\n2\n", "phase-1/implement"),
        ("b.ts", "new", "phase-1/implement"),
        ("b.ts", "newer", "phase-1/fix-1"),
    ):
        await files.put(session_id, path, content, author="model", reason=by, operation_id=by)
    return session_id


async def problem(service: Service, method: str, path: str, body: object = None) -> tuple[int, str]:
    answer = await service.signed_in.request(method, path, json=body)
    return answer.status_code, Problem.model_validate_json(answer.content).code


async def test_the_history_in_pages(service: Service, project: str) -> None:
    url = f"/api/sessions/{project}/versions"
    listed = VersionList.model_validate_json((await service.signed_in.get(url)).content)
    assert [(v.version, v.parent, v.growing) for v in listed.versions] == [
        (4, 3, True),
        (3, 1, False),
        (1, None, False),
    ]
    page = VersionList.model_validate_json((await service.signed_in.get(f"{url}?limit=2")).content)
    assert (len(page.versions), page.next) == (2, 3)
    rest = VersionList.model_validate_json((await service.signed_in.get(f"{url}?limit=2&before=3")).content)
    assert ([v.version for v in rest.versions], rest.next) == ([1], None)
    files = FileList.model_validate_json((await service.signed_in.get(f"{url}/3/files")).content).files
    assert [(file.path, file.size) for file in files] == [("a.ts", 6), ("b.ts", 3)]
    for wrong in ("0", "5", "x", "99999999999999", "-1"):
        assert await problem(service, "GET", f"{url}/{wrong}/files") == (404, "version_not_found")


async def test_what_differs(service: Service, project: str, tmp_path: Path) -> None:
    url = f"/api/sessions/{project}/diff"
    found = ProjectDiff.model_validate_json((await service.signed_in.get(f"{url}?from_version=1")).content)
    assert (found.from_version, found.to_version) == (1, 4)
    told = [(f.path, f.status, f.added_lines, f.removed_lines) for f in found.files]
    assert told == [("a.ts", "changed", 1, 1), ("b.ts", "added", 1, 0)]
    (tmp_path / "a.ts").write_text("one\ntwo\n")
    patch = "".join(file.diff or "" for file in found.files)
    await asyncio.to_thread(subprocess.run, ["git", "apply", "-"], input=patch, text=True, cwd=tmp_path, check=True)
    assert (tmp_path / "a.ts").read_text() == "one\n2\n" and (tmp_path / "b.ts").read_text() == "newer"
    one = await service.signed_in.get(f"{url}?from_version=0&to_version=4&path=b.ts")
    assert [file.path for file in ProjectDiff.model_validate_json(one.content).files] == ["b.ts"]
    assert await problem(service, "GET", f"{url}?from_version=1&to_version=9") == (404, "version_not_found")
    assert await problem(service, "GET", url) == (422, "invalid_request")


lines = st.lists(st.sampled_from(["a\n", "b\n", "\n", "++x\n", "-- y\n", "z\u2028\n", "end"]), max_size=12)


@given(lines, lines)
def test_a_diff_leads_from_one_text_to_the_other(before: list[str], after: list[str]) -> None:
    old, new = "".join(before), "".join(after)
    found = unified("a.ts", old, new)
    assert found is not None
    if old != new and new:  # an emptied file is no deleted one, which some readers of diffs cannot tell apart
        assert apply_unified_diff(old, found.text) == new


def test_a_text_too_large_is_not_compared() -> None:
    assert unified("a", "x\n" * MAX_LINES, "y\n") is None


async def test_restoring_needs_a_session_at_rest(service: Service, project: str) -> None:
    url = f"/api/sessions/{project}/restore"
    assert await problem(service, "POST", url, {"version": 1}) == (409, "not_possible_now")
    await service.signed_in.post(f"/api/sessions/{project}/stop")
    answer = await service.signed_in.post(url, json={"version": 1, "user_id": "somebody else"})
    assert Restored.model_validate_json(answer.content) == Restored(version=101, files=["local"])
    assert await problem(service, "POST", url, {"version": 9}) == (404, "version_not_found")
    assert await problem(service, "POST", url, {"version": 1, "path": "none"}) == (404, "file_not_found")
    assert await problem(service, "POST", url, {"version": 0}) == (422, "invalid_request")


async def test_retrying_a_phase_needs_a_session_at_rest(service: Service, project: str) -> None:
    url = f"/api/sessions/{project}/phases/{{}}/retry"
    assert await problem(service, "POST", url.format("phase-1"), None) == (409, "not_possible_now")
    await service.signed_in.post(f"/api/sessions/{project}/stop")
    answer = await service.signed_in.post(url.format("phase-1"))
    assert answer.status_code == 202
    assert PhaseRetried.model_validate_json(answer.content).discarded == ["phase-1", "local"]
    for unknown in ("phase-2", "p" * 200, "%20"):
        assert await problem(service, "POST", url.format(unknown), None) == (404, "phase_not_found")
    assert (await service.signed_in.post(url.format("phase-1"), content="[")).status_code in (400, 422)


async def test_checking_on_request(service: Service, project: str) -> None:
    answer = await service.signed_in.post(f"/api/sessions/{project}/check")
    assert answer.status_code == 200


OWN = {"prompt", "mode", "template", "user_id", "images", "fork", "keep_open", "carried", "jurisdiction"}
"""What a fork has of its own, from the record of the session, or from the service; the rest comes from the request."""
ASKED: dict[str, object] = {
    "complexity": "complex", "urgency": "batch", "review_cycles": 7, "max_phases": 4, "parallel_calls": 1,
    "plan_ahead": False, "blueprint_candidates": 3, "phase_candidates": 2, "max_cost_usd": Decimal("1.25"),
    "max_history_events": 700, "bulk": True,
}  # fmt: skip


async def test_a_fork_is_asked_for_as_its_session_was(
    service: Service, project: str, sessions: Sessions, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(ASKED) | OWN == set(SessionRequest.model_fields), "a new field is carried, or is the fork's own"
    asked = SessionRequest.model_validate({"prompt": "An app", "mode": "smart", "keep_open": False, **ASKED})
    for name, value in ASKED.items():
        assert value != SessionRequest.model_fields[name].default, name
    session_id = f"session-{uuid.uuid4().hex[:12]}"
    await sessions.create(
        SessionRecord(id=session_id, prompt="An app", mode="smart", template="react-vite", request=asked)
    )
    await files.put(session_id, "a.ts", "1", author="model", reason="r", operation_id="phase-1/implement")
    begun: list[SessionRequest] = []
    workflows = service.app.state.services.workflows

    async def start(_: str, request: SessionRequest, __: str) -> bool:
        begun.append(request)
        return True

    monkeypatch.setattr(workflows, "start", start)
    answer = await service.signed_in.post(f"/api/sessions/{session_id}/forks", json={"version": 1})
    assert answer.status_code == 201, answer.text
    (request,) = begun
    assert {name: getattr(request, name) for name in ASKED} == ASKED
    assert (request.mode, request.template, request.keep_open) == ("smart", "react-vite", True)
    assert request.fork == ForkOrigin(session_id=session_id, version=1)


async def test_forking_starts_a_session_once(service: Service, project: str) -> None:
    url, key = f"/api/sessions/{project}/forks", {"Idempotency-Key": uuid.uuid4().hex}
    first = await service.signed_in.post(url, json={"version": 3}, headers=key)
    again = await service.signed_in.post(url, json={"version": 3}, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    created = SessionCreated.model_validate_json(first.content)
    assert created == SessionCreated.model_validate_json(again.content) and created.id != project
    snapshot = await service.signed_in.get(f"/api/sessions/{created.id}")
    progress = SessionSnapshot.model_validate_json(snapshot.content).progress
    assert progress.prompt == "An app" and progress.template == "react-vite"
    assert progress.forked_from is not None
    assert (progress.forked_from.session_id, progress.forked_from.version) == (project, 3)
    other = await service.signed_in.post(url, json={"version": 1}, headers=key)
    assert (other.status_code, Problem.model_validate_json(other.content).code) == (409, "idempotency_key_reused")
    assert await problem(service, "POST", url, {"version": 5}) == (404, "version_not_found")
    assert await problem(service, "POST", "/api/sessions/session-none/forks", {"version": 1}) == (
        404,
        "session_not_found",
    )
