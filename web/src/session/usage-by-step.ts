// What each phase cost, read from the session's log when someone asks. The log says the totals after every model call, and
// which step made it; the rest is subtraction.

import { eventsUrl } from "../api/client";
import type { Operation, UsageTotals } from "../api/types";

export interface StepUsage {
  /** The phase it was spent on; null for planning and talk. */
  phaseId: string | null;
  action: string;
  tokens: number;
  cost: number | null;
}

export type LogEntry =
  | { type: "usage"; seq: number; operation_id: string; action: string; usage: UsageTotals }
  | { type: "operation_started"; seq: number; operation: Operation };

const READ_MS = 10_000;

/** Reads the log from its beginning up to `upto`. Rejects when it cannot be read. */
export async function readLog(session: string, upto: number, signal: AbortSignal): Promise<LogEntry[]> {
  const stop = new AbortController();
  const response = await fetch(`${eventsUrl(session)}?after=0`, {
    credentials: "same-origin",
    signal: AbortSignal.any([signal, stop.signal, AbortSignal.timeout(READ_MS)]),
  });
  if (!response.ok || !response.body) throw new Error(`The log of the session could not be read (${response.status}).`);
  const entries: LogEntry[] = [];
  let rest = "";
  for await (const piece of pieces(response.body.pipeThrough(new TextDecoderStream()))) {
    const frames = (rest + piece).split("\n\n");
    rest = frames.pop() ?? "";
    for (const frame of frames) {
      const fields = new Map(frame.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
      const type = fields.get("event");
      if (type === "usage" || type === "operation_started") entries.push(JSON.parse(fields.get("data") ?? "") as LogEntry);
      if (Number(fields.get("id") ?? 0) >= upto) {
        stop.abort();
        return entries;
      }
    }
  }
  return entries;
}

/** A stream's pieces; not every browser can iterate a stream itself. */
async function* pieces(stream: ReadableStream<string>): AsyncGenerator<string> {
  const reader = stream.getReader();
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

/** What each model call added to the totals, summed by phase, and by action where it belongs to none. */
export function usageBySteps(log: LogEntry[]): StepUsage[] {
  const phases = new Map<string, string | null>();
  const steps = new Map<string, StepUsage>();
  let calls = 0;
  let tokens = 0;
  let cost: number | null = 0;
  for (const entry of log) {
    if (entry.type === "operation_started") {
      phases.set(entry.operation.id, entry.operation.phase_id);
      continue;
    }
    const { usage } = entry;
    if (usage.calls <= calls) continue;
    const newTokens = usage.input_tokens + usage.output_tokens;
    const newCost = usage.cost_usd === null ? null : Number(usage.cost_usd);
    const phaseId = phases.get(entry.operation_id) ?? null;
    const key = phaseId ?? `action ${entry.action}`;
    const step = steps.get(key) ?? { phaseId, action: entry.action, tokens: 0, cost: 0 };
    step.tokens += newTokens - tokens;
    step.cost = step.cost === null || newCost === null || cost === null ? null : step.cost + newCost - cost;
    steps.set(key, step);
    calls = usage.calls;
    tokens = newTokens;
    cost = newCost;
  }
  return [...steps.values()];
}
