// The picture of a session: a snapshot with the events after it applied. Pure; the stream and the page stand around it.
//
// Applying an event twice changes nothing: events carry whole objects by id, or text by its offset. A chunk that starts
// beyond the text held means that something was missed: `gaps` names the text until it is closed or begun anew, and the
// stream asks for a new snapshot meanwhile. A snapshot may reflect more than its number says, so the first events after it
// may tell of a state that has passed already: those never turn the picture back.

import type {
  ChatMessage,
  CheckReport,
  CommandStatus,
  FileFormat,
  PhaseProgress,
  PhaseStatus,
  Progress,
  SessionEvent,
  SessionSnapshot,
  Staleness,
  StateInfo,
} from "../api/types";

/** Text that a model is writing and that is not stored yet. */
export interface OpenText {
  operationId: string;
  text: string;
}

export interface OpenFile extends OpenText {
  path: string;
  purpose: string;
  format: FileFormat;
  phaseId: string | null;
}

export interface Command {
  operationId: string;
  command: string;
  status: CommandStatus;
  output: string;
}

export interface Waiting {
  operationId: string;
  code: string;
  reason: string;
  until: string | null;
}

export interface SessionError {
  seq: number;
  at: string;
  code: string;
  sentence: string;
  nextAction: string;
}

export interface Session {
  seq: number;
  progress: Progress;
  conversation: ChatMessage[];
  stale: Staleness | null;
  /** The blueprint's JSON so far; null before it starts and once it is finished. */
  blueprintText: OpenText | null;
  /** Files being written, in the order they were opened. */
  open: Record<string, OpenFile>;
  /** Text of closed files as it was streamed, shown until the stored file is fetched. */
  streamed: Record<string, { version: number; text: string }>;
  /** Answers being written, by message id. */
  drafts: Record<string, OpenText>;
  commands: Command[];
  waiting: Waiting | null;
  errors: SessionError[];
  /** Texts of which a piece is missing: paths, message ids, or the blueprint. */
  gaps: readonly string[];
}

/** An event with its place in the session's order. */
export interface Sequenced {
  seq: number;
  at: string;
  event: SessionEvent;
}

const MAX_COMMANDS = 60;
const MAX_ERRORS = 20;
const BLUEPRINT = "\0blueprint";

export function fromSnapshot(snapshot: SessionSnapshot): Session {
  return {
    seq: snapshot.progress.last_seq,
    progress: snapshot.progress,
    conversation: snapshot.conversation,
    stale: snapshot.stale ?? null,
    blueprintText: null,
    open: {},
    streamed: {},
    drafts: {},
    commands: [],
    waiting: null,
    errors: [],
    gaps: [],
  };
}

export function apply(session: Session, { seq, at, event }: Sequenced): Session {
  const next = step(session, event, seq, at);
  return seq > next.seq ? { ...next, seq } : next;
}

