"""What is left alone, and what repair never does. The messages are the compiler's own."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from codegen.fixes import FixReport, find_stubs, fix_issues
from codegen.fixes.rules import RULES
from codegen.fixes.syntax import read_module
from schemas.checks import Issue, IssueSource, Severity

PACKAGES = ["react", "zustand", "@types/react"]


def error(code: str, message: str, file: str = "src/a.tsx", line: int = 1) -> Issue:
    return Issue(
        file=file, line=line, code=code, severity=Severity.ERROR, source=IssueSource.TYPECHECK, message=message
    )


def unknown(name: str, line: int = 1) -> Issue:
    return error("TS2304", f"Cannot find name '{name}'.", line=line)


def gone(source: str, file: str = "src/a.tsx") -> Issue:
    return error("TS2307", f"Cannot find module '{source}' or its corresponding type declarations.", file)


def run(files: dict[str, str], *issues: Issue, refused: bool = False, protected: tuple[str, ...] = ()) -> FixReport:
    return fix_issues(
        files,
        issues,
        packages=PACKAGES,
        protected=lambda path: path in protected,
        refused=lambda package: refused,
    )


def left(files: dict[str, str], issue: Issue, **how: bool) -> str:
    """Why an issue is left. Nothing may have been changed."""
    report = run(files, issue, **how)  # type: ignore[arg-type]
    assert not report.written
    assert not report.install
    assert [outcome.status for outcome in report.outcomes] == ["left"], report.outcomes
    assert report.open == [issue]
    return report.outcomes[0].how


def test_a_name_that_two_files_export_is_left() -> None:
    files = {"src/a.tsx": "go();\n", "src/b.ts": "export const go = 1;\n", "src/c.ts": "export function go() {}\n"}
    assert left(files, unknown("go")) == "go could come from ./b or ./c."


def test_a_name_that_react_and_the_project_export_is_left() -> None:
    files = {"src/a.tsx": "useId();\n", "src/ids.ts": "export const useId = () => 1;\n"}
    assert "./ids or react" in left(files, unknown("useId"))


def test_a_name_that_is_a_parameter_elsewhere_in_the_file_is_left() -> None:
    files = {
        "src/a.tsx": "export const A = ({ tasks }: P) => tasks;\nexport const B = () => tasks;\n",
        "src/b.ts": "export const tasks = [];\n",
    }
    assert "another part of the file" in left(files, unknown("tasks", 2))


def test_a_name_that_nobody_exports_is_left() -> None:
    assert "No file" in left({"src/a.tsx": "nobody();\n"}, unknown("nobody"))


def test_tests_entries_and_declarations_are_not_offered() -> None:
    places = ("src/b.test.ts", "src/main.tsx", "src/b.d.ts")
    files = {"src/a.tsx": "go();\n"} | dict.fromkeys(places, "export const go = () => 1;\n")
    assert "No file" in left(files, unknown("go"))


def test_without_react_no_hook_is_imported() -> None:
    report = fix_issues(
        {"src/a.ts": "useState(1);\n"},
        [error("TS2304", "Cannot find name 'useState'.", "src/a.ts")],
        packages=[],
        protected=lambda path: False,
    )
    assert not report.written


def test_what_does_not_parse_is_left() -> None:
    assert "does not parse" in left({"src/a.tsx": "const a = {;\nuseState(1);\n"}, unknown("useState", 2))


def test_a_protected_file_is_left() -> None:
    report = run({"src/a.tsx": "useState(1);\n"}, unknown("useState"), protected=("src/a.tsx",))
    assert not report.written
    message = "Module '\"./b\"' declares 'go' locally, but it is not exported."
    files = {"src/a.tsx": "import { go } from './b';\ngo();\n", "src/b.ts": "const go = () => 1;\n"}
    report = run(files, error("TS2459", message), protected=("src/b.ts",))
    assert not report.written
    assert report.outcomes[0].status == "left"


def test_the_linters_word_on_the_same_import_is_settled_with_it() -> None:
    files = {"src/a.tsx": "import { P } from './P';\nP;\n", "src/P.tsx": "export default function P() {}\n"}
    message = "Module '\"./P\"' has no exported member 'P'. Did you mean to use 'import P from \"./P\"' instead?"
    lint = Issue(
        file="src/a.tsx", line=1, code="import/named", severity=Severity.ERROR, source=IssueSource.LINT, message=""
    )
    report = run(files, error("TS2614", message), lint)
    assert [outcome.status for outcome in report.outcomes] == ["fixed", "fixed"]
    assert report.open == []


def test_a_default_of_another_name_is_left() -> None:
    files = {"src/a.tsx": "import { Helper } from './P';\nHelper;\n", "src/P.tsx": "export default function P() {}\n"}
    message = (
        "Module '\"./P\"' has no exported member 'Helper'. Did you mean to use 'import Helper from \"./P\"' instead?"
    )
    assert "no other file" in left(files, error("TS2614", message))


def test_a_module_without_a_fitting_name_keeps_its_default_import() -> None:
    files = {"src/a.tsx": "import Thing from './b';\nThing;\n", "src/b.ts": "export const other = 1;\n"}
    assert "no export" in left(files, error("TS1192", "Module '\"/workspace/src/b\"' has no default export."))


def test_two_files_of_a_name_are_left() -> None:
    files = {
        "src/a.tsx": "import { go } from './x/go';\ngo();\n",
        "src/y/go.ts": "export const go = 1;\n",
        "src/z/go.ts": "export const go = 1;\n",
    }
    assert "src/y/go.ts or src/z/go.ts" in left(files, gone("./x/go"))


def test_packages_are_installed_unless_they_cannot_be() -> None:
    def wants(source: str, **how: bool) -> FixReport:
        return run({"src/a.tsx": f"import x from '{source}';\nx;\n"}, gone(source), **how)  # type: ignore[arg-type]

    assert wants("lodash/debounce").install == ["lodash"]
    assert wants("@scope/thing/part").install == ["@scope/thing"]
    assert not wants("lodash/debounce").written
    for source, why in {
        "zustnad": "may be a slip for zustand",
        "react/none": "has no react/none",
        "node:fs": "Node.js",
        "path": "Node.js",
        "Bad Name; rm -rf": "no package name",
        "../../outside": "outside",
    }.items():
        assert why in left({"src/a.tsx": f"import x from '{source}';\nx;\n"}, gone(source))
    assert "could not be installed" in left({"src/a.tsx": "import x from 'lodash';\n"}, gone("lodash"), refused=True)


def test_types_are_installed_first_and_declared_when_there_are_none() -> None:
    files = {"src/a.tsx": "import x from '@a/b';\nx;\n", "src/untyped-packages.d.ts": 'declare module "old";\n'}
    untyped = error("TS7016", "Could not find a declaration file for module '@a/b'. '/x.js' implicitly")
    assert run(files, untyped).install == ["@types/a__b"]
    report = run(files, untyped, refused=True)
    assert report.changed == {"src/untyped-packages.d.ts": 'declare module "old";\ndeclare module "@a/b";\n'}


def test_a_stand_in_repairs_nothing_and_stays_visible() -> None:
    files = {
        "src/a.tsx": "import { useState } from 'react';\nimport { Chart, load, type Row } from './chart';\n"
        "export const A = (row: Row) => <Chart at={useState(load(row))} />;\n"
    }
    issue = error("TS2307", "Cannot find module './chart' or its corresponding type declarations.", line=2)
    report = run(files, issue)
    assert report.stubs == ["src/chart.tsx"]
    assert [(each.line, each.message.startswith(issue.message)) for each in report.open] == [(2, True)]
    assert "src/chart.tsx stands in for it" in report.open[0].message
    found = find_stubs(files | report.written)
    assert [(each.file, each.severity) for each in found] == [("src/chart.tsx", Severity.WARNING)]
    assert find_stubs(files | {"src/chart.tsx": "export const Chart = () => null;\n"}) == []
    stub = report.created["src/chart.tsx"]
    assert 'role="alert"' in stub and "throw new Error" in stub and "export type Row = any;" in stub


def test_near_misses_of_a_path_get_no_stand_in() -> None:
    files = {
        "src/a.tsx": "import S from './stor';\nS;\n",
        "src/stor.tsx.bak": "",
        "src/store.ts": "export default 1;\n",
    }
    assert "src/store.ts may be meant" in left(files, gone("./stor"))


def test_a_style_sheet_that_is_missing_is_left() -> None:
    assert "cannot be told" in left({"src/a.tsx": "import './x.css';\n"}, gone("./x.css"))


def test_an_issue_left_is_told_at_its_new_line() -> None:
    files = {"src/a.tsx": "\nexport const x = useState(1);\n\nnobody();\n"}
    report = run(files, unknown("useState", 2), unknown("nobody", 4))
    assert report.changed["src/a.tsx"].splitlines()[4] == "nobody();"
    assert [issue.line for issue in report.open] == [5]


def test_line_ends_quotes_and_directives_are_kept() -> None:
    report = run(
        {"src/a.tsx": "'use client'\r\nimport { useId } from 'react'\r\nuseState(useId())\r\n"}, unknown("useState")
    )
    assert report.changed == {
        "src/a.tsx": "'use client'\r\nimport { useId, useState } from 'react'\r\nuseState(useId())\r\n"
    }
    report = run({"src/a.tsx": '"use client";\n\nuseState(1);\n'}, unknown("useState"))
    assert report.changed["src/a.tsx"] == '"use client";\nimport { useState } from "react";\n\nuseState(1);\n'
    files = {"src/a.tsx": "import type { FC } from 'react'\nexport const a: FC = () => useState(1)[0]\n"}
    assert (
        run(files, unknown("useState"))
        .changed["src/a.tsx"]
        .startswith("import type { FC } from 'react'\nimport { useState } from 'react'\n")
    )


def test_files_that_pass_everything_on_in_circles_are_followed_once() -> None:
    names = [f"b{number}" for number in range(40)]
    files = {f"src/{name}.ts": "".join(f"export * from './{other}';\n" for other in names) for name in names}
    files |= {"src/a.tsx": "go();\n", "src/b7.ts": files["src/b7.ts"] + "export const go = () => 1;\n"}
    assert run(files, unknown("go")).changed["src/a.tsx"].startswith('import { go } from "./b7";')


def test_long_and_deep_files_take_no_long_time() -> None:
    files = {"src/a.tsx": "go(1);\n" * 20_000 + "(" * 3000 + ")" * 3000}
    run(files, unknown("useState"), unknown("go", 7))
    files = {"src/a.tsx": "useState(1);\n" * 20_000}
    assert run(files, unknown("useState"), unknown("go", 7)).open[0].line == 8


NAMES = ["useState", "ReactNode", "go", "stop", "Panel", "Task"]
LINES = [
    "import { useState } from 'react';",
    "import type { Task } from './types';",
    "import Panel, { go as stop } from '@/b';",
    "import * as all from './b';",
    "export const go = () => 1;",
    "const stop = () => useState(go());",
    "export interface Task { id: string }",
    "type Row = Task[];",
    "export default function Panel() { return <p>{go}</p>; }",
    "export { stop };",
    "export * from './b';",
    "export { Task as Row } from './types';",
    "// é 日本 𝕏",
    "const broken = {;",
]
MESSAGES = [
    ("TS2304", "Cannot find name '{name}'."),
    ("TS2305", "Module '\"./b\"' has no exported member '{name}'."),
    ("TS2307", "Cannot find module './b' or its corresponding type declarations."),
    ("TS2307", "Cannot find module './{name}' or its corresponding type declarations."),
    ("TS2459", "Module '\"./b\"' declares '{name}' locally, but it is not exported."),
    ("TS2613", "Module '\"/workspace/src/b\"' has no default export."),
    (
        "TS2614",
        "Module '\"@/b\"' has no exported member '{name}'. Did you mean to use 'import {name} from \"@/b\"' instead?",
    ),
    ("TS2724", "'\"./types\"' has no exported member named '{name}'. Did you mean 'Task'?"),
    (
        "TS1484",
        "'{name}' is a type and must be imported using a type-only import when",
    ),
    ("TS7016", "Could not find a declaration file for module '{name}'."),
    ("TS2686", "'React' refers to a UMD global, but the current file is a module."),
    ("TS2345", "Argument of type '{name}' is not assignable."),
]
texts = st.lists(st.sampled_from(LINES), max_size=6).map(lambda lines: "\n".join(lines) + "\n")
projects = st.dictionaries(
    st.sampled_from(["src/a.tsx", "src/b.tsx", "src/types.ts", "src/lib/c.ts"]), texts, min_size=1
)
issues = st.builds(
    lambda kind, name, file, line: error(kind[0], kind[1].replace("{name}", name), file, line),
    st.sampled_from(MESSAGES),
    st.sampled_from(NAMES),
    st.sampled_from(["src/a.tsx", "src/b.tsx", "src/none.ts", "package.json"]),
    st.integers(1, 9),
)


@given(projects, st.lists(issues, max_size=6))
@settings(max_examples=120, deadline=None)
def test_repair_keeps_files_parsing_and_is_done_at_once(files: dict[str, str], found: list[Issue]) -> None:
    report = run(files, *found)
    assert [outcome.issue for outcome in report.outcomes] == found
    for path, text in report.changed.items():
        assert text != files[path]
        assert read_module(path, files[path]).sound
    for path, text in report.written.items():
        assert read_module(path, text).sound
        assert report.reasons[path]
    named = {issue.file for issue in found} | {"src/b.tsx", "src/types.ts"}
    assert report.changed.keys() <= named
    again = run(files | report.written, *found)
    assert not again.written, (report.written, again.written)


@given(projects)
@settings(max_examples=50, deadline=None)
def test_without_issues_of_its_kind_nothing_changes(files: dict[str, str]) -> None:
    other = [error("TS2345", "Argument of type 'x'.", path) for path in files]
    assert not run(files, *other).written
    assert not run(files).written


@given(st.sampled_from(sorted(RULES)), st.text(max_size=80), texts)
@settings(max_examples=100, deadline=None)
def test_strange_messages_and_texts_harm_nothing(code: str, message: str, text: str) -> None:
    files = {"src/a.tsx": text + message}
    report = run(files, error(code, message), error(code, f"Cannot find name '{message}'."), unknown(message))
    assert all(re.search(r"\.tsx?$", path) for path in report.written)
