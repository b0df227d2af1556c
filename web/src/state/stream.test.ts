import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { SessionSnapshot } from "../api/types";
import { SessionStream } from "./stream";

/** Stands for the browser's EventSource: the test says what arrives. */
class Source extends EventTarget {
  static readonly CLOSED = 2;
  static all: Source[] = [];
  static get last(): Source {
    return Source.all.at(-1) as Source;
  }
  readyState = 0;
  constructor(readonly url: string) {
    super();
    Source.all.push(this);
  }
  close(): void {
    this.readyState = Source.CLOSED;
  }
  say(type: string, data: object, id = 1): void {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data), lastEventId: String(id) }));
  }
  fail(gaveUp: boolean): void {
    this.readyState = gaveUp ? Source.CLOSED : 0;
    this.dispatchEvent(new Event("error"));
  }
}

const AT = "2026-01-01T00:00:00Z";
const snapshot = (title: string, seq = 0): SessionSnapshot => ({
  progress: {
    session_id: "s1",
    title,
    prompt: "p",
    mode: "deterministic",
    template: null,
    model: null,
    demo: false,
    state: { name: "generating", since: AT, reason: "", can: [], until: null, code: null },
    blueprint: null,
    phases: [],
    files: [],
    messages: [],
    operations: [],
    usage: { calls: 0, input_tokens: 0, cached_tokens: 0, output_tokens: 0, reasoning_tokens: 0, cost_usd: "0" },
    preview: { status: "none", url: null, detail: "" },
    deployments: [],
    candidates: [],
    question: null,
    images: [],
    missing: [],
    forked_from: null,
    created_at: AT,
    last_seq: seq,
  },
  conversation: [],
  conflicts: [],
  stale: null,
});
const chunk = (offset: number, text: string) => ({ operation_id: "o", path: "a.ts", offset, text, format: "full_content" });

const frame = (seq: number, type: string, data: object) =>
  `id: ${seq}\nevent: ${type}\ndata: ${JSON.stringify({ seq, at: AT, ...data })}\n\n`;
const broke = (sentence: string) => ({ operation_id: null, code: "x", sentence, next_action: "" });

let answer: () => Response;
let asked: string[];