function step(session: Session, event: SessionEvent, seq: number, at: string): Session {
  switch (event.type) {
    case "session_state":
      return isPast(session, event.state) ? session : { ...withProgress(session, { state: event.state }), stale: null, waiting: null };
    case "session_info": {
      const { title, template, model, demo } = event;
      return withProgress(session, { title, template, model, demo });
    }
    case "operation_started":
      return withProgress(resume(session, event.operation.id), {
        operations: upsert(session.progress.operations, event.operation),
      });
    case "operation_finished": {
      // What a step left open when it ended was never stored; the answer and the plan of a finished one still arrive.
      const kept = event.outcome === "done" ? forgetFiles(session, event.operation_id) : forget(session, event.operation_id);
      return withProgress(resume(kept, event.operation_id), {
        operations: session.progress.operations.filter((operation) => operation.id !== event.operation_id),
      });
    }
    case "operation_reset":
      return resume(forget(session, event.operation_id), event.operation_id);
    case "blueprint_chunk":
      return blueprintChunk(session, event);
    case "blueprint":
      return { ...withProgress(closeGap(session, BLUEPRINT), { blueprint: event.blueprint }), blueprintText: null };
    case "phase":
      return session.progress.phases.some((held) => held.id === event.phase.id && isEarlier(event.phase, held))
        ? session
        : withProgress(session, { phases: upsert(session.progress.phases, event.phase) });
    case "file_generating":
      return {
        ...resume(closeGap(session, event.path), event.operation_id),
        open: {
          ...without(session.open, event.path),
          [event.path]: {
            operationId: event.operation_id,
            path: event.path,
            purpose: event.purpose,
            format: event.format,
            phaseId: event.phase_id,
            text: "",
          },
        },
      };
    case "file_chunk":
      return fileChunk(session, event);
    case "file_generated":
      return fileGenerated(session, event.operation_id, event.file);
    case "file_deleted":
      return {
        ...withProgress(closeGap(session, event.path), {
          files: session.progress.files.filter((file) => file.path !== event.path),
        }),
        open: without(session.open, event.path),
        streamed: without(session.streamed, event.path),
      };
    case "file_reset":
      return session.open[event.path]?.operationId === event.operation_id
        ? { ...closeGap(session, event.path), open: without(session.open, event.path) }
        : closeGap(session, event.path);
    case "checks":
      return withProgress(session, { phases: withChecks(session.progress.phases, event.phase_id, event.report) });
    case "command":
      return { ...resume(session, event.operation_id), commands: withCommand(session.commands, event) };
    case "preview":
      return withProgress(session, { preview: event.preview });
    case "message":
      return {
        ...closeGap(session, event.message.id),
        conversation: upsert(session.conversation, event.message),
        drafts: without(session.drafts, event.message.id),
      };
    case "conversation_delta":
      return conversationDelta(session, event);
    case "usage":
      return event.usage.calls < session.progress.usage.calls
        ? session
        : withProgress(session, { usage: event.usage });
    case "waiting":
      return {
        ...session,
        waiting: { operationId: event.operation_id, code: event.code, reason: event.reason, until: event.until },
      };
    case "error":
      return session.errors.some((error) => error.seq === seq)
        ? session
        : {
            ...session,
            errors: [
              ...session.errors,
              { seq, at, code: event.code, sentence: event.sentence, nextAction: event.next_action },
            ].slice(-MAX_ERRORS),
          };
    default:
      // An event of a newer server: what this page knows stays right.
      return session;
  }
}

/** What a chunk at `offset` adds to `held`; null when text in between is missing. */
export function tail(held: string, offset: number, text: string): string | null {
  if (offset > held.length) return null;
  return text.slice(held.length - offset);
}

/** A stored snapshot may bear the time of another clock than the workflow's: it gives way to any event. */
function isPast(session: Session, state: StateInfo): boolean {
  return session.stale === null && Date.parse(state.since) < Date.parse(session.progress.state.since);
}

const ENDED: ReadonlySet<PhaseStatus> = new Set<PhaseStatus>(["completed", "failed"]);

/** Whether `phase` comes before `held` in the life of one phase. One that is taken up again keeps its end until the next. */
function isEarlier(phase: PhaseProgress, held: PhaseProgress): boolean {
  if (held.started_at && !phase.started_at) return true;
  if (!held.finished_at) return false;
  if (!phase.finished_at) return true;
  const difference = Date.parse(phase.finished_at) - Date.parse(held.finished_at);
  return difference < 0 || (difference === 0 && ENDED.has(phase.status) && !ENDED.has(held.status));
}

function blueprintChunk(session: Session, event: Extract<SessionEvent, { type: "blueprint_chunk" }>): Session {
  const before = session.blueprintText;
  const held = before?.operationId === event.operation_id ? before.text : "";
  const added = tail(held, event.offset, event.text);
  if (added === null) return withGap(session, BLUEPRINT);
  if (added === "") return session;
  return {
    ...resume(session, event.operation_id),
    blueprintText: { operationId: event.operation_id, text: held + added },
  };
}

function fileChunk(session: Session, event: Extract<SessionEvent, { type: "file_chunk" }>): Session {
  const before = session.open[event.path];
  const same = before?.operationId === event.operation_id;
  const held = same ? before.text : "";
  const added = tail(held, event.offset, event.text);
  if (added === null) return withGap(session, event.path);
  if (added === "") return session;
  const file: OpenFile = same
    ? { ...before, text: held + added }
    : {
        operationId: event.operation_id,
        path: event.path,
        purpose: "",
        format: event.format,
        phaseId: null,
        text: added,
      };
  return { ...resume(session, event.operation_id), open: { ...session.open, [event.path]: file } };
}

