import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PhaseProgress, SessionEvent, SessionSnapshot, StateInfo, UsageTotals } from "../api/types";
import { recall } from "./past";
import type { Session } from "./picture";
import { apply, fromSnapshot } from "./session";
import { tail } from "./texts";

const AT = "2026-01-01T00:00:00Z";

const usage = (calls: number): UsageTotals => ({
  calls,
  input_tokens: calls * 100,
  cached_tokens: 0,
  output_tokens: calls * 10,
  reasoning_tokens: 0,
  cost_usd: "0.01",
});

const snapshot = (): SessionSnapshot => ({
  progress: {
    session_id: "s1",
    title: "Board",
    prompt: "A board",
    mode: "deterministic",
    template: null,
    model: "demo/demo",
    demo: true,
    state: { name: "generating", since: AT, reason: "", can: ["stop"], until: null, code: null },
    blueprint: null,
    phases: [],
    files: [],
    messages: [],
    operations: [],
    usage: usage(0),
    preview: { status: "none", url: null, detail: "" },
    deployments: [],
    candidates: [],
    question: null,
    images: [],
    missing: [],
    forked_from: null,
    created_at: AT,
    last_seq: 3,
  },
  conversation: [],
  conflicts: [],
  stale: null,
});

const phase = (status: PhaseProgress["status"]): PhaseProgress => ({
  id: "p1",
  plan: { name: "Board", description: "", files: [], deletes: [], install: [], last: false },
  status,
  files: [],
  checks: null,
  screenshots: [],
  fix_rounds: 0,
  message_ids: [],
  started_at: AT,
  finished_at: null,
});

const play = (session: Session, events: SessionEvent[], first = 4): Session =>
  events.reduce((held, event, index) => apply(held, { seq: first + index, at: AT, event }), session);

const opened: SessionEvent = {
  type: "file_generating",
  operation_id: "op1",
  path: "src/App.tsx",
  purpose: "the board",
  format: "full_content",
  phase_id: "p1",
};
const chunk = (offset: number, text: string): SessionEvent => ({
  type: "file_chunk",
  operation_id: "op1",
  path: "src/App.tsx",
  offset,
  text,
  format: "full_content",
});
const closed = (version = 1): SessionEvent => ({
  type: "file_generated",
  operation_id: "op1",
  file: { path: "src/App.tsx", sha256: `sha${version}`, size: 5, version, phase_id: "p1", author: "model" },
});
const delta = (offset: number, text: string): SessionEvent => ({
  type: "conversation_delta",
  operation_id: "talk",
  message_id: "m1",
  offset,
  text,
});

const say = (state: "queued" | "planned"): SessionEvent => ({
  type: "message",
  message: { id: "u1", role: "user", text: "add dark mode", at: AT, author: "local", state },
});
const piece = (offset: number, text: string): SessionEvent => ({
  type: "blueprint_chunk",
  operation_id: "plan",
  offset,
  text,
});

describe("tail", () => {
  it("takes what is new, slices what overlaps, ignores what is held, and sees a gap", () => {
    expect(tail("abc", 3, "de")).toBe("de");
    expect(tail("abc", 1, "bcde")).toBe("de");
    expect(tail("abc", 0, "ab")).toBe("");
    expect(tail("abc", 4, "e")).toBeNull();
  });

  it("rebuilds a text from overlapping pieces, each delivered any number of times", () => {
    const cuts = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 30 });
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), cuts, (text, pieces) => {
        let held = "";
        for (const [from, length] of pieces) {
          const offset = from % (held.length + 1);
          held += tail(held, offset, text.slice(offset, offset + length)) ?? "";
        }
        held += tail(held, 0, text) ?? "";
        expect(held).toBe(text);
      }),
    );
  });
});

