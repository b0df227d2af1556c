"""The files of a session over HTTP, one by one and as a zip."""

import hashlib
import io
import zipfile
from unittest import mock

import httpx
import pytest

from api.files import folder_name
from schemas.http import FileList, Problem
from storage.blobs import Blobs
from storage.database import Database
from storage.files import Files
from storage.screenshots import Screenshots
from storage.sessions import SessionRecord, Sessions
from tests.api.conftest import Service

APP = "export default function App() {\n  return <h1>Grüße</h1>;\n}\n"


@pytest.fixture
async def project(sessions: Sessions, files: Files) -> str:
    """A session with files; App.tsx has two versions."""
    session_id = "session-with-files"
    await sessions.create(
        SessionRecord(id=session_id, title="Mein Kanban: „Plan“ №1", prompt="A kanban board", mode="deterministic")
    )
    for path, content, step in [
        ("src/App.tsx", "// first\n", "op-1"),
        ("index.html", "<script>alert(1)</script>", "op-1"),
        ("src/App.tsx", APP, "op-2"),
        ("src/with space #1?.ts", "export {};\n", "op-2"),
    ]:
        await files.put(session_id, path, content, author="model", reason="test", operation_id=step)
    return session_id


async def test_the_list(service: Service, project: str) -> None:
    answer = await service.signed_in.get(f"/api/sessions/{project}/files")
    listed = FileList.model_validate_json(answer.content).files
    assert [info.path for info in listed] == ["index.html", "src/App.tsx", "src/with space #1?.ts"]
    assert listed[1].sha256 == hashlib.sha256(APP.encode()).hexdigest()
    assert listed[1].size == len(APP.encode())


async def test_a_file_is_plain_text_with_its_hash_as_tag(service: Service, project: str) -> None:
    answer = await service.signed_in.get(f"/api/sessions/{project}/files/src/App.tsx")
    assert answer.text == APP
    assert answer.headers["etag"] == f'"{hashlib.sha256(APP.encode()).hexdigest()}"'
    assert answer.headers["cache-control"] == "private, no-cache"
    for known in (answer.headers["etag"], f'"other", {answer.headers["etag"]}', "*", f"W/{answer.headers['etag']}"):
        again = await service.signed_in.get(
            f"/api/sessions/{project}/files/src/App.tsx", headers={"If-None-Match": known}
        )
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == answer.headers["etag"]
    changed = await service.signed_in.get(
        f"/api/sessions/{project}/files/src/App.tsx", headers={"If-None-Match": '"other"'}
    )
    assert changed.status_code == 200


async def test_no_file_is_ever_a_page(service: Service, project: str) -> None:
    answer = await service.signed_in.get(f"/api/sessions/{project}/files/index.html", headers={"Accept": "text/html"})
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_an_earlier_version(service: Service, project: str) -> None:
    path = f"/api/sessions/{project}/files/src/App.tsx"
    assert (await service.signed_in.get(f"{path}?version=1")).text == "// first\n"
    assert (await service.signed_in.get(f"{path}?version=999")).text == APP
    for wrong in ("0", "-1", "x", "99999999999"):
        answer = await service.signed_in.get(f"{path}?version={wrong}")
        assert answer.status_code == 422
        assert "version" in Problem.model_validate_json(answer.content).detail
    missing = await service.signed_in.get(f"/api/sessions/{project}/files/index.html?version=1")
    assert Problem.model_validate_json(missing.content).detail == ("The session has no file “index.html” at version 1.")


@pytest.mark.parametrize(
    "path", ["nowhere.ts", "src", "src/", "../secrets", "%2e%2e/%2e%2e/etc/passwd", "%00", "a%5Cb"]
)
async def test_a_file_that_is_not_there(service: Service, project: str, path: str) -> None:
    answer = await service.signed_in.get(f"{service.url}/api/sessions/{project}/files/{path}")
    assert answer.status_code == 404
    assert Problem.model_validate_json(answer.content).code in ("file_not_found", "not_found", "session_not_found")


async def test_paths_may_hold_any_character(service: Service, project: str) -> None:
    answer = await service.signed_in.get(f"/api/sessions/{project}/files/src/with%20space%20%231%3F.ts")
    assert answer.text == "export {};\n"


async def test_the_zip_holds_the_project_as_it_stands(service: Service, project: str) -> None:
    answer = await service.signed_in.get(f"/api/sessions/{project}/export.zip")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="mein-kanban-plan-no1.zip"'
    assert "content-length" not in answer.headers
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        contents = {info.filename: archive.read(info).decode() for info in archive.infolist()}
    assert contents == {
        "mein-kanban-plan-no1/index.html": "<script>alert(1)</script>",
        "mein-kanban-plan-no1/src/App.tsx": APP,
        "mein-kanban-plan-no1/src/with space #1?.ts": "export {};\n",
    }


async def test_a_zip_that_cannot_be_finished_is_seen_to_be_broken(service: Service, project: str) -> None:
    """Not taken for a smaller project: the connection ends before the answer does."""
    get = Blobs.get
    asked = 0

    async def lost_after_one(blobs: Blobs, sha256: str) -> bytes:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise ConnectionResetError("the database went away")
        return await get(blobs, sha256)

    with mock.patch.object(Blobs, "get", lost_after_one), pytest.raises(httpx.RemoteProtocolError):
        await service.signed_in.get(f"/api/sessions/{project}/export.zip")
    assert (await service.signed_in.get(f"/api/sessions/{project}/export.zip")).status_code == 200


async def test_a_session_without_files_has_nothing_to_export(service: Service, sessions: Sessions) -> None:
    await sessions.create(SessionRecord(id="session-empty", prompt="An app", mode="smart"))
    answer = await service.signed_in.get("/api/sessions/session-empty/export.zip")
    assert answer.status_code == 404
    assert Problem.model_validate_json(answer.content).detail == "The session has no files yet."


@pytest.mark.parametrize(
    ("title", "folder"),
    [
        ("Kanban board", "kanban-board"),
        ("../../etc/passwd", "etc-passwd"),
        ('a"; filename="b', "a-filename-b"),
        ("x" * 200, "x" * 60),
        ("看板", "session-1"),
        ("", "session-1"),
        ("\r\nSet-Cookie: a", "set-cookie-a"),
    ],
)
def test_a_title_becomes_a_harmless_name(title: str, folder: str) -> None:
    assert folder_name(title, "session-1") == folder


async def test_a_screenshot_is_an_image_of_its_own_session_only(
    service: Service, project: str, sessions: Sessions, module_database: Database
) -> None:
    png = b"\x89PNG\r\n\x1a\n and so on"
    shots = Screenshots(module_database)
    shot = await shots.put(project, "shot-1", png, media_type="image/png", width=1280, height=800)
    answer = await service.signed_in.get(f"/api/sessions/{project}/screenshots/{shot.sha256}.png")
    assert (answer.status_code, answer.content) == (200, png)
    assert answer.headers["content-type"] == "image/png"
    assert "immutable" in answer.headers["cache-control"]
    await sessions.create(SessionRecord(id="session-other", prompt="Another", mode="smart"))
    answer = await service.signed_in.get(f"/api/sessions/session-other/screenshots/{shot.sha256}.png")
    assert answer.status_code == 404
