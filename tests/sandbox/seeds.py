"""Seeded faults, ten and more of every kind: what they are, and at which line they are to be found.

React seeds are modules of one project, `src/seeds/<name>.tsx`; its page shows the one that its address names.
"""

from typing import NamedTuple

# Each is one file. The last hides all others from the compiler.
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
    ("html", "missing-file", 2, "<!doctype html>\n<link rel=stylesheet href=gone.css>\n"),
    ("html", "missing-file", 3, "<!doctype html>\n<p>a</p>\n<a href=gone.html>b</a>\n"),
    ("html", "a11y/useAltText", 2, "<!doctype html>\n<img src='data:,'>\n"),
    ("css", "suspicious/noDuplicateProperties", 3, "p {\n  color: red;\n  color: blue;\n}\n"),
    ("css", "correctness/noInvalidPositionAtImportRule", 2, "p { color: red }\n@import 'a.css';\n"),
    ("css", "correctness/noUnknownFunction", 2, "p {\n  color: rgbx(1, 2, 3);\n}\n"),
    ("css", "correctness/noUnknownProperty", 2, "p {\n  colr: red;\n}\n"),
    ("css", "correctness/noUnknownUnit", 2, "p {\n  width: 10pxx;\n}\n"),
    ("css", "parse", 2, "p {\n  color: #12;\n}\n"),
    ("css", "missing-file", 2, "p {\n  background: url(gone.png);\n}\n"),
    ("js", "missing-file", 2, "const a = 1\nimport './gone.js'\nexport { a }\n"),
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

# What keeps a Python service from starting; each is the module `app/part.py` below an empty line.
START = [
    ("ModuleNotFoundError", "import no_such_package  # noqa: F401\n"),
    ("ImportError", "from os import nothing_like_this  # noqa: F401\n"),
    ("NameError", "later()  # noqa: F821\n"),
    ("ZeroDivisionError", "VALUE = 1 / 0\n"),
    ("AttributeError", "VALUE = ''.none()\n"),
    ("TypeError", "VALUE = len(3)\n"),
    ("KeyError", "VALUE = {}['a']\n"),
    ("IndexError", "VALUE = [][0]\n"),
    ("ValueError", "VALUE = int('x')\n"),
    ("FileNotFoundError", "VALUE = open('none.txt')  # noqa: SIM115\n"),
    ("SystemExit", "raise SystemExit(3)\n"),
]

# Modules of one project, `src/seeds/build<number>.ts`, all told by one build.
BUILDS = [
    ("UNRESOLVED_IMPORT", 1, "import { a } from './gone'\nexport const x = a\n"),
    ("UNRESOLVED_IMPORT", 3, "export const a = 1\n\nexport * from './away'\n"),
    (
        "UNRESOLVED_IMPORT",
        4,
        "interface A {\n  a: 1\n}\nimport logo from './logo.svg'\nexport const x: A | string = logo\n",
    ),
    ("UNRESOLVED_IMPORT", 2, "// first\nexport const load = () => import('./lazy')\n"),
    ("PARSE_ERROR", 3, "const a = 1\n\nlet a = 2\nexport { a }\n"),
    ("PARSE_ERROR", 3, "export const x = 1\n\nexport const x = 2\n"),
    ("PARSE_ERROR", 3, "export const a = 1\n\nexport { b }\n"),
    ("PARSE_ERROR", 4, "type A = 1\n\nexport function f(): A | void {\n  break\n}\n"),
    ("PLUGIN_ERROR", 2, "export const x = {\n  a: 1;\n}\n"),
    ("PLUGIN_ERROR", 2, "export const f = () => {\n  await 1\n}\n"),
    ("PLUGIN_ERROR", 1, "export const a = 'open\n"),
]
# Each takes a build of its own: (file, line, text).
BUILDS_ALONE = [
    ("src/App.tsx", 3, "\n\nimport 'no-such-package'\nexport default function App() { return null }\n"),
    ("src/App.tsx", 1, "import { nothing } from './lib/cn'\nexport default function App() { return nothing }\n"),
    ("src/index.css", 2, "@import 'tailwindcss';\n@import './gone.css';\n"),
]


class Seed(NamedTuple):
    """One fault: the code of its issue, its line (None where nobody can tell), the file's text."""

    code: str
    line: int | None
    text: str


CHOOSER = """const modules = import.meta.glob<{ default: () => React.ReactNode }>('./seeds/*.tsx')
const name = new URLSearchParams(location.search).get('seed') ?? ''
const Seed = (await modules[`./seeds/${name}.tsx`]()).default

export default function App() {
  return <Seed />
}
"""