describe("files", () => {
  it("streams, closes and keeps the streamed text until the stored file is fetched", () => {
    const writing = play(fromSnapshot(snapshot()), [opened, chunk(0, "con"), chunk(3, "st")]);
    expect(writing.open["src/App.tsx"]?.text).toBe("const");
    const done = play(writing, [closed()], 7);
    expect(done.open).toEqual({});
    expect(done.streamed["src/App.tsx"]).toEqual({ version: 1, text: "const" });
    expect(done.progress.files.map((file) => file.path)).toEqual(["src/App.tsx"]);
    expect(done.seq).toBe(7);
  });

  it("asks for a new snapshot when a chunk is missing, and never shows text with a hole", () => {
    const session = play(fromSnapshot(snapshot()), [opened, chunk(0, "con"), chunk(9, "x")]);
    expect(session.gaps).toEqual(["src/App.tsx"]);
    expect(session.open["src/App.tsx"]?.text).toBe("con");
    expect(play(session, [closed()], 7).gaps).toEqual([]);
    expect(fromSnapshot(snapshot()).gaps).toEqual([]);
  });

  it("forgets the unclosed text of a discarded attempt, and only that", () => {
    const other: SessionEvent = { ...opened, operation_id: "op2", path: "src/b.ts" };
    const session = play(fromSnapshot(snapshot()), [
      opened,
      chunk(0, "one"),
      closed(),
      { ...opened, path: "src/c.ts" },
      other,
      { type: "operation_reset", operation_id: "op1", attempt: 2, reason: "the stream was cut" },
    ]);
    expect(Object.keys(session.open)).toEqual(["src/b.ts"]);
    expect(session.progress.files).toHaveLength(1);
  });

  it("starts again from offset 0 under a new operation", () => {
    const again: SessionEvent = { ...(chunk(0, "new") as object), operation_id: "op2" } as SessionEvent;
    const session = play(fromSnapshot(snapshot()), [opened, chunk(0, "old text"), again]);
    expect(session.open["src/App.tsx"]).toMatchObject({ operationId: "op2", text: "new" });
  });

  it("discards streamed text on file_reset and removes a deleted file", () => {
    const session = play(fromSnapshot(snapshot()), [
      opened,
      chunk(0, "x"),
      { type: "file_reset", operation_id: "op1", path: "src/App.tsx", reason: "refused" },
    ]);
    expect(session.open).toEqual({});
    const gone = play(session, [closed(), { type: "file_deleted", operation_id: "op1", path: "src/App.tsx" }], 7);
    expect(gone.progress.files).toEqual([]);
  });

  it("never goes back to an older version", () => {
    const session = play(fromSnapshot(snapshot()), [closed(2), closed(1)]);
    expect(session.progress.files[0]?.version).toBe(2);
  });

  it("does not take a file cut off by stop for a finished one", () => {
    const session = play(fromSnapshot(snapshot()), [
      opened,
      chunk(0, "half"),
      { type: "operation_finished", operation_id: "op1", outcome: "stopped" },
    ]);
    expect(session.open).toEqual({});
    expect(session.progress.files).toEqual([]);
  });
});

describe("conversation", () => {
  it("streams an answer and replaces it by the stored one", () => {
    const writing = play(fromSnapshot(snapshot()), [delta(0, "Hel"), delta(3, "lo")]);
    expect(writing.drafts["m1"]?.text).toBe("Hello");
    const message: SessionEvent = {
      type: "message",
      message: { id: "m1", role: "assistant", text: "Hello", at: AT, author: null, state: "done" },
    };
    const done = play(writing, [message, delta(0, "Hel"), delta(3, "lo")], 6);
    expect(done.drafts).toEqual({});
    expect(done.conversation).toHaveLength(1);
  });

  it("updates the state of a queued message in place", () => {
    const session = play(fromSnapshot(snapshot()), [say("queued"), say("planned")]);
    expect(session.conversation.map((message) => message.state)).toEqual(["planned"]);
  });
});

describe("work", () => {
  it("follows operations, phases, checks and usage", () => {
    const session = play(fromSnapshot(snapshot()), [
      { type: "operation_started", operation: { id: "op1", action: "a", title: "Writing", phase_id: "p1", since: AT } },
      { type: "phase", phase: phase("generating") },
      { type: "checks", phase_id: "p1", report: { issues: [], ran: ["typecheck"], seconds: 1 } },
      { type: "usage", operation_id: "op1", action: "a", model: "m", usage: usage(2) },
      { type: "usage", operation_id: "op1", action: "a", model: "m", usage: usage(1) },
      { type: "operation_finished", operation_id: "op1", outcome: "done" },
    ]);
    expect(session.progress.operations).toEqual([]);
    expect(session.progress.phases[0]?.checks?.ran).toEqual(["typecheck"]);
    expect(session.progress.usage.calls).toBe(2);
  });

  it("lets a phase go that a retry took back", () => {
    const begun = play(fromSnapshot(snapshot()), [{ type: "phase", phase: phase("completed") }]);
    const session = play(begun, [
      { type: "phase", phase: { ...phase("completed"), discarded_at: 7 } },
      { type: "phase", phase: { ...phase("planned"), id: "p2" } },
    ], 5);
    expect(session.progress.phases.map((one) => one.id)).toEqual(["p2"]);
  });

  it("waits until the step shows a sign of life", () => {
    const waiting = play(fromSnapshot(snapshot()), [
      { type: "waiting", operation_id: "op1", code: "rate_limited", reason: "rate limit", until: AT },
    ]);
    expect(waiting.waiting?.code).toBe("rate_limited");
    expect(play(waiting, [opened], 5).waiting).toBeNull();
  });

  it("remembers why a step is at another attempt until it ends", () => {
    const waiting: SessionEvent = { type: "waiting", operation_id: "op", code: "overloaded", reason: "It moved on.", until: null };
    const alive: SessionEvent = { type: "blueprint_chunk", operation_id: "op", offset: 0, text: "{" };
    const again = play(fromSnapshot(snapshot()), [waiting, alive]);
    expect([again.waiting, again.detour?.reason]).toEqual([null, "It moved on."]);
    const over = play(again, [{ type: "operation_finished", operation_id: "op", outcome: "done" }], 5);
    expect(over.detour).toBeNull();
  });

  it("streams the blueprint and ends it with the finished one", () => {
    const session = play(fromSnapshot(snapshot()), [piece(0, '{"ti'), piece(2, 'title": "B')]);
    expect(session.blueprintText?.text).toBe('{"title": "B');
  });
});

