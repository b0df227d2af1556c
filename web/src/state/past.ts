// What no snapshot holds and only the log tells: commands, errors, steps, notices, and a wait that is not over.

import type { BudgetNotice, Operation, Progress, SessionEvent } from "../api/types";
import type { Command, Sequenced, Session, SessionError, Step, Waiting } from "./picture";

const MAX_COMMANDS = 60;
const MAX_ERRORS = 20;
const MAX_STEPS = 400;

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

export function withNotice(notices: BudgetNotice[], notice: BudgetNotice): BudgetNotice[] {
  return notices.some((one) => one.id === notice.id) ? notices : [...notices, notice];
}

export function stepOf(seq: number, operation: Operation): Step {
  const { id, action, title, phase_id: phaseId, since } = operation;
  return { seq, id, action, title, phaseId, since, ended: null, outcome: null };
}

/** Steps that run by a snapshot; where the log is read, their right place in it follows. */
export function begun(steps: Step[], progress: Progress): Step[] {
  return progress.operations.reduce(
    (held, operation) => (held.some((step) => step.id === operation.id) ? held : withStep(held, stepOf(progress.last_seq, operation))),
    steps,
  );
}

/** A step begins once; one that is told again, from the log or by a later attempt, keeps its place. */
export function withStep(steps: Step[], step: Step): Step[] {
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

export function withEnd(steps: Step[], event: Extract<SessionEvent, { type: "operation_finished" }>, at: string): Step[] {
  const index = steps.findIndex((step) => step.id === event.operation_id);
  const held = steps[index];
  return held ? steps.with(index, { ...held, ended: at, outcome: event.outcome }) : steps;
}

export function commandOf(seq: number, event: Extract<SessionEvent, { type: "command" }>): Command {
  const { operation_id: operationId, command, status, output } = event;
  return { seq, operationId, command, status, output };
}

export function errorOf(seq: number, at: string, event: Extract<SessionEvent, { type: "error" }>): SessionError {
  return { seq, at, code: event.code, sentence: event.sentence, nextAction: event.next_action, secrets: event.secrets ?? [] };
}

export function waitingOf(event: Extract<SessionEvent, { type: "waiting" }>): Waiting {
  const { operation_id: operationId, code, reason, until } = event;
  return { operationId, code, reason, until };
}

export function withCommand(commands: Command[], entry: Command): Command[] {
  const index = commands.findIndex((one) => one.operationId === entry.operationId && one.command === entry.command);
  if (index < 0) return [...commands, entry].slice(-MAX_COMMANDS);
  return (commands[index]?.seq ?? 0) > entry.seq ? commands : commands.with(index, entry);
}

export function withError(errors: SessionError[], error: SessionError): SessionError[] {
  return errors.some((held) => held.seq === error.seq) ? errors : [...errors, error].slice(-MAX_ERRORS);
}
