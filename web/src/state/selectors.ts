// What the page reads out of a session. Each returns the same object while nothing it depends on has changed.

import type { Candidate, ChatMessage, CheckReport, FileRef, ImageRef, PhaseProgress } from "../api/types";
import type { Session, SessionError, Step } from "./picture";

export type TabName = "preview" | "code" | "plan" | "problems" | "history";
export type FileMark = "writing" | "new" | "changed";

/** The tab that shows what happens now, for as long as the user has not picked one. */
export function liveTab(session: Session): TabName {
  const { state, preview, files, phases } = session.progress;
  if (Object.keys(session.open).length > 0) return "code";
  if (state.name === "generating" || state.name === "reviewing") return files.length > 0 && phases.length > 0 ? "code" : "plan";
  if (state.name === "starting" || state.name === "planning") return "plan";
  if (preview.status === "ready") return "preview";
  return phases.length > 0 ? "plan" : files.length > 0 ? "code" : "plan";
}

/** The file being written now: the one opened last. */
export function writingPath(session: Session): string | null {
  return Object.keys(session.open).at(-1) ?? null;
}

/** The file written last. Versions count the changes of the whole session, so the highest one is the newest. */
export function latestPath(session: Session): string | null {
  let latest: FileRef | undefined;
  for (const file of session.progress.files) {
    if (!latest || file.version > latest.version) latest = file;
  }
  return latest?.path ?? null;
}

/** The phase that is at work, or the last one that was. */
export function currentPhase(phases: PhaseProgress[]): PhaseProgress | undefined {
  return phases.findLast((phase) => phase.status !== "planned");
}

/** What the last round of checks found, and in which phase. */
export function lastChecks(phases: PhaseProgress[]): { phase: PhaseProgress; report: CheckReport } | null {
  const phase = phases.findLast((one) => one.checks !== null);
  return phase?.checks ? { phase, report: phase.checks } : null;
}

/** What the current phase did to each file that it touched. */
export function fileMarks(files: FileRef[], open: ReadonlySet<string>, phases: PhaseProgress[]): Map<string, FileMark> {
  const current = currentPhase(phases);
  const earlier = new Set(phases.filter((phase) => phase !== current).flatMap((phase) => phase.files));
  const marks = new Map<string, FileMark>();
  for (const file of files) {
    if (current && file.phase_id === current.id) marks.set(file.path, earlier.has(file.path) ? "changed" : "new");
  }
  for (const path of open) marks.set(path, "writing");
  return marks;
}

export interface Turn extends ChatMessage {
  streaming: boolean;
  phase: string | undefined;
}

/** The conversation as it is shown: the prompt, what was said, and the answers that are being written. */
export function turns(
  conversation: ChatMessage[],
  drafts: Session["drafts"],
  phases: PhaseProgress[],
  prompt: { text: string; at: string; images?: ImageRef[] },
): Turn[] {
  const phaseOf = new Map(phases.flatMap((phase) => phase.message_ids.map((id) => [id, phase.plan.name] as const)));
  const shown = conversation.map((message): Turn => {
    const draft = drafts[message.id];
    return {
      ...message,
      text: draft?.text ?? message.text,
      streaming: draft !== undefined,
      phase: phaseOf.get(message.id),
    };
  });
  const known = new Set(conversation.map((message) => message.id));
  for (const [id, draft] of Object.entries(drafts)) {
    if (known.has(id)) continue;
    shown.push({
      id,
      role: "assistant",
      text: draft.text,
      at: "",
      author: null,
      state: "done",
      streaming: true,
      phase: undefined,
    });
  }
  const first = shown.find((turn) => turn.role === "user");
  if (first?.text.trim() === prompt.text.trim()) return shown;
  const opening: Turn = {
    id: "prompt",
    role: "user",
    text: prompt.text,
    at: prompt.at,
    author: null,
    state: "done",
    images: prompt.images,
    streaming: false,
    phase: undefined,
  };
  return [opening, ...shown];
}

/** The question that waits for an answer: the last thing said that offers options, with nothing said by people after it. */
export function openQuestion(conversation: ChatMessage[]): string | null {
  const said = conversation.findLast((message) => message.role !== "notice" && message.state !== "withdrawn");
  return said?.role === "assistant" && said.options && said.options.length > 0 ? said.id : null;
}

export type Item = { kind: "turn"; turn: Turn } | { kind: "error"; error: SessionError } | { kind: "steps"; steps: Step[] };

const time = (at: string): number => (at === "" ? Number.MAX_SAFE_INTEGER : Date.parse(at));

/**
 * Errors and finished steps at their time among what was said, a row of steps as one; what is being written stays last.
 * What was said keeps its order: the clocks of those who wrote it down may differ by a little.
 */
export function timeline(shown: Turn[], errors: SessionError[], steps: Step[]): Item[] {
  let said = Number.NEGATIVE_INFINITY;
  const all: { at: number; item: Item }[] = [
    ...shown.map((turn) => {
      said = Math.max(said, time(turn.at));
      return { at: said, item: { kind: "turn" as const, turn } };
    }),
    ...errors.map((error) => ({ at: time(error.at), item: { kind: "error" as const, error } })),
    ...steps
      .filter((step) => step.outcome !== null)
      .map((step) => ({ at: time(step.since), item: { kind: "steps" as const, steps: [step] } })),
  ];
  const items: Item[] = [];
  for (const { item } of all.toSorted((a, b) => a.at - b.at)) {
    const last = items.at(-1);
    if (item.kind === "steps" && last?.kind === "steps") last.steps.push(...item.steps);
    else items.push(item.kind === "steps" ? { kind: "steps", steps: [...item.steps] } : item);
  }
  return items;
}

/** Candidates by what they are for, where there is a choice. */
export function candidatesOf(candidates: Candidate[], subject: string): Candidate[] {
  const found = candidates.filter((candidate) => candidate.subject === subject);
  return found.length > 1 ? found : [];
}