_HOOKS = "import { useEffect, useLayoutEffect, useMemo, useReducer, useState, useSyncExternalStore } from 'react'\n"


def component(body: str, head: str = "") -> str:
    return f"{head}export default function App() {{\n{body}\n}}\n"


def effect(body: str) -> str:
    """A component that does something once it is shown; `body` is line 4 of the file."""
    return component(f"  useEffect(() => {{\n    {body}\n  }}, [])\n  return <p>hi</p>", _HOOKS)


def hooks(body: str) -> str:
    """A component with a state `a`; `body` begins at line 4."""
    return component(f"  const [a, set] = useState({{ n: 1 }})\n  {body}\n  return <p>hi {{a.n}}</p>", _HOOKS)


RUNTIME = [
    Seed("page-error", 3, component("  const a = JSON.parse('null')\n  return <p>{a.b}</p>")),
    Seed("page-error", 4, effect("void Promise.reject(new Error('boom'))")),
    Seed("page-error", 4, effect("throw new TypeError('bad')")),
    Seed("page-error", 4, effect("setTimeout(() => { JSON.parse('{') })")),
    Seed("page-error", 2, component("  const a: string[] = JSON.parse('{}').list.map(String)\n  return <p>{a}</p>")),
    Seed("page-error", 2, component("  const a = new Array(JSON.parse('-1'))\n  return <p>{a.length}</p>")),
    Seed("page-error", 4, effect("document.querySelector('!!')")),
    Seed("page-error", 2, component("  return <p>{JSON.parse('{\"a\": {}}').a.b.c}</p>")),
    Seed("page-error", 4, effect("void (async () => { await null; throw new Error('later') })()")),
    Seed("page-error", 1, component("  return <p>hi</p>", "document.getElementById('none')!.remove()\n")),
]

CONSOLE = [
    Seed("console-error", 4, effect("console.error('it is %s', 'odd')")),
    Seed("console-error", 4, effect("console.error(new Error('told'))")),
    Seed("console-error", None, component("  return <ul>{[1, 2].map((i) => <li>{i}</li>)}</ul>")),
    Seed("console-error", None, component("  return <ul>{[1, 2].map(() => <li key='a'>x</li>)}</ul>")),
    Seed("console-error", None, component("  return <p><div>nested</div></p>")),
    Seed("console-error", None, component("  return <p {...{ class: 'a' }}>hi</p>")),
    Seed("console-error", None, component("  return <input value='a' />")),
]

REQUESTS = [
    Seed("request-failed", None, effect("fetch('http://127.0.0.1:9/x').catch(() => {})")),
    Seed("request-failed", None, component("  return <p>hi <img alt='' src='http://127.0.0.1:9/a.png' /></p>")),
    Seed(
        "request-failed", None, component("  return <p style={{ background: 'url(http://127.0.0.1:9/b.png)' }}>hi</p>")
    ),
    Seed("request-failed", None, effect("import(/* @vite-ignore */ 'http://127.0.0.1:9/a.js').catch(() => {})")),
    Seed("http-404", None, effect("void fetch('/api/none', { method: 'POST' })")),
]

LOOPS = [
    Seed("render-loop", 4, hooks("useEffect(() => set({ ...a }), [a])")),
    Seed("render-loop", 4, hooks("useEffect(() => set({ n: a.n + 1 }))")),
    Seed("render-loop", 4, hooks("useLayoutEffect(() => set({ n: a.n + 1 }))")),
    Seed("render-loop", 5, hooks("const list = [1]\n  useEffect(() => set({ n: list.length }), [list])")),
    Seed("render-loop", 5, hooks("const f = () => 1\n  useEffect(() => set({ n: f() }), [f])")),
    Seed("render-loop", 5, hooks("const m = useMemo(() => ({ ...a }), [a])\n  useEffect(() => set({ ...m }), [m])")),
    Seed("render-loop", 5, hooks("const [, go] = useReducer((n: number) => n + 1, 0)\n  useEffect(() => go())")),
    Seed("render-loop", None, component("  const [a, set] = useState(0)\n  set(a + 1)\n  return <p>{a}</p>", _HOOKS)),
    Seed("render-loop", None, hooks("const s = useSyncExternalStore(() => () => {}, () => ({}))\n  void s")),
    Seed(
        "render-loop", None, component("  const [, set] = useState({})\n  return <p ref={() => set({})}>hi</p>", _HOOKS)
    ),
]
