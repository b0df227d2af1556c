// What the scripted API plays: a kanban board in three phases. The files it "writes" are this page's own sources.

import { readFileSync } from "node:fs";
import type { Blueprint, Issue, PhasePlan } from "../src/api/types";

const source = (path: string): string => {
  try {
    return readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
  } catch {
    return "export const empty = true;\n";
  }
};

const plan = (name: string, description: string, files: [string, string][], last = false): PhasePlan => ({
  name,
  description,
  files: files.map(([path, purpose]) => ({ path, purpose })),
  deletes: [],
  install: last ? [] : name === "Board and cards" ? ["zustand"] : [],
  last,
});

export const phases: PhasePlan[] = [
  plan("Board and cards", "Columns, cards and a store that keeps them in the browser.", [
    ["src/types.ts", "Card, column and board"],
    ["src/store/board.ts", "The board's state, saved in the browser"],
    ["src/components/Column.tsx", "A column with its cards"],
    ["src/components/Card.tsx", "One card, editable in place"],
    ["src/App.tsx", "Header and board"],
  ]),
  plan("Drag and drop", "Cards move within and between columns, with the keyboard too.", [
    ["src/dnd/useDrag.ts", "Pointer and keyboard dragging"],
    ["src/dnd/DropLine.tsx", "Where the card will land"],
    ["src/components/Column.tsx", "Takes dropped cards"],
  ]),
  plan(
    "Search, labels and polish",
    "Filter by text and label, empty states, motion and a calm look.",
    [
      ["src/components/Filter.tsx", "Search field and label chips"],
      ["src/components/Empty.tsx", "What an empty column says"],
      ["src/index.css", "Colours, type and spacing"],
    ],
    true,
  ),
];

export const content: Record<string, string> = {
  "src/types.ts": source("src/state/partial-json.ts"),
  "src/store/board.ts": source("src/state/session.ts"),
  "src/components/Column.tsx": source("src/session/header.tsx"),
  "src/components/Card.tsx": source("src/session/plan.tsx"),
  "src/App.tsx": source("src/pages/home.tsx"),
  "src/dnd/useDrag.ts": source("src/state/stream.ts"),
  "src/dnd/DropLine.tsx": source("src/session/problems.tsx"),
  "src/components/Filter.tsx": source("src/session/composer.tsx"),
  "src/components/Empty.tsx": source("src/ui/markdown.tsx"),
  "src/index.css": source("src/styles/base.css"),
  "src/theme.ts": source("src/state/theme.ts"),
};

export const templateFiles: Record<string, string> = {
  "index.html": source("index.html"),
  "package.json": source("package.json"),
  "vite.config.ts": source("vite.config.ts"),
  "src/main.tsx": source("src/main.tsx"),
};

export const bigFile = Array.from(
  { length: 5000 },
  (_, line) => `export const value${line}: number = Math.sqrt(${line}) + compute("row ${line}"); // line ${line}`,
).join("\n");

export const blueprint: Blueprint = {
  title: "Threadboard",
  description:
    "A calm kanban board for one person: three columns, cards that move by drag and drop or by keyboard, labels, search, and everything kept in the browser.",
  colour_palette: ["#2d4a86", "#e07b2e", "#f7f6f3", "#1d2430", "#1f7a4d"],
  views: [
    { name: "Board", description: "Three columns side by side; on a phone they become a swipeable row." },
    { name: "Card", description: "Title, notes, label and due date, edited in place without leaving the board." },
    { name: "Search", description: "A field above the board that filters cards as you type." },
  ],
  user_flow: "Open the board, type a card into the first column, drag it to the right as work proceeds, archive what is done.",
  data_flow: "One store holds the board; components read slices of it; every change is written to local storage within 200 ms.",
  architecture: "React with a small store; drag and drop on pointer events, without a library.",
  pitfalls: ["Losing focus while a card is edited and the list re-orders.", "Dragging on touch screens must not scroll the page."],
  dependencies: ["zustand"],
  phases_outline: phases.map((phase) => `${phase.name}: ${phase.description}`),
  first_phase: phases[0] as PhasePlan,
};

export const issues: Issue[] = [
  {
    file: "src/components/Column.tsx",
    line: 31,
    column: 18,
    code: "TS2345",
    severity: "error",
    source: "typecheck",
    message: "Argument of type 'string | undefined' is not assignable to parameter of type 'string'.",
    count: 1,
  },
  {
    file: "src/store/board.ts",
    line: 12,
    column: 3,
    code: "no-unused-vars",
    severity: "warning",
    source: "lint",
    message: "'previous' is assigned a value but never used.",
    count: 2,
  },
  {
    file: null,
    line: null,
    column: null,
    code: "console",
    severity: "error",
    source: "browser",
    message: "TypeError: cannot read properties of undefined (reading 'cards')\n    at Column (src/components/Column.tsx:31:18)",
    count: 3,
  },
];

export const answer = `Yes. I will add a **dark mode** that follows the system and can be switched by hand:

- colours move into custom properties in \`src/index.css\`
- a switch in the header, remembered in the browser
- contrast stays at 4.5 : 1 or better in both themes

It becomes a phase of its own right after the current one.`;
