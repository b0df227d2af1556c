"""Repairs that need no judgement, made before any model is paid: `fix_issues`."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

from codegen.fixes.alone import find_faults, lost_exports
from codegen.fixes.project import Project
from codegen.fixes.render_loops import find_render_loops
from codegen.fixes.repair import Left, Repair
from codegen.fixes.report import FixReport, Outcome
from codegen.fixes.rules import RULES
from codegen.fixes.stubs import find_stubs
from codegen.fixes.syntax import is_script
from schemas.checks import Issue, Severity

# A path must be right before the names that it brings are looked at.
_ORDER = ("TS2307", "TS7016", "TS2305", "TS2614", "TS2459", "TS2460", "TS1192", "TS2613", "TS2724", "TS1484")

# What the linter says of the same import.
_SAME_CAUSE = re.compile(r"import/(?:default|named|namespace)$|(?:react/jsx-)?no-undef$")


def fix_issues(
    files: Mapping[str, str],
    issues: Sequence[Issue],
    *,
    packages: Collection[str],
    protected: Callable[[str], bool],
    refused: Callable[[str], bool] = lambda package: False,
) -> FixReport:
    """Mend what can be mended in one way only.

    `files` maps paths to texts; `packages` are the names installed; `protected` says which paths must stay as they are;
    `refused` whether installing a package was tried in vain. Never raises for what files or messages hold.
    """
    project = Project(files, protected)
    report = FixReport()
    outcomes: dict[int, Outcome] = {}
    order = sorted(range(len(issues)), key=lambda at: _ORDER.index(c) if (c := issues[at].code) in _ORDER else 99)
    for at in order:
        outcomes[at] = _fix(project, issues[at], report, frozenset(packages), refused)
    mended = {(each.issue.file, each.issue.line) for each in outcomes.values() if each.status == "fixed"}
    for at, issue in enumerate(issues):
        if _SAME_CAUSE.match(issue.code) and (issue.file, issue.line) in mended:
            outcomes[at] = Outcome(issue, "fixed", "It is what the compiler found there.")
    report.outcomes = [outcomes[at] for at in range(len(issues))]
    for path in report.reasons:
        if path in files:
            report.before[path], report.changed[path] = files[path], project.files[path]
        else:
            report.created[path] = project.files[path]
    return report


def _fix(
    project: Project, issue: Issue, report: FixReport, packages: frozenset[str], refused: Callable[[str], bool]
) -> Outcome:
    rule = RULES.get(issue.code)
    match = re.match(rule[0], issue.message) if rule else None
    if rule is None or match is None or issue.severity is not Severity.ERROR:
        return Outcome(issue, "left", "There is no rule for it.")
    if issue.file is None or issue.file not in project.files or not is_script(issue.file):
        return Outcome(issue, "left", "It is in no script of the project.")
    if not project.module(issue.file).sound:
        return Outcome(issue, "left", f"{issue.file} does not parse.")
    repair = Repair(issue, issue.file, project, packages, refused)
    named = {name: text for name, text in match.groupdict().items() if text is not None}
    suggestion = named.get("suggestion") or named.get("wanted")
    try:
        how = rule[1](repair, named["name"], suggestion) if suggestion else rule[1](repair, named["name"])
    except Left as left:
        return Outcome(issue, "left", str(left))
    status: Literal["fixed", "install", "stubbed"] = "fixed"
    if repair.install is not None:
        status = "install"
        if repair.install not in report.install:
            report.install.append(repair.install)
    if repair.stub is not None:
        status = "stubbed"
        if repair.stub not in report.stubs and repair.stub in repair.written:
            report.stubs.append(repair.stub)
    for path in repair.written:
        report.reasons.setdefault(path, []).append(f"{issue.code}: {how}")
    return Outcome(issue, status, how)


__all__ = [
    "FixReport",
    "Outcome",
    "find_faults",
    "find_render_loops",
    "find_stubs",
    "fix_issues",
    "lost_exports",
]
