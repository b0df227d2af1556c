"""Seeded faults of every kind are found at their line, and good projects have none."""

import asyncio

import pytest

from sandbox import Sandbox, Workspace
from schemas.checks import IssueSource
from tests.sandbox.seeds import BUILDS, BUILDS_ALONE, LINTS, MARKUP, PYTHON, START, TYPES


async def test_ten_type_errors_are_found_at_their_line(sandbox: Sandbox, session_id: str) -> None:
    # A syntax error hides all others from the compiler, so it is checked by itself.
    files = {f"src/seed_{code}.ts": text for code, _, text in TYPES if code != "TS1005"}
    workspace = await sandbox.workspace(session_id, "react-vite", files)
    report = await workspace.check()
    found = {(i.file, i.line, i.code) for i in report.issues if i.source is IssueSource.TYPECHECK}
    assert found == {(f"src/seed_{code}.ts", line, code) for code, line, _ in TYPES if code != "TS1005"}
    assert IssueSource.TYPECHECK in report.ran

    (code, line, text) = TYPES[-1]
    workspace = await sandbox.workspace(session_id, "react-vite", {"src/seed.ts": text})
    report = await workspace.check()
    assert (code, line) in {(i.code, i.line) for i in report.errors}
    await sandbox.remove(session_id)


async def test_ten_lint_faults_are_found_at_their_line(sandbox: Sandbox, session_id: str) -> None:
    files = {f"src/seed{number}.tsx": text for number, (_, _, text) in enumerate(LINTS)}
    workspace = await sandbox.workspace(session_id, "react-vite", files)
    report = await workspace.check()
    found = {(i.file, i.line, i.code.rsplit("/", 1)[-1]) for i in report.issues if i.source is IssueSource.LINT}
    for number, (code, line, _) in enumerate(LINTS):
        assert (f"src/seed{number}.tsx", line, code) in found
    await sandbox.remove(session_id)


async def test_ten_faults_of_plain_pages(sandbox: Sandbox, session_id: str) -> None:
    files = {f"seed{number}.{kind}": text for number, (kind, _, _, text) in enumerate(MARKUP)}
    workspace = await sandbox.workspace(session_id, "static-html", files)
    report = await workspace.check()
    found = {(i.file, i.line, i.code) for i in report.issues}
    for number, (kind, code, line, _) in enumerate(MARKUP):
        assert (f"seed{number}.{kind}", line, code) in found
    await sandbox.remove(session_id)


async def test_ten_faults_of_python_services(sandbox: Sandbox, session_id: str) -> None:
    files = {f"app/seed{number}.py": text for number, (_, _, text) in enumerate(PYTHON)}
    workspace = await sandbox.workspace(session_id, "python-api", files)
    report = await workspace.check()
    found = {(i.file, i.line, i.code) for i in report.issues}
    for number, (code, line, _) in enumerate(PYTHON):
        assert (f"app/seed{number}.py", line, code) in found
    assert {i.code for i in report.errors} >= {"F821", "invalid-syntax", "F632", "F706", "F502"}
    await sandbox.remove(session_id)


async def test_services_that_cannot_start(sandbox: Sandbox, session_id: str) -> None:
    main = "from app import part  # noqa: F401\nfrom fastapi import FastAPI\n\napp = FastAPI()\n"
    workspace = await sandbox.workspace(session_id, "python-api", {"app/main.py": main, "app/part.py": ""})
    for code, text in START[:3]:
        await workspace.write("app/part.py", "\n" + text)
        report = await workspace.check()
        assert [(i.file, i.line, i.code) for i in report.errors] == [("app/part.py", 2, code)]
    await sandbox.remove(session_id)


async def test_ten_starts_of_a_development_server_that_fail(sandbox: Sandbox, session_id: str) -> None:
    main = "from app import part  # noqa: F401\nfrom fastapi import FastAPI\n\napp = FastAPI()\n"
    workspace = await sandbox.workspace(session_id, "python-api", {"app/main.py": main, "app/part.py": ""})
    server = await workspace.preview()
    for code, text in START:
        server.log.clear()
        await workspace.write("app/part.py", "\n" + text)
        for _ in range(1_200):
            if found := server.log.issues():
                break
            await asyncio.sleep(0.05)
        assert {(i.file, i.line, i.code) for i in found} == {("app/part.py", 2, code)}
        assert {i.source for i in found} == {IssueSource.SERVER}
    await sandbox.remove(session_id)


@pytest.mark.parametrize("name", ["react-vite", "static-html", "python-api"])
async def test_templates_are_without_fault_and_build(sandbox: Sandbox, name: str) -> None:
    workspace = await sandbox.workspace(f"clean-{name}", name, {})
    report = await workspace.check()
    assert report.issues == []
    built = await workspace.build()
    assert built.report.issues == []
    assert built.dist is not None
    if name != "python-api":
        assert (built.dist / "index.html").is_file()
    await sandbox.remove(f"clean-{name}")


async def test_ten_faults_of_a_build(sandbox: Sandbox, session_id: str) -> None:
    files = {f"src/seeds/build{number}.ts": text for number, (_, _, text) in enumerate(BUILDS)}
    imports = "".join(f"import './seeds/build{number}'\n" for number in range(len(BUILDS)))
    files["src/App.tsx"] = imports + "export default function App() {\n  return null\n}\n"
    workspace = await sandbox.workspace(session_id, "react-vite", files)
    built = await workspace.build()
    assert built.dist is None
    found = {(i.file, i.line, i.code) for i in built.report.errors}
    assert found == {(f"src/seeds/build{number}.ts", line, code) for number, (code, line, _) in enumerate(BUILDS)}
    assert {i.source for i in built.report.errors} == {IssueSource.BUILD}
    await sandbox.remove(session_id)


async def test_faults_that_end_a_build_alone(workspace: Workspace) -> None:
    for path, line, text in BUILDS_ALONE:
        before = await workspace.read(path)
        await workspace.write(path, text)
        built = await workspace.build()
        assert built.dist is None
        assert [(i.file, i.line, i.source) for i in built.report.errors] == [(path, line, IssueSource.BUILD)]
        await workspace.write(path, before)
