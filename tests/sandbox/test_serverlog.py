"""Issues read from a development server's output."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.serverlog import ServerLog
from schemas.checks import IssueSource

COMPILE = """1:54:10 AM [vite] Internal server error: Failed to resolve import "./Foo" from "src/App.tsx".
  Plugin: vite:import-analysis
  File: /workspace/src/App.tsx:1:18
  1  |  import { Foo } from "./Foo";
"""
PAGE = """1:53:42 AM [vite] (client) [Unhandled error] TypeError: Cannot read properties of undefined (reading 'b')
 > App src/App.tsx:3:15
    1  |  export default function App(){
"""
PYTHON = """Traceback (most recent call last):
  File "/opt/stich/python/fastapi/routing.py", line 20, in call
  File "/workspace/app/main.py", line 31, in read
ZeroDivisionError: division by zero
"""


def filled(text: str) -> ServerLog:
    log = ServerLog()
    for line in text.splitlines():
        log.append(line)
    return log


def test_a_module_that_does_not_compile() -> None:
    (found,) = filled(COMPILE).issues()
    assert (found.source, found.file, found.line, found.column) == (IssueSource.SERVER, "src/App.tsx", 1, 18)


def test_an_error_in_a_page_that_someone_has_open() -> None:
    (found,) = filled(PAGE).issues()
    assert (found.source, found.code, found.file, found.line) == (IssueSource.BROWSER, "page-error", "src/App.tsx", 3)


def test_an_exception_of_a_python_service() -> None:
    (found,) = filled(PYTHON).issues()
    assert (found.code, found.file, found.line) == ("ZeroDivisionError", "app/main.py", 31)


def test_a_loop_is_counted_and_not_repeated() -> None:
    line = "1:50:12 AM [vite] (client) [console.error] Maximum update depth exceeded. This can happen when a component"
    log = filled("\n".join([line] * 300))
    assert len(log.lines()) == 1
    (found,) = log.issues()
    assert (found.code, found.count) == ("render-loop", 300)


@settings(deadline=None)
@given(st.text())
def test_any_output_can_be_read(text: str) -> None:
    log = filled(text)
    log.issues()
    assert all(len(line) < 2_100 for line in log.lines())
