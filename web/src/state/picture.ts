// What the picture of a session is made of, and the small changes that all of its parts are built from.

import type {
  BudgetNotice,
  ChatMessage,
  CommandStatus,
  FileConflict,
  FileFormat,
  MaskedSecret,
  Progress,
  SessionEvent,
  Staleness,
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

export function withProgress(session: Session, change: Partial<Progress>): Session {
  return { ...session, progress: { ...session.progress, ...change } };
}

export function upsert<T extends { id: string }>(items: T[], item: T): T[] {
  return upsertBy(items, item, "id");
}

export function upsertBy<T, K extends keyof T>(items: T[], item: T, key: K): T[] {
  const index = items.findIndex((other) => other[key] === item[key]);
  return index < 0 ? [...items, item] : items.with(index, item);
}

export function without<T>(record: Record<string, T>, key: string): Record<string, T> {
  if (!(key in record)) return record;
  const { [key]: _gone, ...rest } = record;
  return rest;
}

export function keep<T>(record: Record<string, T>, test: (value: T) => boolean): Record<string, T> {
  const entries = Object.entries(record);
  const kept = entries.filter(([, value]) => test(value));
  return kept.length === entries.length ? record : Object.fromEntries(kept);
}
