// What happens now and since when: the step at work, a wait with its countdown, or why nothing happens and what to do.

import { CirclePause, Hourglass, LoaderCircle, MessageCircleQuestion, Wallet } from "lucide-react";
import { useNow } from "../state/clock";
import { writingPath } from "../state/selectors";
import type { Session } from "../state/picture";
import { useSession } from "../state/session-context";
import { Button, Stitch } from "../ui/parts";
import { duration, stateTone } from "../words";
import { BudgetForm } from "./budget";
import { useSwitch } from "./header";

export function NowStrip() {
  const operations = useSession((session) => session.progress.operations);
  const state = useSession((session) => session.progress.state);
  const waiting = useSession((session) => session.waiting);
  const path = useSession(writingPath);
  const detour = useSession(detourOfWork);
  const now = useNow();
  const operation = operations.at(-1);
  const working = stateTone[state.name] === "work" || operation !== undefined;

  if (waiting) {
    return (
      <div className="now now--waiting" aria-label="What happens now" role="group">
        <LoaderCircle size={15} className="spin" aria-hidden />
        <p>
          {waiting.reason}{" "}
          {waiting.until ? <Left until={waiting.until} now={now} /> : operation && <Since at={operation.since} now={now} />}
        </p>
      </div>
    );
  }
  if (state.name === "waiting_for_capacity" || state.name === "waiting_for_budget") {
    const Icon = state.name === "waiting_for_budget" ? Wallet : Hourglass;
    return (
      <div className="now now--waiting" aria-label="What happens now" role="group">
        <Icon size={15} aria-hidden />
        <p>
          {state.reason} {state.until ? <Left until={state.until} now={now} /> : <Since at={state.since} now={now} />}
        </p>
        <GoOn label="Try now" />
        {state.name === "waiting_for_budget" && <BudgetForm label="Raise the limit of this session to, in dollars" />}
      </div>
    );
  }
  if (working) {
    return (
      <div className="now" aria-label="What happens now" role="group">
        <Stitch />
        <p>
          <span className="now-title">{operation?.title ?? state.reason}</span>
          {path && <code>{path}</code>}
          {detour && <span className="now-detour">{detour}</span>}
        </p>
        <span className="quiet numeric">{duration(now - Date.parse(operation?.since ?? state.since))}</span>
      </div>
    );
  }
  if (state.name === "idle") {
    return (
      <div className="now now--resting" aria-label="What happens now" role="group">
        <MessageCircleQuestion size={15} aria-hidden />
        <p>
          {state.code === "question" ? "It waits for your answer." : state.reason} <Since at={state.since} now={now} />
        </p>
        <GoOn label="Go on" />
      </div>
    );
  }
  if (state.name === "stopped") {
    return (
      <div className="now now--resting" aria-label="What happens now" role="group">
        <CirclePause size={15} aria-hidden />
        <p>
          {state.reason} <Since at={state.since} now={now} />
          <Kept />
        </p>
        <GoOn label="Resume" />
      </div>
    );
  }
  return null;
}

/** Why the step at work is not at its first attempt. */
function detourOfWork({ detour, progress }: Session): string | null {
  return detour && progress.operations.at(-1)?.id === detour.operationId ? detour.reason : null;
}

/** What a stop left standing. */
function Kept() {
  const files = useSession((session) => session.progress.files.length);
  const written = useSession((session) => session.progress.phases.filter((phase) => phase.status === "completed").length);
  const steps = useSession((session) => session.steps.findLast((step) => step.outcome === "stopped")?.title);
  return (
    <span className="now-kept">
      Kept: {files} {files === 1 ? "file" : "files"}
      {written > 0 && `, ${written} finished ${written === 1 ? "phase" : "phases"}`}.{steps && ` Cut short: ${steps}.`}
    </span>
  );
}

function GoOn({ label }: { label: string }) {
  const { resume, canResume } = useSwitch();
  if (!canResume) return null;
  return (
    <Button small disabled={resume.isPending} onClick={() => resume.mutate()}>
      {label}
    </Button>
  );
}

function Left({ until, now }: { until: string | null; now: number }) {
  if (!until) return null;
  const left = Date.parse(until) - now;
  return <span className="numeric">{left > 0 ? `${duration(left)} left.` : "Any moment now."}</span>;
}

function Since({ at, now }: { at: string; now: number }) {
  return <span className="quiet numeric">Since {duration(now - Date.parse(at))}.</span>;
}