const at = (second: number): string => `2026-01-01T00:00:${String(second).padStart(2, "0")}.5Z`;
const phaseStatus = (session: Session) => session.progress.phases[0]?.status;

const state = (name: StateInfo["name"], second: number): SessionEvent => ({
  type: "session_state",
  state: { name, since: at(second), reason: name, can: [], until: null, code: null },
});
const life = (status: PhaseProgress["status"], start: number | null, end: number | null): SessionEvent => ({
  type: "phase",
  phase: { ...phase(status), started_at: start === null ? null : at(start), finished_at: end === null ? null : at(end) },
});

describe("what has passed already", () => {
  it("ignores a state older than the one held, and takes one of the same time", () => {
    const done = play(fromSnapshot(snapshot()), [state("completed", 30)]);
    expect(play(done, [state("generating", 10), state("reviewing", 20)], 5).progress.state.name).toBe("completed");
    expect(play(done, [state("idle", 30)], 5).progress.state.name).toBe("idle");
    expect(play(done, [state("generating", 31)], 5).progress.state.name).toBe("generating");
  });

  it("does not end a wait because of a state that has passed", () => {
    const wait: SessionEvent = { type: "waiting", operation_id: "op1", code: "c", reason: "r", until: null };
    const waiting = play(fromSnapshot(snapshot()), [state("generating", 30), wait]);
    expect(play(waiting, [state("planning", 10)], 6).waiting).not.toBeNull();
  });

  it("lets any state replace that of a stored picture, whose clock may be another", () => {
    const stored = fromSnapshot({ ...snapshot(), stale: { age: 3, reason: "The worker is away." } });
    const held = { ...stored, progress: { ...stored.progress, state: { ...stored.progress.state, since: at(59) } } };
    const next = play(held, [state("planning", 10)]);
    expect(next.progress.state.name).toBe("planning");
    expect(next.stale).toBeNull();
  });

  it("keeps a finished phase finished", () => {
    const done = play(fromSnapshot(snapshot()), [life("completed", 1, 9)]);
    for (const old of [life("planned", null, null), life("generating", 1, null), life("checking", 1, null)]) {
      expect(play(done, [old], 5)).toEqual({ ...done, seq: 5 });
    }
  });

  it("does not plan again what has begun", () => {
    const begun = play(fromSnapshot(snapshot()), [life("generating", 1, null)]);
    expect(phaseStatus(play(begun, [life("planned", null, null)], 5))).toBe("generating");
  });

  it("follows a finished phase that is taken up again, and its second end", () => {
    const reopened = play(fromSnapshot(snapshot()), [life("completed", 1, 9), life("fixing", 1, 9)]);
    expect(phaseStatus(reopened)).toBe("fixing");
    expect(phaseStatus(play(reopened, [life("completed", 1, 9)], 6))).toBe("fixing");
    expect(phaseStatus(play(reopened, [life("completed", 1, 20)], 6))).toBe("completed");
    expect(phaseStatus(play(reopened, [life("completed", 1, 20), life("fixing", 1, 9)], 6))).toBe("completed");
  });

  it("never moves back while a whole life is told again to a snapshot that already reflects a part of it", () => {
    const told: SessionEvent[] = [
      life("planned", null, null),
      life("generating", 1, null),
      life("checking", 1, null),
      life("completed", 1, 9),
      life("checking", 1, 9),
      life("completed", 1, 20),
    ];
    const ends = [null, null, null, 9, 9, 20];
    for (let held = 3; held < told.length; held += 1) {
      let session = play(fromSnapshot(snapshot()), told.slice(0, held + 1));
      for (const event of told) {
        session = play(session, [event], session.seq + 1);
        const end = session.progress.phases[0]?.finished_at;
        expect(Date.parse(end ?? "")).toBeGreaterThanOrEqual(Date.parse(at(ends[held] ?? 0)));
      }
      expect(phaseStatus(session)).toBe("completed");
    }
  });
});

