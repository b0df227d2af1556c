// The live connection to a session: snapshot first, then events, through the browser's EventSource. It comes back by
// itself after anything (network, server, sleep, a missed event) and hands over events in batches, one a frame.

import { asProblem, eventsUrl, getSession, Problem } from "../api/client";
import { EVENT_TYPES, type ProblemBody, type SessionEvent, type SessionSnapshot } from "../api/types";
import { readLog } from "./log";
import { recall, RECALLED } from "./past";
import type { Sequenced, Session } from "./picture";
import { apply, fromSnapshot } from "./session";

export type Connection =
  | { name: "connecting" }
  | { name: "live" }
  | { name: "reconnecting"; since: number }
  | { name: "refused"; problem: Problem };

export interface StreamState {
  session: Session | null;
  connection: Connection;
}

type Incoming = { snapshot: SessionSnapshot } | { past: Sequenced[] } | Sequenced;

const LIVE: Connection = { name: "live" };
const RETRY_MS = [500, 1_000, 2_000, 4_000, 8_000] as const;
const MAX_GAP_RELOADS = 3;
/** How far back a page that comes late looks for what the snapshot does not hold, in events. */
const MAX_RECALLED = 10_000;
const HIDDEN_FLUSH_MS = 250;
const STALE_AFTER_SLEEP_MS = 60_000;

export class SessionStream {
  private state: StreamState = { session: null, connection: { name: "connecting" } };
  private readonly listeners = new Set<() => void>();
  private source: EventSource | null = null;
  private pending: Incoming[] = [];
  private flushing = false;
  private retries = 0;
  private gapReloads = 0;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private gapTimer: ReturnType<typeof setTimeout> | undefined;
  private lastHeard = Date.now();
  private leaving = new AbortController();

  constructor(private readonly id: string) {}

  readonly getState = (): StreamState => this.state;

  /** Subscribing opens the connection; the last one to leave closes it. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    if (this.listeners.size === 1) this.start();
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) this.stop();
    };
  };

  private start(): void {
    this.leaving = new AbortController();
    window.addEventListener("online", this.reopen);
    window.addEventListener("offline", this.lost);
    document.addEventListener("visibilitychange", this.woken);
    this.open();
  }

  private stop(): void {
    window.removeEventListener("online", this.reopen);
    window.removeEventListener("offline", this.lost);
    document.removeEventListener("visibilitychange", this.woken);
    clearTimeout(this.retryTimer);
    clearTimeout(this.gapTimer);
    this.gapTimer = undefined;
    this.leaving.abort();
    this.source?.close();
    this.source = null;
    this.pending = [];
  }

  /** Starts over: a new connection begins with a new snapshot. */
  readonly reopen = (): void => {
    clearTimeout(this.retryTimer);
    this.open();
  };

  private open(): void {
    clearTimeout(this.gapTimer);
    this.gapTimer = undefined;
    this.source?.close();
    this.pending = [];
    const source = new EventSource(eventsUrl(this.id));
    this.source = source;
    source.addEventListener("open", () => this.connected());
    source.addEventListener("error", (event) => {
      // The session's own events named "error" arrive here too, as messages with data.
      if (!(event instanceof MessageEvent)) this.failed(source);
    });
    source.addEventListener("snapshot", (message) => {
      this.receive({ snapshot: JSON.parse((message as MessageEvent<string>).data) as SessionSnapshot });
    });
    // While the service cannot prove who asks, the connection stands but brings nothing.
    source.addEventListener("unavailable", () => this.lost());
    source.addEventListener("available", () => this.connected());
    source.addEventListener("refused", (message) => {
      source.close();
      const problem = new Problem(JSON.parse((message as MessageEvent<string>).data) as ProblemBody);
      this.set({ ...this.state, connection: { name: "refused", problem } });
    });
    for (const type of EVENT_TYPES) {
      source.addEventListener(type, (message) => {
        if (message instanceof MessageEvent) this.receive(readEvent(type, message as MessageEvent<string>));
      });
    }
  }

