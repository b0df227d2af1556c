// The picture of a session: a snapshot with the events after it applied. Pure; the stream and the page stand around it.
//
// Applying an event twice changes nothing: events carry whole objects by id, or text by its offset. A chunk that starts
// beyond the text held means that something was missed: `gaps` names the text until it is closed or begun anew, and the
// stream asks for a new snapshot meanwhile. A snapshot may reflect more than its number says, so the first events after it
// may tell of a state that has passed already: those never turn the picture back.

import type {
  BudgetNotice,
  Candidate,
  ChatMessage,
  CheckReport,
  CommandStatus,
  FileConflict,
  FileFormat,
  MaskedSecret,
  Operation,
  PhaseProgress,
  PhaseStatus,
  Progress,
  SessionEvent,
  SessionSnapshot,
  Staleness,
  StateInfo,
  Watcher,
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
  /** Where in the order it was last heard of. */
  seq: number;
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
  secrets: MaskedSecret[];
}

/** A step of the work, running or over. */
export interface Step {
  /** Where in the order it began. */
  seq: number;
  id: string;
  action: string;
  title: string;
  phaseId: string | null;
  since: string;
  ended: string | null;
  outcome: "done" | "failed" | "stopped" | null;
}

/** What is being done about a file that was faulty by itself. */
export interface Fix {
  operationId: string;
  status: "fixing" | "fixed" | "kept";
  by: "rule" | "model";
  problems: string[];
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
  /** Why a step that runs is at another attempt, perhaps at another provider: the last of its waits. */
  detour: Waiting | null;
  errors: SessionError[];
  /** Steps in the order they began, the newest ones. */
  steps: Step[];
  /** By path: repairs of single files, until the file is written again. */
  fixes: Record<string, Fix>;
  /** Edits that wait for a choice between two texts. */
  conflicts: FileConflict[];
  /** Parts of budgets that are used up, each once. */
  budgetNotices: BudgetNotice[];
  /** Who has the session open. */
  watchers: Watcher[];
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
const MAX_STEPS = 400;
const BLUEPRINT = "\0blueprint";

/** The picture a snapshot gives. Of the one `before` it stays what no snapshot holds: commands, errors, steps, company. */
export function fromSnapshot(snapshot: SessionSnapshot, before?: Session | null): Session {
  return {
    seq: snapshot.progress.last_seq,
    progress: snapshot.progress,
    conversation: snapshot.conversation,
    stale: snapshot.stale ?? null,
    blueprintText: null,
    open: {},
    streamed: {},
    drafts: {},
    commands: before?.commands ?? [],
    waiting: null,
    detour: before?.detour ?? null,
    errors: before?.errors ?? [],
    steps: begun(before?.steps ?? [], snapshot.progress),
    fixes: {},
    conflicts: snapshot.conflicts ?? [],
    budgetNotices: before?.budgetNotices ?? [],
    watchers: before?.watchers ?? [],
    gaps: [],
  };
}

/** What `recall` reads out of the log. */
export const RECALLED = ["command", "error", "waiting", "budget", "operation_started", "operation_finished"] as const;

/** Puts in place what a snapshot does not hold, from the log up to it: commands, errors, steps, notices, and a wait not over. */
export function recall(session: Session, past: readonly Sequenced[], now: number): Session {
  const commands = [...session.commands];
  const errors = new Map(session.errors.map((error) => [error.seq, error]));
  let { waiting, detour } = session;
  let { steps, budgetNotices } = session;
  for (const { seq, at, event } of past) {
    if (event.type === "command") commands.push(commandOf(seq, event));
    else if (event.type === "error") errors.set(seq, errorOf(seq, at, event));
    else if (event.type === "operation_started") steps = withStep(steps, stepOf(seq, event.operation));
    else if (event.type === "operation_finished") steps = withEnd(steps, event, at);
    else if (event.type === "budget") budgetNotices = withNotice(budgetNotices, event.notice);
    else if (event.type === "waiting" && session.waiting === null) {
      const running = session.progress.operations.some((operation) => operation.id === event.operation_id);
      if (running) detour = waitingOf(event);
      if (running && Date.parse(event.until ?? "") > now) waiting = waitingOf(event);
    }
  }
  return {
    ...session,
    commands: commands.toSorted((a, b) => a.seq - b.seq).reduce(withCommand, []),
    errors: [...errors.values()].toSorted((a, b) => a.seq - b.seq).slice(-MAX_ERRORS),
    steps: steps.toSorted((a, b) => a.seq - b.seq).slice(-MAX_STEPS),
    budgetNotices,
    waiting,
    detour,
  };
}

export function apply(session: Session, { seq, at, event }: Sequenced): Session {
  const next = advance(session, event, seq, at);
  return seq > next.seq ? { ...next, seq } : next;
}

function advance(session: Session, event: SessionEvent, seq: number, at: string): Session {
  switch (event.type) {
    case "session_state":
      return isPast(session, event.state) ? session : { ...withProgress(session, { state: event.state }), stale: null, waiting: null };
    case "session_info": {
      const { title, template, model, demo } = event;
      return withProgress(session, { title, template, model, demo });
    }
    case "operation_started":
      return withProgress(resume({ ...session, steps: withStep(session.steps, stepOf(seq, event.operation)) }, event.operation.id), {
        operations: upsert(session.progress.operations, event.operation),
      });
    case "operation_finished": {
      // What a step left open when it ended was never stored; the answer and the plan of a finished one still arrive.
      const kept = event.outcome === "done" ? forgetFiles(session, event.operation_id) : forget(session, event.operation_id);
      const detour = kept.detour?.operationId === event.operation_id ? null : kept.detour;
      return withProgress(resume({ ...kept, detour, steps: withEnd(kept.steps, event, at) }, event.operation_id), {
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
      if (typeof event.phase.discarded_at === "number") {
        const left = session.progress.phases.filter((held) => held.id !== event.phase.id);
        return withProgress(session, { phases: left });
      }
      return session.progress.phases.some((held) => held.id === event.phase.id && isEarlier(event.phase, held))
        ? session
        : withProgress(session, { phases: upsert(session.progress.phases, event.phase) });
    case "file_generating":
      return {
        ...resume(closeGap(session, event.path), event.operation_id),
        fixes: without(session.fixes, event.path),
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
    case "file_conflict": {
      const others = session.conflicts.filter((one) => one.path !== event.conflict.path);
      return { ...session, conflicts: event.conflict.state === "open" ? [...others, event.conflict] : others };
    }
    case "file_fix": {
      const { operation_id: operationId, status, by, problems } = event;
      return { ...resume(session, operationId), fixes: { ...session.fixes, [event.path]: { operationId, status, by, problems } } };
    }
    case "candidate":
      return withProgress(session, { candidates: withCandidate(session.progress.candidates, event.candidate) });
    case "presence":
      return { ...session, watchers: event.watchers };
    case "checks":
      return withProgress(session, { phases: withChecks(session.progress.phases, event.phase_id, event.report) });
    case "command":
      return { ...resume(session, event.operation_id), commands: withCommand(session.commands, commandOf(seq, event)) };
    case "preview":
      return withProgress(session, { preview: event.preview });
    case "deployment":
      return withProgress(session, { deployments: upsert(session.progress.deployments, event.deployment) });
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
    case "budget":
      return { ...session, budgetNotices: withNotice(session.budgetNotices, event.notice) };
    case "waiting": {
      const waiting = waitingOf(event);
      return { ...session, waiting, detour: waiting };
    }
    case "error":
      return session.errors.some((error) => error.seq === seq)
        ? session
        : {
            ...session,
            errors: [...session.errors, errorOf(seq, at, event)].slice(-MAX_ERRORS),
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

/** Of the candidates for one thing a single one is chosen. */
function withCandidate(candidates: Candidate[], candidate: Candidate): Candidate[] {
  const others = candidate.chosen
    ? candidates.map((one) => (one.subject === candidate.subject && one.chosen ? { ...one, chosen: false } : one))
    : candidates;
  return upsert(others, candidate);
}

function withNotice(notices: BudgetNotice[], notice: BudgetNotice): BudgetNotice[] {
  return notices.some((one) => one.id === notice.id) ? notices : [...notices, notice];
}

function stepOf(seq: number, operation: Operation): Step {
  const { id, action, title, phase_id: phaseId, since } = operation;
  return { seq, id, action, title, phaseId, since, ended: null, outcome: null };
}

/** Steps that run by a snapshot; where the log is read, their right place in it follows. */
function begun(steps: Step[], progress: Progress): Step[] {
  return progress.operations.reduce(
    (held, operation) => (held.some((step) => step.id === operation.id) ? held : withStep(held, stepOf(progress.last_seq, operation))),
    steps,
  );
}

/** A step begins once; one that is told again, from the log or by a later attempt, keeps its place. */
function withStep(steps: Step[], step: Step): Step[] {
  const index = steps.findIndex((one) => one.id === step.id);
  const held = steps[index];
  if (!held) return [...steps, step].slice(-MAX_STEPS);
  const again = step.seq > held.seq;
  return steps.with(index, {
    ...(again ? step : held),
    seq: Math.min(step.seq, held.seq),
    since: again ? held.since : step.since,
  });
}

function withEnd(steps: Step[], event: Extract<SessionEvent, { type: "operation_finished" }>, at: string): Step[] {
  const index = steps.findIndex((step) => step.id === event.operation_id);
  const held = steps[index];
  return held ? steps.with(index, { ...held, ended: at, outcome: event.outcome }) : steps;
}

function commandOf(seq: number, event: Extract<SessionEvent, { type: "command" }>): Command {
  const { operation_id: operationId, command, status, output } = event;
  return { seq, operationId, command, status, output };
}

function errorOf(seq: number, at: string, event: Extract<SessionEvent, { type: "error" }>): SessionError {
  return { seq, at, code: event.code, sentence: event.sentence, nextAction: event.next_action, secrets: event.secrets ?? [] };
}

function waitingOf(event: Extract<SessionEvent, { type: "waiting" }>): Waiting {
  const { operation_id: operationId, code, reason, until } = event;
  return { operationId, code, reason, until };
}

function withCommand(commands: Command[], entry: Command): Command[] {
  const index = commands.findIndex((one) => one.operationId === entry.operationId && one.command === entry.command);
  if (index < 0) return [...commands, entry].slice(-MAX_COMMANDS);
  return (commands[index]?.seq ?? 0) > entry.seq ? commands : commands.with(index, entry);
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
