// Numbers, times and states in plain words.

import type { IssueSource, MessageState, Mode, Money, PhaseStatus, StateName } from "./api/types";

export const stateWords: Record<StateName, string> = {
  starting: "Starting",
  planning: "Planning",
  generating: "Building",
  reviewing: "Reviewing",
  idle: "Waiting for you",
  stopped: "Stopped",
  waiting_for_capacity: "Waiting for the model",
  waiting_for_budget: "Over budget",
  completed: "Finished",
  failed: "Failed",
};

export const modeWords: Record<Mode, { name: string; help: string }> = {
  deterministic: { name: "Phase by phase", help: "A plan first, then phases, each of them checked and repaired." },
  smart: { name: "Freely, with tools", help: "The model reads, writes and runs things in the order it likes, then is checked." },
};

export type Tone = "work" | "rest" | "ok" | "warn" | "bad";

export const stateTone: Record<StateName, Tone> = {
  starting: "work",
  planning: "work",
  generating: "work",
  reviewing: "work",
  idle: "rest",
  stopped: "rest",
  waiting_for_capacity: "warn",
  waiting_for_budget: "warn",
  completed: "ok",
  failed: "bad",
};

export const phaseWords: Record<PhaseStatus, string> = {
  planned: "Planned",
  generating: "Writing files",
  checking: "Checking",
  fixing: "Repairing",
  completed: "Done",
  failed: "Failed",
};

export const sourceWords: Record<IssueSource, string> = {
  typecheck: "Types",
  lint: "Lint",
  build: "Build",
  markup: "Markup",
  server: "Server log",
  browser: "Browser",
  network: "Network",
  screenshot: "Screenshot",
  review: "Review",
  sandbox: "Sandbox",
};

/** What looked at the app, each named once. */
export const sourcesWords = (ran: IssueSource[]): string => [...new Set(ran)].map((source) => sourceWords[source]).join(", ");

export function messageWords(state: MessageState, phase: string | undefined): string {
  switch (state) {
    case "queued":
      return "Queued, read after the current step";
    case "being_read":
      return "Being read";
    case "planned":
      return phase ? `Planned as “${phase}”` : "Planned";
    case "done":
      return "";
    case "withdrawn":
      return "Withdrawn";
  }
}

/** The name of an operation's kind, for people: "phase_generation" is "Phase generation". */
export function actionWords(action: string): string {
  const words = action.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A length of time: "8 s", "3 min 05 s", "2 h 10 min". */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} days`;
}

/** How long ago, for lists: "just now", "5 min ago", "3 days ago". */
export function ago(at: string, now: number): string {
  const minutes = Math.floor((now - Date.parse(at)) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ago`;
  const days = Math.floor(hours / 24);
  return days === 1 ? "yesterday" : `${days} days ago`;
}

export function tokens(count: number): string {
  if (count < 1_000) return String(count);
  if (count < 1_000_000) return `${(count / 1_000).toFixed(count < 10_000 ? 1 : 0)}k`;
  return `${(count / 1_000_000).toFixed(2)}M`;
}

/** Dollars; small sums keep the digits that matter. Null is "unknown", never zero. */
export function money(value: Money): string {
  if (value === null) return "cost unknown";
  const amount = Number(value);
  if (amount === 0) return "$0.00";
  return amount < 0.01 ? `$${amount.toFixed(4)}` : `$${amount.toFixed(2)}`;
}

export function size(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  if (bytes < 1_048_576) return `${(bytes / 1_024).toFixed(1)} KB`;
  return `${(bytes / 1_048_576).toFixed(1)} MB`;
}

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;