beforeEach(() => {
  vi.useFakeTimers();
  Source.all = [];
  answer = () => new Response("{}");
  vi.stubGlobal("EventSource", Source);
  vi.stubGlobal("window", new EventTarget());
  vi.stubGlobal("document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
  vi.stubGlobal("requestAnimationFrame", (run: () => void) => setTimeout(run, 16));
  asked = [];
  vi.stubGlobal("fetch", (url: string) => {
    asked.push(url);
    return Promise.resolve(answer());
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function open(): { stream: SessionStream; leave: () => void; renders: () => number } {
  const stream = new SessionStream("s1");
  let count = 0;
  const leave = stream.subscribe(() => {
    count += 1;
  });
  return { stream, leave, renders: () => count };
}

describe("SessionStream", () => {
  it("hands over what arrived within a frame at once", () => {
    const { stream, renders } = open();
    Source.last.say("snapshot", snapshot("Board"));
    for (let at = 0; at < 50; at += 1) Source.last.say("file_chunk", chunk(at, "x"), at + 1);
    expect(stream.getState().session).toBeNull();
    vi.advanceTimersByTime(20);
    expect(renders()).toBe(1);
    expect(stream.getState().session?.open["a.ts"]?.text).toBe("x".repeat(50));
    expect(stream.getState().session?.seq).toBe(50);
    expect(stream.getState().connection.name).toBe("live");
  });

  it("starts over with a new snapshot when a piece is missing, and not for ever", () => {
    const { stream } = open();
    Source.last.say("snapshot", snapshot("Board"));
    Source.last.say("file_chunk", chunk(10, "late"));
    vi.advanceTimersByTime(20);
    vi.advanceTimersByTime(20);
    expect(Source.all).toHaveLength(2);
    expect(Source.all[0]?.readyState).toBe(Source.CLOSED);
    Source.last.say("snapshot", snapshot("Board again"));
    Source.last.say("file_chunk", chunk(0, "whole"));
    vi.advanceTimersByTime(20);
    expect(stream.getState().session?.progress.title).toBe("Board again");
    expect(stream.getState().session?.gaps).toEqual([]);
    for (let round = 0; round < 10; round += 1) {
      Source.last.say("file_chunk", chunk(99, "gap"));
      vi.advanceTimersByTime(5_000);
    }
    expect(Source.all.length).toBeLessThanOrEqual(5);
  });

  it("takes the session's own event named error for what it is", () => {
    const { stream } = open();
    Source.last.say("snapshot", snapshot("Board"));
    Source.last.say("error", { operation_id: null, code: "x", sentence: "It broke.", next_action: "Mend it." }, 7);
    vi.advanceTimersByTime(20);
    expect(stream.getState().session?.errors.map((error) => error.sentence)).toEqual(["It broke."]);
    expect(stream.getState().connection.name).toBe("live");
  });

  it("says that it reconnects, and opens again when the browser gave up", async () => {
    const { stream } = open();
    Source.last.say("snapshot", snapshot("Board"));
    vi.advanceTimersByTime(20);
    Source.last.fail(false);
    expect(stream.getState().connection.name).toBe("reconnecting");
    expect(Source.all).toHaveLength(1);
    Source.last.fail(true);
    await vi.advanceTimersByTimeAsync(600);
    expect(Source.all).toHaveLength(2);
    Source.last.dispatchEvent(new Event("open"));
    expect(stream.getState().connection.name).toBe("live");
    expect(stream.getState().session?.progress.title).toBe("Board");
  });

  it("stops asking when the answer is no", async () => {
    const { stream } = open();
    answer = () => Response.json({ code: "session_unknown", detail: "No such session.", next_action: "" }, { status: 404 });
    Source.last.fail(true);
    await vi.advanceTimersByTimeAsync(600);
    const { connection } = stream.getState();
    expect(connection.name === "refused" && connection.problem.message).toBe("No such session.");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(Source.all).toHaveLength(1);
  });

  it("waits on an open stream while the service cannot prove who asks, and stops when the answer is no", () => {
    const { stream } = open();
    const problem = { status: 404, code: "session_not_found", detail: "No such session.", next_action: "", request_id: "" };
    Source.last.say("snapshot", snapshot("Board"));
    vi.advanceTimersByTime(20);
    Source.last.say("unavailable", { ...problem, status: 503, code: "database_unavailable" });
    expect(stream.getState().connection.name).toBe("reconnecting");
    Source.last.say("available", {});
    expect(stream.getState().connection.name).toBe("live");
    Source.last.say("refused", problem);
    const { connection } = stream.getState();
    expect(connection.name === "refused" && connection.problem.message).toBe("No such session.");
    expect(Source.last.readyState).toBe(Source.CLOSED);
    expect(Source.all).toHaveLength(1);
  });

  it("reads what the snapshot leaves out, once, and after a new snapshot only what was missed", async () => {
    const log = [
      "retry: 150\n\n",
      frame(1, "file_chunk", chunk(0, "x")),
      frame(2, "error", broke("first")),
      frame(3, "session_state", {}),
      frame(4, "error", broke("from the stream itself")),
    ];
    answer = () => new Response(log.join(""));
    const { stream } = open();
    const sentences = () => stream.getState().session?.errors.map((error) => error.sentence);
    Source.last.say("snapshot", snapshot("Board", 3), 3);
    await vi.advanceTimersByTimeAsync(50);
    expect(asked).toEqual(["/api/sessions/s1/events?after=0"]);
    expect(sentences()).toEqual(["first"]);
    answer = () => new Response(frame(4, "error", broke("second")) + frame(5, "session_state", {}));
    stream.reopen();
    Source.last.say("snapshot", snapshot("Board", 5), 5);
    await vi.advanceTimersByTimeAsync(50);
    expect(asked.slice(1)).toEqual(["/api/sessions/s1/events?after=3"]);
    expect(sentences()).toEqual(["first", "second"]);
  });

  it("is not disturbed by a log that cannot be read", async () => {
    answer = () => new Response("", { status: 503 });
    const { stream } = open();
    Source.last.say("snapshot", snapshot("Board", 3), 3);
    await vi.advanceTimersByTimeAsync(50);
    expect(stream.getState().session?.progress.title).toBe("Board");
    expect(stream.getState().connection.name).toBe("live");
  });

  it("closes the connection when the last reader leaves", () => {
    const { leave } = open();
    leave();
    expect(Source.last.readyState).toBe(Source.CLOSED);
  });
});
