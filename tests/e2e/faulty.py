"""Recorded sessions in which a model writes wrong code, one per kind of error, and what puts it right.

Small on purpose: one phase of one or two files each, so that one stack plays them all at once.
"""

import json
from dataclasses import dataclass, field

from schemas.recording import Exchange, Match, RecordedToolCall, Recording, Reply

CLEAN_REVIEW = {"summary": "It does what was asked.", "files": []}
CLEAN_LOOK = {"matches": True, "summary": "What was planned is to be seen.", "issues": []}
README = {"summary": "A small application.", "features": ["It does what was asked."]}


@dataclass(frozen=True)
class Faulty:
    """A session. `found` is the code of the error that must be found, `mended` a text of the file that is right.

    `files` are what the model writes first. The others are its answers, in order, to the fixer, to the reviewer and to
    whoever looks at pictures, where finding nothing comes last; `more` are further ones. `right` are files as they
    should be, where that does not follow from the answers to the fixer. `dependencies` are those of the blueprint.
    """

    name: str
    found: str
    path: str
    mended: str
    files: dict[str, str]
    fixes: tuple[str, ...] = ()
    reviews: tuple[dict[str, object], ...] = ()
    looks: tuple[dict[str, object], ...] = ()
    more: tuple[Exchange, ...] = field(default=())
    right: dict[str, str] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()

    @property
    def prompt(self) -> str:
        return f"Build the faulty {self.name} page"

    def recording(self) -> Recording:
        """The session as the demo model plays it."""
        plan = {
            "name": f"The {self.name} page",
            "files": [{"path": path, "purpose": "part of the page"} for path in self.files],
            "last": True,
        }
        choice = {"template": "react-vite", "title": self.name, "complexity": "simple"}
        blueprint: dict[str, object] = {
            "title": self.name,
            "description": f"The {self.name} page.",
            "first_phase": plan,
        }
        blueprint["dependencies"] = list(self.dependencies)
        known = {"contains": [f"The {self.name} page"]}
        return Recording(
            title=self.name,
            example_prompt=self.prompt,
            match=[f"faulty {self.name} page"],
            by_order=True,
            exchanges=[
                says("template_selection", choice),
                says("blueprint", blueprint),
                says("first_phase_implementation", scof(self.files), **known),
                says("readme", README),
                says("readme", README),
                *(says("fast_code_fixer", fix, **known) for fix in self.fixes),
                *(says("code_review", review) for review in (*self.reviews, CLEAN_REVIEW)),
                *(says("screenshot_analysis", look) for look in (*self.looks, CLEAN_LOOK)),
                *self.more,
            ],
        )


def says(action: str, answer: str | dict[str, object], **match: object) -> Exchange:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return Exchange(action=action, match=Match.model_validate(match), reply=Reply(text=text))


def scof(files: dict[str, str]) -> str:
    return "\n".join(f"# {path}: part of the page\ncat > {path} << 'EOF'\n{text}EOF\n" for path, text in files.items())


def patch(path: str, old: str, new: str) -> str:
    removed = "".join(f"-{line}\n" for line in old.splitlines())
    added = "".join(f"+{line}\n" for line in new.splitlines())
    return f"cat << 'EOF' | patch {path}\n@@\n{removed}{added}EOF\n"


def block(old: str, new: str) -> str:
    return f"<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n"


APP, CLOCK, SUM = "src/App.tsx", "src/useClock.ts", "src/total.ts"

TYPES = Faulty(
    name="types",
    found="TS2322",
    path=APP,
    mended="String(40 + 2)",
    files={
        APP: """\
const answer: string = 40 + 2

export default function App() {
  return <h1>The answer is {answer}</h1>
}
"""
    },
    fixes=(patch(APP, "const answer: string = 40 + 2", "const answer: string = String(40 + 2)"),),
)

