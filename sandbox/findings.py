"""Turns what the tools print into issues. Their output is untrusted text: every field is bounded."""

import json
import re
from collections.abc import Iterable

from pydantic import BaseModel, TypeAdapter, ValidationError

from sandbox.process import Ending, Finished
from schemas.checks import CheckReport, Issue, IssueSource, Severity

MOST_ISSUES = 200
_MESSAGE = 2_000
_MOST_MESSAGE_LINES = 6
_WORKSPACE = "/workspace/"
_FRAME = re.compile(r'^\s+File "(?:/workspace/|\./)(?P<path>[^"]+)", line (?P<line>\d+)')
_PICTURED = re.compile(r"╭─\[ (?:/workspace/)?(?P<path>[^\s:]+):(?P<line>\d+):(?P<column>\d+) \]")
_UNRESOLVED = re.compile(r'failed to resolve import "[^"\n]+" from "/workspace/(?P<path>[^"\n]+)"')
_INTRODUCED = re.compile(r"\b(?:declared|defined)\b.* here|\bhere as\b|first defined")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_TSC_LINE = re.compile(
    r"^(?P<file>\S.*?)\((?P<line>\d+),(?P<column>\d+)\): (?P<kind>error|warning) (?P<code>TS\d+): (?P<text>.*)$"
)
_TSC_GLOBAL = re.compile(r"^(?P<kind>error|warning) (?P<code>TS\d+): (?P<text>.*)$")


def issue(
    source: IssueSource,
    code: str,
    message: str,
    *,
    severity: Severity = Severity.ERROR,
    file: str | None = None,
    line: int | None = None,
    column: int | None = None,
) -> Issue:
    """An issue with bounded texts and a path relative to the project."""
    if file is not None:
        file = file.removeprefix(_WORKSPACE).removeprefix("./")[:400] or None
    return Issue(
        file=file,
        line=line if line and line > 0 else None,
        column=column if column and column > 0 else None,
        code=code[:100] or "unknown",
        severity=severity,
        source=source,
        message=message.strip()[:_MESSAGE],
    )


def report(issues: Iterable[Issue], ran: Iterable[IssueSource], seconds: float) -> CheckReport:
    """A report with errors first and equal findings counted once."""
    merged: dict[tuple[object, ...], Issue] = {}
    for found in issues:
        key = (found.file, found.line, found.column, found.code, found.message)
        if key in merged:
            merged[key].count += found.count
        else:
            merged[key] = found
    order = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
    ordered = sorted(merged.values(), key=lambda i: (order[i.severity], i.file or "", i.line or 0, i.column or 0))
    return CheckReport(issues=ordered[:MOST_ISSUES], ran=list(ran), seconds=round(seconds, 3))


def conclude(result: Finished, source: IssueSource, tool: str, issues: list[Issue], ran: list[IssueSource]) -> None:
    """Note that a check ran, or add an issue for a tool that met a limit, died, or failed without saying why."""
    unstarted = result.exit_code != 0 and result.stderr.startswith("bwrap: ")
    said = result.stderr[:300] if unstarted else result.explain()
    if result.ending is not Ending.EXITED or not 0 <= result.exit_code < 120 or unstarted:
        issues.append(
            issue(
                IssueSource.SANDBOX,
                f"{tool}-{result.ending.value}",
                f"{tool}: {said}",
            )
        )
    elif result.exit_code != 0 and not any(found.source is source for found in issues):
        text = (result.stderr.strip() or result.stdout.strip() or result.explain())[-500:]
        issues.append(issue(source, f"{tool}-failed", f"{tool} failed: {text}"))
    else:
        ran.append(source)


def typescript(output: str) -> list[Issue]:
    """Issues from the type checker's plain output; indented lines continue the message above."""
    found: list[Issue] = []
    for line in output.splitlines():
        if match := _TSC_LINE.match(line):
            found.append(
                issue(
                    IssueSource.TYPECHECK,
                    match["code"],
                    match["text"],
                    severity=Severity(match["kind"]),
                    file=match["file"],
                    line=int(match["line"]),
                    column=int(match["column"]),
                )
            )
        elif match := _TSC_GLOBAL.match(line):
            found.append(issue(IssueSource.TYPECHECK, match["code"], match["text"], severity=Severity(match["kind"])))
        elif line.startswith("  ") and found and len(found[-1].message) < _MESSAGE:
            found[-1].message = f"{found[-1].message}\n{line.rstrip()}"[:_MESSAGE]
    return found


def oxlint(output: str, source: IssueSource = IssueSource.LINT) -> list[Issue]:
    """Issues from oxlint's JSON output."""
    start = output.find("{")
    try:
        diagnostics = json.loads(output[start:]).get("diagnostics", []) if start >= 0 else []
    except (ValueError, AttributeError):
        return [issue(source, "lint-output", "The linter's answer could not be read.", severity=Severity.WARNING)]
    found = []
    for entry in diagnostics[: MOST_ISSUES * 2]:
        labels = entry.get("labels") or [{}]
        # The fault is where the rule was broken, not where the name was introduced.
        blamed = next((label for label in labels if not _INTRODUCED.search(label.get("label") or "")), labels[0])
        span = blamed.get("span") or {}
        text = str(entry.get("message", ""))
        if hint := entry.get("help"):
            text = f"{text} ({hint})"
        found.append(
            issue(
                source,
                _oxlint_code(str(entry.get("code") or "")),
                text,
                severity=Severity.ERROR if entry.get("severity") == "error" else Severity.WARNING,
                file=entry.get("filename"),
                line=span.get("line"),
                column=span.get("column"),
            )
        )
    return found


