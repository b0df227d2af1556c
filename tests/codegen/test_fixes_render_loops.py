"""Loops that are found, and code like them that ends: the demo's applications and the template have none."""

from pathlib import Path

import pytest

import stich.demo
from codegen.fixes import find_render_loops
from codegen.scof import ScofParser
from sandbox.catalogue import template
from schemas.checks import Issue, IssueSource, Severity
from schemas.scof import FileClosed

STORE = """import { create } from 'zustand';
export const useBoard = create<Board>()((set) => ({ tasks: [], name: '' }));
"""
IMPORTS = "import { useEffect, useMemo, useState } from 'react';\nimport { useBoard } from './store';\n"


def find(body: str, *, zustand: str = "5.1.0") -> list[Issue]:
    """What is found in a component whose body starts at line 4."""
    component = f"{IMPORTS}export function Board({{ items, id }}: Props) {{\n{body}\n}}\n"
    files = {
        "src/Board.tsx": component,
        "src/store.ts": STORE,
        "package.json": f'{{"dependencies": {{"zustand": "{zustand}"}}}}',
    }
    return find_render_loops(files)


STATE = "const [a, setA] = useState<number[]>([]);\n"  # line 4

LOOPS = {
    "in render": ("setA([1]);\nreturn <p />;", "stich/set-state-in-render", 5, True),
    "called instead of passed": ("return <button onClick={setA([1])} />;", "stich/set-state-in-render", 5, True),
    "handler called instead of passed": (
        "const add = () => { setA([1]); };\nreturn <button onClick={add()} />;", "stich/set-state-in-render", 5, True
    ),
    "behind an effect that returns": (
        "useEffect(() => () => stop(), []);\nsetA([1]);", "stich/set-state-in-render", 6, True
    ),
    "no list": ("useEffect(() => { setA([...items]); });", "stich/effect-after-every-render", 5, True),
    "no list, its own count": ("useEffect(() => { setA(a + 1); });", "stich/effect-after-every-render", 5, True),
    "no list, its own count, by function": (
        "useEffect(() => { setA((old) => old + 1); });", "stich/effect-after-every-render", 5, True
    ),
    "no list, unknown value": ("useEffect(() => { setA(read()); });", "stich/effect-after-every-render", 5, False),
    "no list, later": (
        "useEffect(() => { fetch('/x').then((r) => setA(r)); });", "stich/effect-after-every-render", 5, False
    ),
    "no list, in a helper": (
        "useEffect(() => {\nconst load = async () => { const r = await get(); setA(r); };\nload();\n});",
        "stich/effect-after-every-render", 5, False,
    ),
    "object made in render": (
        "const query = { id };\nuseEffect(() => { setA(search(query)); }, [query]);",
        "stich/unstable-effect-dependency", 6, False,
    ),
    "function made in render": (
        "const load = () => { setA([1]); };\nuseEffect(() => { load(); }, [load]);",
        "stich/unstable-effect-dependency", 6, True,
    ),
    "array filtered in render": (
        "const open = items.filter(Boolean);\nuseEffect(() => { setA(open); }, [id, open]);",
        "stich/unstable-effect-dependency", 6, False,
    ),
    "literal in the list": ("useEffect(() => setA(sum(id)), [[id]]);", "stich/unstable-effect-dependency", 5, False),
    "its own state": ("useEffect(() => { setA([...a, 1]); }, [a]);", "stich/effect-sets-its-dependency", 5, True),
    "its own state, from the old": (
        "useEffect(() => { setA((old) => [...old, 1]); }, [a]);", "stich/effect-sets-its-dependency", 5, True
    ),
    "its own switch": ("useEffect(() => { setA(!a); }, [a]);", "stich/effect-sets-its-dependency", 5, True),
    "date made in render": (
        "const now = new Date();\nuseEffect(() => { setA(until(now)); }, [now]);",
        "stich/unstable-effect-dependency", 6, False,
    ),
    "its own count": ("useEffect(() => { setA(a + 1); }, [a]);", "stich/effect-sets-its-dependency", 5, True),
    "selector makes an object": (
        "const { tasks } = useBoard((s) => ({ tasks: s.tasks }));", "stich/unstable-selector", 5, True
    ),
    "selector makes an array": (
        "const open = useBoard((s) => s.tasks.filter((t) => t.open));", "stich/unstable-selector", 5, True
    ),
    "selector with a body": (
        "const all = useBoard((s) => {\nreturn Object.keys(s.tasks);\n});", "stich/unstable-selector", 5, True
    ),
    "selector that may": ("const mine = useBoard((s) => s.byId[id] ?? []);", "stich/unstable-selector", 5, False),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOPS)