function fileGenerated(
  session: Session,
  operationId: string,
  file: Extract<SessionEvent, { type: "file_generated" }>["file"],
): Session {
  const known = session.progress.files.find((other) => other.path === file.path);
  const live = session.open[file.path];
  const closes = live?.operationId === operationId;
  const next = {
    ...closeGap(session, file.path),
    open: closes ? without(session.open, file.path) : session.open,
    streamed:
      closes && live.format === "full_content"
        ? { ...session.streamed, [file.path]: { version: file.version, text: live.text } }
        : session.streamed,
  };
  if (known && known.version > file.version) return next;
  return withProgress(next, { files: upsertBy(session.progress.files, file, "path") });
}

function conversationDelta(session: Session, event: Extract<SessionEvent, { type: "conversation_delta" }>): Session {
  const draft = session.drafts[event.message_id];
  const stored = session.conversation.find((message) => message.id === event.message_id);
  const held = draft?.operationId === event.operation_id ? draft.text : (stored?.text ?? "");
  const added = tail(held, event.offset, event.text);
  if (added === null) return withGap(session, event.message_id);
  if (added === "") return session;
  return {
    ...resume(session, event.operation_id),
    drafts: { ...session.drafts, [event.message_id]: { operationId: event.operation_id, text: held + added } },
  };
}

function forget(session: Session, operationId: string): Session {
  return {
    ...forgetFiles({ ...session, gaps: [] }, operationId),
    blueprintText: session.blueprintText?.operationId === operationId ? null : session.blueprintText,
    drafts: keep(session.drafts, (draft) => draft.operationId !== operationId),
  };
}

function forgetFiles(session: Session, operationId: string): Session {
  return { ...session, open: keep(session.open, (file) => file.operationId !== operationId) };
}

function withGap(session: Session, text: string): Session {
  return session.gaps.includes(text) ? session : { ...session, gaps: [...session.gaps, text] };
}

function closeGap(session: Session, text: string): Session {
  return session.gaps.includes(text) ? { ...session, gaps: session.gaps.filter((one) => one !== text) } : session;
}

/** A step that shows a sign of life is no longer waiting. */
function resume(session: Session, operationId: string): Session {
  return session.waiting?.operationId === operationId ? { ...session, waiting: null } : session;
}

function withProgress(session: Session, change: Partial<Progress>): Session {
  return { ...session, progress: { ...session.progress, ...change } };
}

function withChecks(phases: PhaseProgress[], id: string, report: CheckReport): PhaseProgress[] {
  return phases.map((phase) => (phase.id === id ? { ...phase, checks: report } : phase));
}

function withCommand(commands: Command[], event: Extract<SessionEvent, { type: "command" }>): Command[] {
  const entry: Command = {
    operationId: event.operation_id,
    command: event.command,
    status: event.status,
    output: event.output,
  };
  const index = commands.findIndex((one) => one.operationId === entry.operationId && one.command === entry.command);
  if (index < 0) return [...commands, entry].slice(-MAX_COMMANDS);
  return commands.with(index, entry);
}

function upsert<T extends { id: string }>(items: T[], item: T): T[] {
  return upsertBy(items, item, "id");
}

function upsertBy<T, K extends keyof T>(items: T[], item: T, key: K): T[] {
  const index = items.findIndex((other) => other[key] === item[key]);
  return index < 0 ? [...items, item] : items.with(index, item);
}

function without<T>(record: Record<string, T>, key: string): Record<string, T> {
  if (!(key in record)) return record;
  const { [key]: _gone, ...rest } = record;
  return rest;
}

function keep<T>(record: Record<string, T>, test: (value: T) => boolean): Record<string, T> {
  const entries = Object.entries(record);
  const kept = entries.filter(([, value]) => test(value));
  return kept.length === entries.length ? record : Object.fromEntries(kept);
}