const ran = (seq: number, status: "running" | "done", op = "op1") => ({
  seq,
  at: AT,
  event: { type: "command", operation_id: op, command: "bun install", status, output: status } as SessionEvent,
});
const broke = (seq: number) => ({
  seq,
  at: AT,
  event: { type: "error", operation_id: null, code: "x", sentence: `error ${seq}`, next_action: "n" } as SessionEvent,
});

describe("recall", () => {
  it("puts what came before the snapshot before what came after it", () => {
    const live = [ran(12, "running", "op2"), broke(13)].reduce(apply, fromSnapshot(snapshot()));
    const full = recall(live, [ran(1, "running"), broke(2), ran(3, "done")], Date.parse(AT));
    expect(full.commands.map((command) => [command.operationId, command.status])).toEqual([
      ["op1", "done"],
      ["op2", "running"],
    ]);
    expect(full.errors.map((error) => error.seq)).toEqual([2, 13]);
    expect(recall(full, [ran(1, "running"), broke(2), ran(3, "done")], Date.parse(AT))).toEqual(full);
  });

  it("keeps what was held over a new snapshot, and never an older word on a command", () => {
    const before = [ran(1, "running"), broke(2)].reduce(apply, fromSnapshot(snapshot()));
    const after = apply(fromSnapshot(snapshot(), before), ran(9, "done"));
    expect(recall(after, [ran(5, "running")], Date.parse(AT)).commands.map((command) => command.status)).toEqual(["done"]);
    expect(after.errors.map((error) => error.seq)).toEqual([2]);
  });

  it("knows a wait that is not over, of a step that still runs", () => {
    const until = "2026-01-01T00:00:30Z";
    const wait = { seq: 1, at: AT, event: { type: "waiting", operation_id: "op1", code: "c", reason: "r", until } as SessionEvent };
    const idle = fromSnapshot(snapshot());
    const operation = { id: "op1", action: "a", title: "Writing", phase_id: null, since: AT };
    const busy = play(idle, [{ type: "operation_started", operation }]);
    expect(recall(busy, [wait], Date.parse(AT)).waiting?.reason).toBe("r");
    expect(recall(busy, [wait], Date.parse(until)).waiting).toBeNull();
    expect(recall(idle, [wait], Date.parse(AT)).waiting).toBeNull();
  });
});

describe("idempotence", () => {
  const events: SessionEvent[] = [
    { type: "session_info", title: "T", template: "react", model: "m", demo: true },
    { type: "operation_started", operation: { id: "op1", action: "a", title: "Writing", phase_id: null, since: AT } },
    { type: "phase", phase: phase("generating") },
    opened,
    chunk(0, "abc"),
    chunk(3, "def"),
    closed(),
    { type: "command", operation_id: "op1", command: "bun install", status: "running", output: "" },
    { type: "command", operation_id: "op1", command: "bun install", status: "done", output: "ok" },
    delta(0, "Hi"),
    { type: "usage", operation_id: "op1", action: "a", model: "m", usage: usage(1) },
    { type: "error", operation_id: null, code: "x", sentence: "s", next_action: "n" },
    { type: "phase", phase: phase("completed") },
    { type: "operation_finished", operation_id: "op1", outcome: "done" },
  ];
  const twice = (session: Session, index: number): Session => {
    const event = events[index] as SessionEvent;
    const sequenced = { seq: 4 + index, at: AT, event };
    return apply(apply(session, sequenced), sequenced);
  };

  it("applies every event twice in a row to the same picture", () => {
    const once = play(fromSnapshot(snapshot()), events);
    const doubled = events.reduce((session, _event, index) => twice(session, index), fromSnapshot(snapshot()));
    expect(doubled).toEqual(once);
  });

  it("replays any tail of the log to the same picture", () => {
    const once = play(fromSnapshot(snapshot()), events);
    for (let from = 0; from < events.length; from += 1) {
      const again = play(once, events.slice(from), 4 + from);
      expect({ ...again, streamed: {} }).toEqual({ ...once, streamed: {} });
    }
  });
});