def test_loops_are_found_where_they_are(name: str) -> None:
    body, code, line, certain = LOOPS[name]
    found = find(STATE + body)
    assert [(issue.file, issue.line, issue.code) for issue in found] == [("src/Board.tsx", line, code)]
    assert found[0].severity is (Severity.ERROR if certain else Severity.WARNING)
    assert found[0].source is IssueSource.LINT


ENDS = [
    "if (id !== a) setA(id);",
    "if (!id) return null;\nsetA([1]);",
    "id && setA([1]);",
    "return <button onClick={() => setA([1])} />;",
    "const set = () => setA([1]);\nreturn <p onClick={set} />;",
    "const set = (n: number) => () => setA([n]);\nreturn <p onClick={set(1)} />;",
    "const set = async () => { await stored(); setA([1]); };\nvoid set();",
    "useEffect(() => { setA([1]); }, []);",
    "useEffect(() => { setA([id]); }, [id]);",
    "useEffect(() => { setA(true); });",
    "useEffect(() => { if (a !== id) setA(id); });",
    "useEffect(() => { addEventListener('x', () => setA([1])); });",
    "useEffect(() => { const t = setTimeout(() => setA([1]), 9); return () => clearTimeout(t); });",
    "useEffect(() => { setA(a); }, [a]);",
    "useEffect(() => { if (a.length < 3) setA([...a, 1]); }, [a]);",
    "const query = useMemo(() => ({ id }), [id]);\nuseEffect(() => { setA(search(query)); }, [query]);",
    "const query = { id };\nuseEffect(() => { log(query); }, [query]);",
    "const query = { id };\nuseEffect(() => { setA(null); }, [query]);",
    "const tasks = useBoard((s) => s.tasks);",
    "const done = useBoard((s) => s.tasks.filter((t) => t.done).length);",
    "const tasks = useBoard(useShallow((s) => ({ tasks: s.tasks })));",
    "const tasks = useBoard((s) => ({ tasks: s.tasks }), shallow);",
    "const other = useOther((s) => ({ tasks: s.tasks }));",
]


@pytest.mark.parametrize("body", ENDS)
def test_what_ends_is_not_reported(body: str) -> None:
    assert find(STATE + body) == []


def test_an_older_zustand_compares_and_only_renders_too_often() -> None:
    found = find(STATE + "const x = useBoard((s) => ({ n: s.name }));", zustand="^4.5.0")
    assert [issue.severity for issue in found] == [Severity.WARNING]


def test_components_are_known_however_they_are_written() -> None:
    body = "const [a, setA] = useState(0); setA(1); return null;"
    for text in (
        f"export default function Page() {{ {body} }}",
        f"const Page = () => {{ {body} }};",
        f"export const Page = memo(function Page() {{ {body} }});",
        f"const Page = React.forwardRef((props, ref) => {{ {body} }});",
        f"export function usePage() {{ {body} }}",
    ):
        assert [issue.code for issue in find_render_loops({"src/a.tsx": text})] == ["stich/set-state-in-render"], text
    assert find_render_loops({"src/a.tsx": f"function page() {{ {body} }}"}) == []
    assert find_render_loops({"src/a.tsx": "function Page() { useState(; }", "src/b.css": "useEffect"}) == []


def test_code_nested_without_end_is_passed_over() -> None:
    deep = "(" * 3000 + "1" + ")" * 3000
    files = {"src/a.tsx": f"function A() {{ const [a, setA] = useState(0); return {deep}; }}"}
    assert find_render_loops(files) == []


def test_the_template_and_the_recorded_applications_have_no_loops() -> None:
    files = {path: text.decode() for path, text in template("react-vite").files.items()}
    assert find_render_loops(files) == []
    recordings = Path(stich.demo.__file__).parent / "recordings"
    streams = sorted(recordings.glob("*/*.scof"))
    assert len(streams) > 5
    for folder in sorted({stream.parent for stream in streams}):
        project = dict(files)
        for stream in sorted(folder.glob("*.scof")):
            parser = ScofParser(protected=[], existing=project)
            closed = [*parser.feed(stream.read_text()), *parser.finish()]
            project |= {event.path: event.content for event in closed if isinstance(event, FileClosed)}
            assert find_render_loops(project) == [], stream
