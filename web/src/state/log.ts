// The session's log, from one place in it to another: for what a snapshot does not hold.

import { eventsUrl } from "../api/client";
import type { SessionEvent } from "../api/types";

type EventType = SessionEvent["type"];

export interface Logged<T extends EventType> {
  seq: number;
  at: string;
  event: Extract<SessionEvent, { type: T }>;
}

const READ_MS = 10_000;

/** The events of some types after `after`, up to and including `upto`. Rejects when they cannot be read. */
export async function readLog<T extends EventType>(
  session: string,
  types: readonly T[],
  { after, upto }: { after: number; upto: number },
  signal: AbortSignal,
): Promise<Logged<T>[]> {
  const stop = new AbortController();
  const response = await fetch(`${eventsUrl(session)}?after=${after}`, {
    credentials: "same-origin",
    signal: AbortSignal.any([signal, stop.signal, AbortSignal.timeout(READ_MS)]),
  });
  if (!response.ok || !response.body) throw new Error(`The log of the session could not be read (${response.status}).`);
  const wanted: ReadonlySet<string> = new Set(types);
  const entries: Logged<T>[] = [];
  let rest = "";
  for await (const piece of pieces(response.body.pipeThrough(new TextDecoderStream()))) {
    const frames = (rest + piece).split("\n\n");
    rest = frames.pop() ?? "";
    for (const frame of frames) {
      const fields = new Map(frame.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
      const type = fields.get("event");
      const seq = Number(fields.get("id") ?? 0);
      if (seq <= upto && type !== undefined && wanted.has(type)) {
        const data = JSON.parse(fields.get("data") ?? "") as { at: string };
        entries.push({ seq, at: data.at, event: { ...data, type } as unknown as Logged<T>["event"] });
      }
      if (seq >= upto) {
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