const operation = (id: string) => ({ id, action: "tool", title: `Read ${id}`, phase_id: "p1", since: AT });
const started = (id: string): SessionEvent => ({ type: "operation_started", operation: operation(id) });
const finished = (id: string): SessionEvent => ({ type: "operation_finished", operation_id: id, outcome: "done" });
const candidate = (id: string, chosen: boolean): SessionEvent => ({
  type: "candidate",
  candidate: { id, subject: "p1", number: 1, status: "ready", title: "", files: 1, errors: 0, score: 80, reason: "", chosen },
});

describe("what stands beside the work", () => {
  it("keeps finished steps with how they ended", () => {
    const session = play(fromSnapshot(snapshot()), [started("t1"), finished("t1"), started("t2")]);
    expect(session.steps.map(({ id, outcome }) => [id, outcome])).toEqual([
      ["t1", "done"],
      ["t2", null],
    ]);
  });

  it("puts steps of the log before those of the snapshot, once each", () => {
    const base = snapshot();
    base.progress.operations = [operation("t2")];
    const past = [started("t1"), finished("t1"), started("t2")].map((event, index) => ({ seq: index + 1, at: AT, event }));
    const session = recall(fromSnapshot(base), past, 0);
    expect(session.steps.map(({ id, outcome }) => [id, outcome])).toEqual([
      ["t1", "done"],
      ["t2", null],
    ]);
    expect(recall(session, past, 0).steps).toEqual(session.steps);
  });

  it("shows a step again as running when a later attempt begins it", () => {
    const session = play(fromSnapshot(snapshot()), [started("t1"), finished("t1"), started("t1")]);
    expect(session.steps).toMatchObject([{ id: "t1", outcome: null, seq: 4 }]);
  });

  it("holds open conflicts only", () => {
    const conflict = {
      path: "src/App.tsx",
      state: "open" as const,
      base_sha256: null,
      mine_sha256: null,
      version: 4,
      user_id: "local",
      since: AT,
      choice: null,
    };
    const open = play(fromSnapshot(snapshot()), [
      { type: "file_conflict", conflict },
      { type: "file_conflict", conflict: { ...conflict, version: 5 } },
    ]);
    expect(open.conflicts).toEqual([{ ...conflict, version: 5 }]);
    expect(play(open, [{ type: "file_conflict", conflict: { ...conflict, state: "resolved", choice: "mine" } }], 6).conflicts).toEqual([]);
  });

  it("lets one candidate of a subject be chosen", () => {
    const session = play(fromSnapshot(snapshot()), [candidate("a", true), candidate("b", true)]);
    expect(session.progress.candidates.map(({ id, chosen }) => [id, chosen])).toEqual([
      ["a", false],
      ["b", true],
    ]);
  });

  it("forgets a repair once the file is written anew", () => {
    const fix: SessionEvent = {
      type: "file_fix",
      operation_id: "op1",
      path: "src/App.tsx",
      status: "fixing",
      by: "model",
      problems: ["no export"],
    };
    const fixing = play(fromSnapshot(snapshot()), [fix]);
    expect(fixing.fixes["src/App.tsx"]?.status).toBe("fixing");
    expect(play(fixing, [opened], 5).fixes).toEqual({});
  });

  it("holds each notice about a budget once, over a new snapshot and out of the log too", () => {
    const told = (id: number, percent: number): SessionEvent => ({
      type: "budget",
      notice: { id, kind: "session", percent, limit_usd: "2", spent_usd: "1", at: AT },
    });
    const live = play(fromSnapshot(snapshot()), [told(2, 80), told(2, 80)]);
    const recalled = recall(fromSnapshot(snapshot(), live), [{ seq: 1, at: AT, event: told(1, 50) }], 0);
    expect(recalled.budgetNotices.map((notice) => notice.percent).toSorted()).toEqual([50, 80]);
  });

  it("shows who is here, over a new snapshot too", () => {
    const watchers = [{ user_id: "u1", name: "Ada", since: AT }];
    const session = play(fromSnapshot(snapshot()), [{ type: "presence", watchers }]);
    expect(fromSnapshot(snapshot(), session).watchers).toEqual(watchers);
  });

  it("lets an event of a newer server pass", () => {
    const before = fromSnapshot(snapshot());
    expect(play(before, [{ type: "something_new" } as unknown as SessionEvent])).toEqual({ ...before, seq: 4 });
  });
});