STATIC_LOOP = Faulty(
    name="static loop",
    found="stich/set-state-in-render",
    path=APP,
    mended="onClick={() => setCount(count + 1)}",
    files={
        APP: """\
import { useState } from 'react'

export default function App() {
  const [count, setCount] = useState(0)
  setCount(count + 1)
  return <button>Counted to {count}</button>
}
"""
    },
    fixes=(
        patch(APP, "  setCount(count + 1)", "")
        + patch(
            APP,
            "  return <button>Counted to {count}</button>",
            "  return <button onClick={() => setCount(count + 1)}>Counted to {count}</button>",
        ),
    ),
)

# The object that the effect depends on, and the call that sets the state, are in another file: only the browser tells.
BROWSER_LOOP = Faulty(
    name="browser loop",
    found="render-loop",
    path=APP,
    mended="useMemo(() => range(days), [days])",
    files={
        "src/range.ts": """\
export interface Range {
  from: number
  to: number
}

export function range(days: number): Range {
  return { from: 0, to: days }
}

export function show(wanted: Range, take: (range: Range) => void) {
  take({ ...wanted })
}
""",
        APP: """\
import { useEffect, useState } from 'react'
import { range, show } from './range'

export default function App() {
  const [days] = useState(7)
  const [shown, setShown] = useState({ from: 0, to: 0 })
  const wanted = range(days)
  useEffect(() => {
    show(wanted, setShown)
  }, [wanted])
  return <h1>Days {shown.from} to {shown.to}</h1>
}
""",
    },
    fixes=(
        patch(
            APP,
            "import { useEffect, useState } from 'react'",
            "import { useEffect, useMemo, useState } from 'react'",
        )
        + patch(APP, "  const wanted = range(days)", "  const wanted = useMemo(() => range(days), [days])"),
    ),
)

CRASH = Faulty(
    name="crash",
    found="page-error",
    path=APP,
    mended="(stored.items ?? [])",
    files={
        APP: """\
interface Stored {
  items: string[]
}

const stored = JSON.parse(localStorage.getItem('list') ?? '{}') as Stored

export default function App() {
  return (
    <main>
      <h1>List</h1>
      <ul>
        {stored.items.map((item) => (
          <li key={item}>{item}</li>
        ))}
      </ul>
    </main>
  )
}
"""
    },
    fixes=(
        patch(APP, "  items: string[]", "  items?: string[]")
        + patch(APP, "        {stored.items.map((item) => (", "        {(stored.items ?? []).map((item) => ("),
    ),
)

# A selector from another file that makes a new object each time: React renders for ever.
SELECTOR = Faulty(
    name="selector",
    found="render-loop",
    path=APP,
    mended="useShallow(summary)",
    files={
        "src/store.ts": """\
import { create } from 'zustand'

interface Basket {
  items: string[]
}

export const useBasket = create<Basket>(() => ({ items: ['tea', 'bread'] }))

export const summary = (basket: Basket) => ({ count: basket.items.length, first: basket.items[0] })
""",
        APP: """\
import { summary, useBasket } from './store'

export default function App() {
  const { count, first } = useBasket(summary)
  return <h1>{count} things, first {first}</h1>
}
""",
    },
    fixes=(
        patch(
            APP,
            "import { summary, useBasket } from './store'",
            "import { useShallow } from 'zustand/react/shallow'\nimport { summary, useBasket } from './store'",
        )
        + patch(
            APP,
            "  const { count, first } = useBasket(summary)",
            "  const { count, first } = useBasket(useShallow(summary))",
        ),
    ),
)

