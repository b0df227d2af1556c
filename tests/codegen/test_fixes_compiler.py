"""Each repair against the real compiler: the code is wrong before, by this error, and right afterwards."""

import json
from dataclasses import dataclass, field

import pytest

from codegen.fixes import FixReport, fix_issues
from sandbox import Workspace
from schemas.checks import Issue, IssueSource
from tests.sandbox.conftest import sandbox, session_id, settings, workspace

__all__ = ["sandbox", "session_id", "settings", "workspace"]  # fixtures of the machine


@dataclass(frozen=True)
class Case:
    """A small project in a folder of its own (`@here` in the texts), and what its repair must contain."""

    code: str
    files: dict[str, str]
    repaired: dict[str, str]
    statuses: set[str] = field(default_factory=lambda: {"fixed"})
    refused: bool = False


THING = "export function makeThing() {\n  return 1;\n}\n"
TYPES = "export interface Task {\n  id: string;\n}\nexport const first: Task = { id: '1' };\n"
PANEL = "export default function Panel() {\n  return null;\n}\nexport const size = 1;\n"

CASES = {
    "hook": Case(
        "TS2304",
        {"a.tsx": "import { useEffect } from 'react';\nuseEffect;\nexport const use = () => useState(0);\n"},
        {"a.tsx": "import { useEffect, useState } from 'react';\n"},
    ),
    "hook without any import": Case(
        "TS2304",
        {"a.tsx": "export const use = () => useRef(0)\n"},
        {"a.tsx": 'import { useRef } from "react";\nexport'},
    ),
    "react type": Case(
        "TS2304",
        {"a.tsx": "export const show = (node: ReactNode) => node;\n"},
        {"a.tsx": 'import type { ReactNode } from "react";\n'},
    ),
    "several names, in lines of their own": Case(
        "TS2304",
        {
            "a.tsx": "import {\n  useEffect,\n  useMemo,\n} from 'react'\n"
            "export const x = [useEffect, useMemo, useRef]\nexport type N = ReactNode\n"
        },
        {"a.tsx": "import {\n  useEffect,\n  useMemo,\n  useRef,\n  type ReactNode,\n} from 'react'\n"},
    ),
    "name of the project": Case(
        "TS2304",
        {"lib/thing.ts": THING, "a.ts": "export const x = makeThing();\n"},
        {"a.ts": 'import { makeThing } from "./lib/thing";\n'},
    ),
    "name of the project, by alias": Case(
        "TS2304",
        {
            "lib/thing.ts": THING,
            "b.ts": "export const b = 1;\n",
            "a.ts": "import { b } from '@/@here/b'\nmakeThing(b)\n".replace("(b)", "()\nb"),
        },
        {"a.ts": "import { makeThing } from '@/@here/lib/thing'\n"},
    ),
    "type of the project": Case(
        "TS2304",
        {"types.ts": TYPES, "a.ts": "export const x: Task[] = [];\n"},
        {"a.ts": 'import type { Task } from "./types";\n'},
    ),
    "default export of the project": Case(
        "TS2304",
        {"Panel.tsx": PANEL, "a.tsx": "export const x = <Panel />;\n"},
        {"a.tsx": 'import Panel from "./Panel";\n'},
    ),
    "through a barrel": Case(
        "TS2304",
        {"lib/thing.ts": THING, "lib/index.ts": "export * from './thing'\n", "a.ts": "makeThing();\nexport {};\n"},
        {"a.ts": 'import { makeThing } from "./lib/thing";\n'},
    ),
    "a name with a suggestion": Case(
        "TS2552",
        {"lib/thing.ts": THING, "a.ts": "const makeThin = 1;\nexport const x = [makeThin, makeThing()];\n"},
        {"a.ts": 'import { makeThing } from "./lib/thing";\n'},
    ),
    "shorthand": Case(
        "TS18004",
        {"lib/thing.ts": THING, "a.ts": "export const x = { makeThing };\n"},
        {"a.ts": 'import { makeThing } from "./lib/thing";\n'},
    ),
    "namespace": Case(
        "TS2503",
        {"a.tsx": "export const show = (): JSX.Element => <p />;\n"},
        {"a.tsx": 'import type { JSX } from "react";\n'},
    ),
    "react itself": Case(
        "TS2686",
        {"a.tsx": "import { useState } from 'react';\nexport const use = () => [React.useId(), useState(1)];\n"},
        {"a.tsx": "import React, { useState } from 'react';\n"},
    ),
    "not exported": Case(
        "TS2459",
        {
            "b.ts": "const x = 1;\n\n/** Adds. */\nconst add = () => x;\nexport const y = add();\n",
            "a.ts": "import { add } from './b';\nadd();\n",
        },
        {"b.ts": "/** Adds. */\nexport const add = () => x;\n"},
    ),
    "a type not exported": Case(
        "TS2459",
        {
            "b.ts": "interface Row {\n  id: 1;\n}\nexport const y: Row[] = [];\n",
            "a.ts": "import { Row } from './b';\nexport type R = Row;\n",
        },
        {"b.ts": "export interface Row {\n", "a.ts": "import type { Row } from './b';\n"},
    ),
    "exported by another name": Case(
        "TS2460",
        {"b.ts": "const add = () => 1;\nexport { add as sum };\n", "a.ts": "import { add } from './b';\nadd();\n"},
        {"a.ts": "import { sum as add } from './b';\n"},
    ),
    "another case of letters": Case(
        "TS2724",
        {"b.ts": "export const URLS = [1];\n", "a.ts": "import { Urls } from './b';\nexport const x = Urls[0];\n"},
        {"a.ts": "import { URLS as Urls } from './b';\n"},
    ),
    "from the wrong file": Case(
        "TS2305",
        {
            "types.ts": TYPES,
            "b.ts": "export const b = 1;\n",
            "a.ts": "import { b, Task } from './b';\nexport const x: Task[] = [];\nb;\n",
        },
        {"a.ts": "import { b } from './b';\nimport type { Task } from \"./types\";\n".replace('"', "'")},
    ),
    "did you mean": Case(
        "TS2724",
        {"lib/thing.ts": THING, "a.ts": "import { makeThin as m } from './lib/thing';\nm();\n"},
        {"a.ts": "import { makeThing as m } from './lib/thing';\n"},
    ),
    "did you mean, of a package": Case(
        "TS2724",
        {"a.tsx": "import { Calender, Plus } from 'lucide-react';\nexport const x = [<Calender />, <Plus />];\n"},
        {"a.tsx": "import { Calendar as Calender, Plus } from 'lucide-react';\n"},
    ),
    "other extension": Case(
        "TS2307",
        {"lib/thing.ts": THING, "a.ts": "import { makeThing } from './lib/thing.mjs';\nmakeThing();\n"},
        {"a.ts": "import { makeThing } from './lib/thing';\n"},
    ),
    "other case of a path": Case(
        "TS2307",
        {"Panel.tsx": PANEL, "a.tsx": "import P from './panel';\nexport const x = <P />;\n"},
        {"a.tsx": "import P from './Panel';\n"},
    ),
    "other folder": Case(
        "TS2307",
        {"lib/thing.ts": THING, "a/b.ts": "import { makeThing } from './lib/thing';\nmakeThing();\n"},
        {"a/b.ts": "import { makeThing } from '../lib/thing';\n"},
    ),
    "other folder, by alias": Case(
        "TS2307",
        {
            "types.ts": TYPES,
            "a.ts": "import { Task, first } from '@/@here/types/task';\nexport const x: Task = first;\n",
        },
        {"a.ts": "import { type Task, first } from '@/@here/types';\n"},
    ),
    "a module never written": Case(
        "TS2307",
        {
            "a.tsx": "import Chart, { type Point, round } from './chart';\n"
            "export const x = (p: Point) => <Chart at={round(p)} />;\n"
        },
        {"chart.tsx": "Not built yet: Chart"},
        {"stubbed"},
    ),
    "a module never written, imported twice": Case(
        "TS2307",
        {"a.ts": "import { one } from './gone';\none();\n", "b.ts": "import { two } from './gone';\ntwo();\n"},
        {"gone.ts": "export const two"},
        {"stubbed"},
    ),
    "default that is named": Case(
        "TS1192",
        {"b.ts": "export const thing = 1;\n", "a.ts": "import Thing from '@/@here/b';\nexport const x = Thing;\n"},
        {"a.ts": "import { thing as Thing } from '@/@here/b';\n"},
    ),
    "default that is named, with others": Case(
        "TS2613",
        {
            "b.ts": "export const thing = 1;\nexport const other = 2;\n",
            "a.ts": "import thing, { other } from './b';\nexport const x = [thing, other];\n",
        },
        {"a.ts": "import { thing, other } from './b';\n"},
    ),
    "default of a package that is named": Case(
        "TS2613",
        {"a.ts": "import Link from 'react-router';\nexport const x = Link;\n"},
        {"a.ts": "import { Link } from 'react-router';\n"},
    ),
    "default of a package, as it once was": Case(
        "TS1192",
        {"a.ts": "import create from 'zustand';\nexport const useIt = create(() => 1);\n"},
        {"a.ts": "import { create } from 'zustand';\n"},
    ),
    "named that is the default": Case(
        "TS2614",
        {"Panel.tsx": PANEL, "a.tsx": "import { Panel } from './Panel';\nexport const x = <Panel />;\n"},
        {"a.tsx": "import Panel from './Panel';\n"},
    ),
    "named that is the default, with others": Case(
        "TS2614",
        {"Panel.tsx": PANEL, "a.tsx": "import { Panel, size } from './Panel';\nexport const x = [<Panel />, size];\n"},
        {"a.tsx": "import Panel, { size } from './Panel';\n"},
    ),
    "type imported as a value": Case(
        "TS1484",
        {"types.ts": TYPES, "a.ts": "import { Task, first } from './types';\nexport const x: Task = first;\n"},
        {"a.ts": "import { type Task, first } from './types';\n"},
    ),
    "package without types": Case(
        "TS7016",
        {"a.ts": "import { isElement } from 'react-is';\nisElement(1);\n"},
        {"/src/untyped-packages.d.ts": 'declare module "react-is";\n'},
        refused=True,
    ),
}