  private connected(): void {
    this.retries = 0;
    this.lastHeard = Date.now();
    if (this.state.session) this.set({ ...this.state, connection: LIVE });
  }

  private readonly lost = (): void => {
    if (this.state.connection.name === "reconnecting") return;
    this.set({ ...this.state, connection: { name: "reconnecting", since: Date.now() } });
  };

  private readonly woken = (): void => {
    if (document.visibilityState !== "visible") return;
    this.flush();
    const slept = Date.now() - this.lastHeard > STALE_AFTER_SLEEP_MS;
    if (slept || this.state.connection.name === "reconnecting") this.reopen();
  };

  private failed(source: EventSource): void {
    if (source !== this.source) return;
    this.lost();
    // The browser retries a broken connection itself, from the last event; an answer other than a stream it gives up on.
    if (source.readyState !== EventSource.CLOSED) return;
    const delay = RETRY_MS[Math.min(this.retries, RETRY_MS.length - 1)];
    this.retries += 1;
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => void this.askWhy(source), delay);
  }

  private async askWhy(source: EventSource): Promise<void> {
    try {
      await getSession(this.id);
    } catch (error) {
      const problem = asProblem(error);
      if (source !== this.source) return;
      if ([400, 401, 403, 404, 422].includes(problem.status)) {
        this.set({ ...this.state, connection: { name: "refused", problem } });
        return;
      }
    }
    if (source === this.source) this.open();
  }

  private receive(incoming: Incoming): void {
    this.lastHeard = Date.now();
    this.pending.push(incoming);
    if (this.flushing) return;
    this.flushing = true;
    if (document.visibilityState === "visible") requestAnimationFrame(this.flush);
    else setTimeout(this.flush, HIDDEN_FLUSH_MS);
  }

  private readonly flush = (): void => {
    this.flushing = false;
    if (this.pending.length === 0) return;
    let session = this.state.session;
    for (const incoming of this.pending) {
      if ("snapshot" in incoming) {
        const held: number = session?.seq ?? 0;
        session = fromSnapshot(incoming.snapshot, session);
        void this.recall(held, session.seq);
      } else if ("past" in incoming) {
        if (session) session = recall(session, incoming.past, Date.now());
      } else if (session) session = apply(session, incoming);
    }
    this.pending = [];
    if (session && session.gaps.length > 0) this.closeGap();
    else this.gapReloads = 0;
    this.set({ session, connection: session ? LIVE : this.state.connection });
  };

  /** Reads what the snapshot leaves out. Without it the picture is still right, only less told: a failure is left at that. */
  private async recall(held: number, upto: number): Promise<void> {
    if (held >= upto) return;
    const range = { after: Math.max(held, upto - MAX_RECALLED), upto };
    const past = await readLog(this.id, RECALLED, range, this.leaving.signal).catch(() => []);
    if (past.length > 0 && this.source) this.receive({ past });
  }

  /** Text in between is missing: a new snapshot has it. Bounded, so that a server at fault is not asked for ever. */
  private closeGap(): void {
    if (this.gapReloads >= MAX_GAP_RELOADS || this.gapTimer !== undefined) return;
    const delay = this.gapReloads * 1_000;
    this.gapReloads += 1;
    this.gapTimer = setTimeout(this.reopen, delay);
  }

  private set(state: StreamState): void {
    this.state = state;
    for (const listener of this.listeners) listener();
  }
}

/** An event as it travels: its data may carry the envelope too; the id of the frame is its sequence number. */
export function readEvent(type: SessionEvent["type"], message: { data: string; lastEventId: string }): Sequenced {
  const data = JSON.parse(message.data) as { seq?: number; at?: string };
  return {
    seq: data.seq ?? (Number(message.lastEventId) || 0),
    at: data.at ?? new Date().toISOString(),
    event: { ...data, type } as unknown as SessionEvent,
  };
}