def _oxlint_code(code: str) -> str:
    """`eslint-plugin-react(jsx-key)` becomes `react/jsx-key`, `eslint(no-unused-vars)` becomes `no-unused-vars`."""
    match = re.fullmatch(r"(?:eslint-plugin-)?([\w-]+)\(([\w/-]+)\)", code)
    if match is None:
        return code or "syntax"
    return match[2] if match[1] == "eslint" else f"{match[1]}/{match[2]}"


def build(output: str) -> list[Issue]:
    """Issues from the JSON line of `build.mjs`."""
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            try:
                answer = _BuildAnswer.model_validate_json(line)
            except ValidationError:
                return []
            return [_build_issue(failure) for failure in answer.failed[:MOST_ISSUES]]
    return []


def _build_issue(failure: "_BuildFailure") -> Issue:
    message = _COLOUR.sub("", failure.message)
    file, line, column = failure.file, failure.line, failure.column
    if file is None and (match := _PICTURED.search(message)):
        file, line, column = match["path"], int(match["line"]), int(match["column"])
    elif file is None and (match := _UNRESOLVED.search(message)):
        file = match["path"]
    return issue(IssueSource.BUILD, failure.code, message, file=file, line=line, column=column)


class _BuildFailure(BaseModel):
    code: str
    message: str
    file: str | None
    line: int | None
    column: int | None


class _BuildAnswer(BaseModel):
    failed: list[_BuildFailure]
    warnings: list[str]


def biome(output: str) -> list[Issue]:
    """Issues from Biome's JSON output, for HTML, CSS and scripts."""
    start = output.find("{")
    try:
        answer = _BiomeAnswer.model_validate_json(output[start:]) if start >= 0 else _BiomeAnswer()
    except ValidationError:
        return []
    found = []
    for entry in answer.diagnostics:
        path = entry.location.path
        if path is None or entry.severity == "information" or path.endswith("biome.json"):
            continue
        script = path.endswith((".js", ".mjs"))
        found.append(
            issue(
                IssueSource.LINT if script else IssueSource.MARKUP,
                entry.category.removeprefix("lint/"),
                entry.message,
                severity=Severity.ERROR if entry.severity in ("error", "fatal") else Severity.WARNING,
                file=path,
                line=entry.location.start.line,
                column=entry.location.start.column,
            )
        )
    return found


def ruff(output: str) -> list[Issue]:
    """Issues from ruff's JSON output."""
    try:
        entries = _RUFF.validate_json(output or "[]")
    except ValidationError:
        return []
    return [
        issue(
            IssueSource.LINT,
            entry.code or "invalid-syntax",
            entry.message,
            severity=Severity.ERROR if _is_error(entry.code) else Severity.WARNING,
            file=entry.filename,
            line=entry.location.row,
            column=entry.location.column,
        )
        for entry in entries
    ]


def _is_error(code: str | None) -> bool:
    """Names that do not exist and code that cannot run are errors, habits are warnings."""
    return code is None or code == "invalid-syntax" or code.startswith(("E9", "F63", "F7", "F82", "F50"))


def traceback(text: str, source: IssueSource = IssueSource.BUILD) -> Issue | None:
    """The issue in a Python traceback: its message, at the last place that lies in the project."""
    place: tuple[str, int] | None = None
    message: list[str] = []  # of several lines, as validation has them
    for line in text.splitlines():
        if line.startswith(("  File ", "Traceback")):
            message = []
            if match := _FRAME.match(line):
                place = match["path"], int(match["line"])
        elif line and (message or not line.startswith(" ")):
            message.append(line.strip())
    if not message:
        return None
    code, whole = message[0].split(":", 1)[0], " ".join(message[:_MOST_MESSAGE_LINES])
    return issue(source, code, whole, file=place[0] if place else None, line=place[1] if place else None)


class _BiomePosition(BaseModel):
    line: int = 0
    column: int = 0


class _BiomeLocation(BaseModel):
    path: str | None = None
    start: _BiomePosition = _BiomePosition()


class _BiomeDiagnostic(BaseModel):
    category: str = "biome"
    severity: str = "error"
    message: str = ""
    location: _BiomeLocation = _BiomeLocation()


class _BiomeAnswer(BaseModel):
    diagnostics: list[_BiomeDiagnostic] = []


class _RuffPosition(BaseModel):
    row: int
    column: int


class _RuffEntry(BaseModel):
    code: str | None
    message: str
    filename: str
    location: _RuffPosition


_RUFF = TypeAdapter(list[_RuffEntry])
