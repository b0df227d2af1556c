"""Faults that models make, one component each: what is wrong, what finds it, and what the demo model answers to whoever
is to mend it."""

from tests.e2e.answers import Fault, block, patch, says, scof

# --- found by the compiler, or by reading ----------------------------------------------------------------------------

ANSWER, COUNTER, PRICE = "src/Answer.tsx", "src/Counter.tsx", "src/Price.tsx"

TYPES = Fault(
    name="types",
    found="TS2322",
    component="Answer",
    path=ANSWER,
    mended="String(40 + 2)",
    files={
        ANSWER: """\
const answer: string = 40 + 2

export default function Answer() {
  return <h1>The answer is {answer}</h1>
}
"""
    },
    fix=patch(ANSWER, "const answer: string = 40 + 2", "const answer: string = String(40 + 2)"),
)

STATIC_LOOP = Fault(
    name="static loop",
    found="stich/set-state-in-render",
    component="Counter",
    path=COUNTER,
    mended="onClick={() => setCount(count + 1)}",
    files={
        COUNTER: """\
import { useState } from 'react'

export default function Counter() {
  const [count, setCount] = useState(0)
  setCount(count + 1)
  return <button>Counted to {count}</button>
}
"""
    },
    fix=patch(COUNTER, "  setCount(count + 1)", "")
    + patch(
        COUNTER,
        "  return <button>Counted to {count}</button>",
        "  return <button onClick={() => setCount(count + 1)}>Counted to {count}</button>",
    ),
)

# The edit does not fit; asked for just that block, it does not fit either; asked for the file, it does.
TAG = """\
const price: {kind} = {value}

export default function Price() {{
  return <h1>Price {{price}}</h1>
}}
"""
STUBBORN = Fault(
    name="stubborn",
    found="TS2322",
    component="Price",
    path=PRICE,
    mended="String(6 * 7)",
    files={PRICE: TAG.format(kind="string", value="6 * 7")},
    fix=patch(PRICE, "const cost: string = 6 * 7", "const cost: string = String(6 * 7)"),
    more=(
        says(
            "fast_code_fixer",
            block("const amount: string = 6 * 7", "const amount: string = String(6 * 7)"),
            contains=["const cost: string", "Write these blocks again:"],
        ),
        says(
            "fast_code_fixer",
            scof({PRICE: TAG.format(kind="string", value="String(6 * 7)")}),
            contains=["const price: string", "Write the whole file now:"],
        ),
    ),
    right={PRICE: TAG.format(kind="string", value="String(6 * 7)")},
)

# --- found by running it ---------------------------------------------------------------------------------------------

LIST, BASKET, DAYS = "src/List.tsx", "src/Basket.tsx", "src/Days.tsx"

CRASH = Fault(
    name="crash",
    found="page-error",
    component="List",
    path=LIST,
    mended="(stored.items ?? [])",
    files={
        LIST: """\
interface Stored {
  items: string[]
}

const stored = JSON.parse(localStorage.getItem('list') ?? '{}') as Stored

export default function List() {
  return (
    <ul>
      {stored.items.map((item) => (
        <li key={item}>{item}</li>
      ))}
    </ul>
  )
}
"""
    },
    fix=patch(LIST, "  items: string[]", "  items?: string[]")
    + patch(LIST, "      {stored.items.map((item) => (", "      {(stored.items ?? []).map((item) => ("),
)

# A selector from another file that makes a new object each time: React renders for ever.
SELECTOR = Fault(
    name="selector",
    found="render-loop",
    component="Basket",
    path=BASKET,
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
        BASKET: """\
import { summary, useBasket } from './store'

export default function Basket() {
  const { count, first } = useBasket(summary)
  return <h1>{count} things, first {first}</h1>
}
""",
    },
    fix=patch(
        BASKET,
        "import { summary, useBasket } from './store'",
        "import { useShallow } from 'zustand/react/shallow'\nimport { summary, useBasket } from './store'",
    )
    + patch(
        BASKET,
        "  const { count, first } = useBasket(summary)",
        "  const { count, first } = useBasket(useShallow(summary))",
    ),
)

# The object that the effect depends on, and the call that sets the state, are in another file: only the browser tells.
BROWSER_LOOP = Fault(
    name="browser loop",
    found="render-loop",
    component="Days",
    path=DAYS,
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
        DAYS: """\
import { useEffect, useState } from 'react'
import { range, show } from './range'

export default function Days() {
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
    fix=patch(
        DAYS,
        "import { useEffect, useState } from 'react'",
        "import { useEffect, useMemo, useState } from 'react'",
    )
    + patch(DAYS, "  const wanted = range(days)", "  const wanted = useMemo(() => range(days), [days])"),
)

# --- found by whoever reads it, or looks at it -----------------------------------------------------------------------

USE_CLOCK, CLOCK, TITLE = "src/useClock.ts", "src/Clock.tsx", "src/Title.tsx"

# A reviewer sees what no program sees: the timer holds on to the first number. The clock is hardly to be seen.
STANDS_STILL = "The timer adds to the first time for ever, says the review."
SINGULAR = "It says “1 seconds”, says the review."
DEPENDENCY = Fault(
    name="dependency",
    found="review",
    component="Clock",
    path=USE_CLOCK,
    mended="(value) => value + step",
    files={
        USE_CLOCK: """\
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
        CLOCK: """\
import { useClock } from './useClock'

export default function Clock() {
  const time = useClock(1)
  return <h1 className="text-stone-300">{time} seconds</h1>
}
""",
    },
    review=(
        {"path": USE_CLOCK, "findings": [{"severity": "error", "line": 6, "problem": STANDS_STILL}]},
        {"path": CLOCK, "findings": [{"severity": "error", "line": 5, "problem": SINGULAR}]},
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
                '  return <h1 className="text-stone-300">{time} seconds</h1>',
                "  return <h1 className=\"text-stone-300\">{time === 1 ? '1 second' : `${time} seconds`}</h1>",
            ),
            contains=[SINGULAR],
        ),
    ),
    right={
        USE_CLOCK: """\
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
HEADING = """\
export default function Title() {{
  return <h1 className="text-6xl font-bold text-{colour}">Opening hours</h1>
}}
"""
UNSEEN = Fault(
    name="unseen",
    found="looks-wrong",
    component="Title",
    path=TITLE,
    mended="text-stone-900",
    files={TITLE: HEADING.format(colour="white")},
    fix=scof({TITLE: HEADING.format(colour="stone-900")}),
    look={
        "matches": False,
        "summary": "An empty white page.",
        "issues": [{"severity": "error", "problem": "The title is white on white.", "where": "both", "file": TITLE}],
    },
)