# A reviewer sees what no program sees: the timer holds on to the first number.
STANDS_STILL = "The timer adds to the first time for ever, says the review."
SINGULAR = "It says “1 seconds”, says the review."
DEPENDENCY = Faulty(
    name="dependency",
    found="review",
    path=CLOCK,
    mended="(value) => value + step",
    files={
        CLOCK: """\
import { useEffect, useState } from 'react'

export function useClock(step: number) {
  const [time, setTime] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => setTime(time + step), 1000)
    return () => clearInterval(timer)
    // oxlint-disable-next-line react/exhaustive-deps
  }, [])
  return time
}
""",
        APP: """\
import { useClock } from './useClock'

export default function App() {
  const time = useClock(1)
  return <h1>{time} seconds</h1>
}
""",
    },
    reviews=(
        {
            "summary": "The clock stands still.",
            "files": [
                {"path": CLOCK, "findings": [{"severity": "error", "line": 6, "problem": STANDS_STILL}]},
                {"path": APP, "findings": [{"severity": "error", "line": 5, "problem": SINGULAR}]},
            ],
        },
    ),
    more=(
        # One block of this repair does not fit the file, and comes anew.
        says(
            "file_regeneration",
            block("setTime(time + interval)", "setTime((value) => value + step)") + block("  }, [])", "  }, [step])"),
            contains=[STANDS_STILL],
        ),
        says(
            "file_regeneration",
            block(
                "    const timer = setInterval(() => setTime(time + step), 1000)",
                "    const timer = setInterval(() => setTime((value) => value + step), 1000)",
            ),
            contains=["setTime(time + interval)"],
        ),
        says(
            "file_regeneration",
            block(
                "  return <h1>{time} seconds</h1>",
                "  return <h1>{time === 1 ? '1 second' : `${time} seconds`}</h1>",
            ),
            contains=[SINGULAR],
        ),
    ),
    right={
        CLOCK: """\
import { useEffect, useState } from 'react'

export function useClock(step: number) {
  const [time, setTime] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => setTime((value) => value + step), 1000)
    return () => clearInterval(timer)
  }, [step])
  return time
}
""",
    },
)

# White on white: every check is clean, and only whoever looks sees that nothing can be read.
TITLE = '      <h1 className="text-6xl font-bold text-{colour}">Opening hours</h1>'
UNSEEN = Faulty(
    name="unseen",
    found="looks-wrong",
    path=APP,
    mended="text-stone-900",
    files={
        APP: f"""\
export default function App() {{
  return (
    <main className="min-h-dvh bg-white p-10">
{TITLE.format(colour="white")}
    </main>
  )
}}
"""
    },
    fixes=(patch(APP, TITLE.format(colour="white"), TITLE.format(colour="stone-900")),),
    looks=(
        {
            "matches": False,
            "summary": "An empty white page.",
            "issues": [{"severity": "error", "problem": "The title is white on white.", "where": "both", "file": APP}],
        },
    ),
)

# The code is sound and wrong; somebody says so. The edit that mends it does not fit at first.
COMPLAINT = "The total is wrong: three at 2 cost 6"
LOGIC = Faulty(
    name="logic",
    found="",
    path=SUM,
    mended="price * count",
    files={
        SUM: """\
export function total(price: number, count: number): number {
  return price + count
}
""",
        APP: """\
import { total } from './total'

export default function App() {
  return <h1>Three at 2: {total(2, 3)}</h1>
}
""",
    },
    reviews=(CLEAN_REVIEW,),
    looks=(CLEAN_LOOK,),
    more=(
        Exchange(
            action="conversation",
            match=Match(user_message=["total is wrong"]),
            reply=Reply(
                text="I see: it adds where it must multiply.",
                tool_calls=[
                    RecordedToolCall(
                        id="c1", name="queue_change", arguments={"description": "Multiply the price by the count."}
                    )
                ],
            ),
        ),
        says(
            "phase_generation",
            {"name": "The right total", "files": [{"path": SUM, "purpose": "the sum"}], "last": True},
            user_message=["total is wrong"],
        ),
        says(
            "phase_implementation",
            patch(SUM, "  return sum(price, count)", "  return price * count"),
            contains=['"name": "The right total"'],
        ),
        says(
            "phase_implementation",
            block("  return price + count", "  return price * count"),
            contains=["return sum(price, count)", "was not found"],
        ),
    ),
)

SESSIONS = (TYPES, STATIC_LOOP, BROWSER_LOOP, CRASH, SELECTOR, DEPENDENCY, UNSEEN, LOGIC)
