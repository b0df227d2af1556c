"""Seeded faults of every kind are found at their line, and good projects have none."""

import pytest

from sandbox import Sandbox, Workspace
from schemas.checks import IssueSource, Severity

# (code, line, source): each is one file, with the fault at the given line.
TYPES = [
    ("TS2304", 2, "export function f() {\n  return missing\n}\n"),
    ("TS2305", 1, "import { nothing } from 'react'\nexport const a = nothing\n"),
    ("TS2307", 1, "import x from './no-such-module'\nexport const a = x\n"),
    ("TS2322", 3, "export const a = 1\n\nexport const b: string = a\n"),
    ("TS2339", 2, "const a = { x: 1 }\nexport const b = a.y\n"),
    ("TS2345", 2, "function f(n: number) { return n }\nexport const b = f('1')\n"),
    ("TS2554", 2, "function f(n: number) { return n }\nexport const b = f()\n"),
    ("TS2741", 2, "interface P { a: number; b: number }\nexport const p: P = { a: 1 }\n"),
    ("TS18048", 3, "export function f(a?: { b: number }) {\n  // strict\n  return a.b\n}\n"),
    ("TS7006", 1, "export const f = (a) => a\n"),
    ("TS2367", 2, "export function f(a: 'x' | 'y') {\n  return a === 'z'\n}\n"),
    ("TS1005", 2, "export const a = {\n  b: 1;\n}\n"),
]

HEAD = "import { useEffect, useState } from 'react'\nexport function C({ n }: { n: number }) {\n"
STATE = HEAD + "  const [a, set] = useState(0)\n"
END = "  return <p>{a}</p>\n}\nvoid useEffect\n"
LINTS = [
    ("rules-of-hooks", 4, STATE + "  if (n) useEffect(() => set(1), [])\n" + END),
    ("exhaustive-deps", 4, STATE + "  useEffect(() => { set(n) }, [])\n" + END),
    ("jsx-key", 3, HEAD + "  return <ul>{[n].map((i) => <li>{i}</li>)}</ul>\n}\nvoid useEffect\nvoid useState\n"),
    ("set-state-in-render", 4, STATE + "  set(a + n)\n" + END),
    ("no-unused-vars", 2, "export const a = 1\nconst unused = 2\n"),
    ("no-const-assign", 2, "const a = 1\na = 2\nexport default a\n"),
    ("no-self-assign", 2, "let a = 1\na = a\nexport default a\n"),
    ("no-dupe-keys", 1, "export const a = { b: 1, b: 2 }\n"),
    ("use-isnan", 1, "export const f = (a: number) => a === NaN\n"),
    ("no-debugger", 2, "export function f() {\n  debugger\n}\n"),
    ("no-unsafe-finally", 2, "export function f() {\n  try { return 1 } finally { return 2 }\n}\n"),
]

MARKUP = [
    ("html", "parse", 3, "<!doctype html>\n<html lang=en><body>\n<div><p>hi</div>\n</body></html>\n"),
    ("html", "missing-file", 2, "<!doctype html>\n<img alt=x src=none.png>\n"),
    ("html", "missing-file", 3, "<!doctype html>\n<p>a</p>\n<script src='gone.js'></script>\n"),
    ("html", "duplicate-id", 3, "<!doctype html>\n<p id=a>1</p>\n<p id=a>2</p>\n"),
    ("css", "correctness/noUnknownProperty", 2, "p {\n  colr: red;\n}\n"),
    ("css", "correctness/noUnknownUnit", 2, "p {\n  width: 10pxx;\n}\n"),
    ("css", "parse", 2, "p {\n  color: #12;\n}\n"),
    ("js", "correctness/noUndeclaredVariables", 2, "const a = 1\nshow(a)\n"),
    ("js", "correctness/noConstAssign", 2, "const a = 1\na = 2\n"),
    ("js", "parse", 2, "const a = {\n  b: 1;\n}\n"),
]

PYTHON = [
    ("F821", 2, "def f():\n    return missing\n"),
    ("F401", 1, "import json\n"),
    ("F811", 3, "def f(): ...\n\ndef f(): ...\n"),
    ("F841", 2, "def f():\n    unused = 1\n"),
    ("invalid-syntax", 1, "def f(:\n"),
    ("F632", 2, "def f(a):\n    return a is 'x'\n"),
    ("B006", 1, "def f(a=[]): ...\n"),
    ("F706", 1, "return 1\n"),
    ("E722", 3, "try:\n    pass\nexcept: pass\n"),
    ("F502", 1, "A = '%(a)s' % [1]\n"),
]

START = [
    ("ModuleNotFoundError", "import no_such_package  # noqa: F401\n"),
    ("NameError", "later()  # noqa: F821\n"),
    ("ZeroDivisionError", "VALUE = 1 / 0\n"),
]


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
    found = {(i.file, i.line, i.code) for i in report.errors}
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


@pytest.mark.parametrize("code,text", START)
async def test_a_service_that_cannot_start(sandbox: Sandbox, session_id: str, code: str, text: str) -> None:
    main = "from fastapi import FastAPI\nfrom app import part  # noqa: F401\n\napp = FastAPI()\n"
    workspace = await sandbox.workspace(session_id, "python-api", {"app/main.py": main, "app/part.py": "\n" + text})
    report = await workspace.check()
    assert [(i.file, i.line, i.code) for i in report.errors] == [("app/part.py", 2, code)]
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


BUILDS = [
    ("src/App.tsx", 1, "import { a } from './gone'\nexport default function App() { return <p>{a}</p> }\n"),
    (
        "src/App.tsx",
        1,
        "import { nothing } from './lib/cn'\nexport default function App() { return <p>{nothing}</p> }\n",
    ),
    ("src/App.tsx", 2, "export default function App() {\n  return <p>open\n}\n"),
    ("src/index.css", None, "@import 'tailwindcss';\n@import './gone.css';\n"),
]


@pytest.mark.parametrize("path,line,text", BUILDS)
async def test_faults_that_only_a_build_finds(workspace: Workspace, path: str, line: int | None, text: str) -> None:
    await workspace.write(path, text)
    built = await workspace.build()
    assert built.dist is None
    error = built.report.errors[0]
    assert error.source is IssueSource.BUILD
    assert error.severity is Severity.ERROR
    if line is not None:
        assert error.file == path
        assert error.line is not None
