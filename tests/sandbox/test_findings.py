"""Reading what tools print."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import findings
from sandbox.process import Ending, Finished
from schemas.checks import Issue, IssueSource, Severity


def test_typescript_output_with_continuations() -> None:
    output = (
        "src/App.tsx(3,5): error TS2304: Cannot find name 'x'.\n"
        "src/a (1).ts(10,2): error TS2322: Type 'A' is not assignable to type 'B'.\n"
        "  Types of property 'c' are incompatible.\n"
        "    Type 'string' is not assignable to type 'number'.\n"
        "error TS18003: No inputs were found.\n"
    )
    first, second, third = findings.typescript(output)
    assert (first.file, first.line, first.column, first.code) == ("src/App.tsx", 3, 5, "TS2304")
    assert second.message.endswith("type 'number'.")
    assert third.file is None
    assert third.code == "TS18003"


def test_oxlint_codes_and_places() -> None:
    entry = {
        "message": "Missing key",
        "code": "eslint-plugin-react(jsx-key)",
        "severity": "error",
        "filename": "src/App.tsx",
        "help": "Add one",
        "labels": [{"span": {"offset": 1, "length": 2, "line": 7, "column": 9}}],
    }
    plain = {"message": "m", "code": "eslint(no-unused-vars)", "severity": "warning", "filename": "a.ts", "labels": []}
    found = findings.oxlint("noise\n" + json.dumps({"diagnostics": [entry, plain]}))
    assert [(i.code, i.line, i.column, i.severity) for i in found] == [
        ("react/jsx-key", 7, 9, Severity.ERROR),
        ("no-unused-vars", None, None, Severity.WARNING),
    ]
    assert found[0].message == "Missing key (Add one)"


def test_a_message_of_several_lines_is_read_whole() -> None:
    text = (
        'Traceback (most recent call last):\n  File "/workspace/app/bad.py", line 5, in <module>\n    M(a="x")\n'
        '  File "/opt/stich/python/pydantic/main.py", line 250, in __init__\n    ...\n'
        "pydantic_core.ValidationError: 1 validation error for M\na\n  Input should be an integer\n"
    )
    found = findings.traceback(text)
    assert found is not None
    assert (found.code, found.file, found.line) == ("pydantic_core.ValidationError", "app/bad.py", 5)
    assert found.message.endswith("1 validation error for M a Input should be an integer")


def test_a_python_traceback_names_the_last_place_of_the_project() -> None:
    text = (
        "Traceback (most recent call last):\n"
        '  File "/opt/stich/programs/load.py", line 9, in <module>\n    x\n'
        '  File "/workspace/app/main.py", line 4, in <module>\n    from app.store import get\n'
        '  File "/workspace/app/store.py", line 12, in <module>\n    open()\n'
        "ImportError: cannot import name 'get'\n"
    )
    found = findings.traceback(text)
    assert found is not None
    assert (found.file, found.line, found.code) == ("app/store.py", 12, "ImportError")


@settings(deadline=None)
@given(st.text(max_size=400))
def test_untrusted_output_never_breaks_a_reader(text: str) -> None:
    for read in (findings.typescript, findings.oxlint, findings.build, findings.biome, findings.ruff):
        for found in read(text) + read("{" + text) + read("[" + text):
            assert isinstance(found, Issue)
    findings.traceback(text)


def test_a_report_counts_repeats_and_puts_errors_first() -> None:
    warning = findings.issue(IssueSource.LINT, "w", "warn", severity=Severity.WARNING, file="a.ts", line=1)
    error = findings.issue(IssueSource.TYPECHECK, "e", "err", file="b.ts", line=2)
    report = findings.report([warning, error, warning.model_copy()], [IssueSource.LINT], 0.5)
    assert [(found.code, found.count) for found in report.issues] == [("e", 1), ("w", 2)]
    assert not report.ok


def finished(ending: Ending, code: int, stderr: str = "") -> Finished:
    return Finished(code, "", stderr, ending, False, 2.0)


def test_a_tool_that_did_not_finish_is_an_issue() -> None:
    for ending, code in ((Ending.MEMORY, -9), (Ending.TIMEOUT, -9), (Ending.EXITED, 127), (Ending.EXITED, -11)):
        issues: list[Issue] = []
        ran: list[IssueSource] = []
        findings.conclude(finished(ending, code), IssueSource.TYPECHECK, "tsc", issues, ran)
        assert issues[0].source is IssueSource.SANDBOX
        assert ran == []


def test_a_tool_that_failed_without_a_finding_is_an_issue() -> None:
    issues: list[Issue] = []
    findings.conclude(finished(Ending.EXITED, 2, "bad flag"), IssueSource.LINT, "oxlint", issues, [])
    assert "bad flag" in issues[0].message