def laid_out(number: int, case: Case) -> dict[str, str]:
    """The files of a case at their place in the project."""
    here = f"case{number}"
    return {f"src/{here}/{path}": text.replace("@here", here) for path, text in case.files.items()}


def repair(case: Case, files: dict[str, str], issues: list[Issue], packages: set[str]) -> FixReport:
    return fix_issues(
        files, issues, packages=packages, protected=lambda path: False, refused=lambda package: case.refused
    )


@pytest.fixture
async def type_errors(workspace: Workspace) -> dict[str, list[Issue]]:
    """The errors of all cases, checked at once, by case."""
    for number, case in enumerate(CASES.values()):
        for path, text in laid_out(number, case).items():
            await workspace.write(path, text)
    report = await workspace.check()
    found = [issue for issue in report.issues if issue.source is IssueSource.TYPECHECK]
    return {
        name: [issue for issue in found if (issue.file or "").startswith(f"src/case{number}/")]
        for number, name in enumerate(CASES)
    }


async def test_what_the_compiler_refuses_is_right_after_the_repair(
    workspace: Workspace, type_errors: dict[str, list[Issue]]
) -> None:
    package = json.loads(await workspace.read("package.json"))
    packages = {*package["dependencies"], *package["devDependencies"]}
    for number, (name, case) in enumerate(CASES.items()):
        files, issues = laid_out(number, case), type_errors[name]
        assert case.code in {issue.code for issue in issues}, (name, issues)

        report = repair(case, files, issues, packages)

        assert {outcome.status for outcome in report.outcomes} == case.statuses, (name, report.outcomes)
        for path, expected in case.repaired.items():
            place = path[1:] if path.startswith("/") else f"src/case{number}/{path}"
            assert expected.replace("@here", f"case{number}") in report.written.get(place, ""), (name, report.written)
        assert len(report.written) == len(case.repaired), (name, list(report.written))
        again = repair(case, files | report.written, issues, packages)
        assert not again.written, (name, again.written)
        assert len(again.open) == len(report.open), (name, again.outcomes)
        for path, text in report.written.items():
            await workspace.write(path, text)

    after = await workspace.check()
    assert [issue for issue in after.errors if issue.source is IssueSource.TYPECHECK] == []
