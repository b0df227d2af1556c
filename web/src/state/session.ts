// The picture of a session: a snapshot with the events after it applied. Pure; the stream and the page stand around it.
//
// Applying an event twice changes nothing: events carry whole objects by id, or text by its offset. A chunk that starts
// beyond the text held means that something was missed: `gaps` names the text until it is closed or begun anew, and the
// stream asks for a new snapshot meanwhile. A snapshot may reflect more than its number says, so the first events after it
// may tell of a state that has passed already: those never turn the picture back.

import type { Candidate, CheckReport, PhaseProgress, PhaseStatus, SessionEvent, SessionSnapshot, StateInfo } from "../api/types";
import { begun, commandOf, errorOf, stepOf, waitingOf, withCommand, withEnd, withError, withNotice, withStep } from "./past";
import { upsert, without, withProgress, type Sequenced, type Session } from "./picture";
import { BLUEPRINT, blueprintChunk, closeGap, conversationDelta, fileChunk, fileGenerated, forget, forgetFiles, resume } from "./texts";

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
      return { ...session, errors: withError(session.errors, errorOf(seq, at, event)) };
    default:
      // An event of a newer server: what this page knows stays right.
      return session;
  }
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
