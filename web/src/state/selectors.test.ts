import { describe, expect, it } from "vitest";
import type { ChatMessage, FileRef, PhaseProgress } from "../api/types";
import { fileMarks, turns } from "./selectors";

const AT = "2026-01-01T00:00:00Z";
const file = (path: string, phase: string | null): FileRef => ({
  path,
  sha256: path,
  size: 1,
  version: 1,
  phase_id: phase,
  author: "model",
});
const phase = (id: string, status: PhaseProgress["status"], files: string[], messages: string[] = []): PhaseProgress => ({
  id,
  plan: { name: id, description: "", files: [], deletes: [], install: [], last: false },
  status,
  files,
  checks: null,
  screenshots: [],
  fix_rounds: 0,
  message_ids: messages,
  started_at: null,
  finished_at: null,
});
const message = (id: string, role: ChatMessage["role"], text: string): ChatMessage => ({
  id,
  role,
  text,
  at: AT,
  author: null,
  state: "done",
});

describe("fileMarks", () => {
  it("marks what the current phase wrote, changed and is writing", () => {
    const files = [file("a", "p1"), file("b", "p2"), file("c", "p2"), file("t", null)];
    const phases = [phase("p1", "completed", ["a", "b"]), phase("p2", "generating", []), phase("p3", "planned", [])];
    expect([...fileMarks(files, new Set(["d"]), phases)]).toEqual([
      ["b", "changed"],
      ["c", "new"],
      ["d", "writing"],
    ]);
  });
});

describe("turns", () => {
  const prompt = { text: "A board", at: AT };

  it("opens with the prompt, once", () => {
    expect(turns([], {}, [], prompt).map((turn) => turn.text)).toEqual(["A board"]);
    const said = [message("u1", "user", "A board "), message("a1", "assistant", "Yes")];
    expect(turns(said, {}, [], prompt)).toHaveLength(2);
  });

  it("shows answers while they are written, and the phase a message became", () => {
    const shown = turns(
      [message("u1", "user", "dark mode")],
      { a1: { operationId: "o", text: "Gla" } },
      [phase("Dark mode", "planned", [], ["u1"])],
      prompt,
    );
    expect(shown.map((turn) => [turn.id, turn.text, turn.streaming, turn.phase])).toEqual([
      ["prompt", "A board", false, undefined],
      ["u1", "dark mode", false, "Dark mode"],
      ["a1", "Gla", true, undefined],
    ]);
  });
});
