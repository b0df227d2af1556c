import { describe, expect, it } from "vitest";
import type { ChatMessage } from "../api/types";
import { candidatesOf, openQuestion, timeline, type Turn } from "./selectors";
import type { Step } from "./picture";

const at = (minute: number): string => `2026-01-01T00:0${minute}:00Z`;
const said = (id: string, role: ChatMessage["role"], minute: number, more: Partial<ChatMessage> = {}): ChatMessage => ({
  id,
  role,
  text: id,
  at: at(minute),
  author: null,
  state: "done",
  ...more,
});
const turn = (id: string, minute: number): Turn => ({ ...said(id, "assistant", minute), streaming: false, phase: undefined });
const step = (id: string, minute: number, outcome: Step["outcome"] = "done"): Step => ({
  seq: minute,
  id,
  action: "tool",
  title: id,
  phaseId: null,
  since: at(minute),
  ended: outcome ? at(minute) : null,
  outcome,
});

describe("the question that waits", () => {
  const question = said("q", "assistant", 1, { options: ["a", "b"] });

  it("is the last thing said that offers options, whatever notices follow", () => {
    expect(openQuestion([question, said("n", "notice", 2)])).toBe("q");
  });

  it("is answered by any message, and open again when that is withdrawn", () => {
    expect(openQuestion([question, said("m", "user", 2)])).toBeNull();
    expect(openQuestion([question, said("m", "user", 2, { state: "withdrawn" })])).toBe("q");
  });

  it("needs options", () => {
    expect(openQuestion([said("a", "assistant", 1)])).toBeNull();
    expect(openQuestion([])).toBeNull();
  });
});

describe("the timeline", () => {
  it("folds steps between two turns into one row and leaves out those that run", () => {
    const items = timeline([turn("first", 1), turn("second", 4)], [], [step("a", 2), step("b", 3), step("c", 5), step("d", 6, null)]);
    expect(items.map((item) => (item.kind === "steps" ? item.steps.map(({ id }) => id) : item.kind))).toEqual([
      "turn",
      ["a", "b"],
      "turn",
      ["c"],
    ]);
  });

  it("keeps an answer behind what it answers, whatever the clocks say", () => {
    const items = timeline([turn("asked", 3), turn("answer", 2)], [], [step("between", 1)]);
    expect(items.map((item) => (item.kind === "turn" ? item.turn.id : item.kind))).toEqual(["steps", "asked", "answer"]);
  });

  it("makes the same of the same twice", () => {
    const steps = [step("a", 2), step("b", 3)];
    expect(timeline([], [], steps)).toEqual(timeline([], [], steps));
  });
});

const candidate = (id: string, subject: string) => ({
  id,
  subject,
  number: 1,
  status: "ready" as const,
  title: "",
  files: 0,
  errors: null,
  score: null,
  reason: "",
  chosen: false,
});

describe("candidates", () => {
  it("are shown where there is a choice", () => {
    const all = [candidate("a", "blueprint"), candidate("b", "blueprint"), candidate("c", "p1")];
    expect(candidatesOf(all, "blueprint").map(({ id }) => id)).toEqual(["a", "b"]);
    expect(candidatesOf(all, "p1")).toEqual([]);
  });
});
