// Who this is, how far it is and since when, what it costs, and the two switches that matter: stop and resume.

import { useMutation } from "@tanstack/react-query";
import { Command, FlaskConical, KeyRound, Play, Square, Unplug } from "lucide-react";
import { Popover } from "radix-ui";
import { lazy, Suspense, useCallback, useState } from "react";
import { Link } from "wouter";
import { resumeSession, stopSession } from "../api/client";
import type { StateInfo } from "../api/types";
import { useNow } from "../state/clock";
import { useConnection, useReopen, useSession } from "../state/session-context";
import { Button, IconButton, LogoMark, Pill, ProblemNote, Tooltip } from "../ui/parts";
import { ThemeMenu } from "../ui/theme-menu";
import { duration, stateTone, stateWords } from "../words";
import { AccessBadge, useRights } from "./access";
import { Company, TakeHome } from "./take-home";
import { UsageChip } from "./usage";

const KeyDialog = lazy(() => import("../models/key-dialog"));

interface HeaderProps {
  narrow: boolean;
  openPalette: () => void;
}

export function SessionHeader({ narrow, openPalette }: HeaderProps) {
  const title = useSession((session) => session.progress.title);
  return (
    <header className="top">
      <Link href="/" className="logo" aria-label="stich, start page">
        <LogoMark />
      </Link>
      <div className="top-title">
        <h1 title={title}>{title}</h1>
        <StateLine />
      </div>
      <div className="top-tools">
        <Company />
        <AccessBadge />
        <ConnectionBadge />
        {!narrow && <Facts narrow={false} />}
        <StopOrResume />
        <IconButton label="Commands (Ctrl+K)" onClick={openPalette}>
          <Command size={17} aria-hidden />
        </IconButton>
        {!narrow && <ThemeMenu />}
      </div>
    </header>
  );
}

/** Who answers, what it cost, and the way to take it home. In the header, or on a phone above the conversation. */
export function Facts({ narrow }: { narrow: boolean }) {
  const demo = useSession((session) => session.progress.demo);
  return (
    <>
      {demo && <DemoBadge />}
      <UsageChip />
      <TakeHome narrow={narrow} />
    </>
  );
}

function StateLine() {
  const state = useSession((session) => session.progress.state);
  const stale = useSession((session) => session.stale);
  return (
    <div className="state-line">
      <div role="status" aria-label="State" className="state-words">
        <Pill tone={stateTone[state.name]} dot>
          {stateWords[state.name]}
        </Pill>
        <span className="state-reason" title={state.reason}>
          {state.reason}
        </span>
      </div>
      <Since state={state} />
      {stale && (
        <Tooltip text={stale.reason}>
          <button type="button" className="pill pill--warn">
            As of {duration(stale.age * 1000)} ago
          </button>
        </Tooltip>
      )}
    </div>
  );
}

function Since({ state }: { state: StateInfo }) {
  const now = useNow();
  if (state.until) {
    const left = Date.parse(state.until) - now;
    return <span className="since numeric">{left > 0 ? `${duration(left)} left` : "any moment"}</span>;
  }
  return <span className="since numeric">{duration(now - Date.parse(state.since))}</span>;
}

function ConnectionBadge() {
  const connection = useConnection();
  const reopen = useReopen();
  return (
    <div role="status" aria-label="Connection">
      {connection.name === "reconnecting" && (
        <Tooltip text="The work goes on without this page. It catches up by itself; press to try now.">
          <button type="button" className="pill pill--warn" onClick={reopen}>
            <Unplug size={13} aria-hidden /> Reconnecting
          </button>
        </Tooltip>
      )}
    </div>
  );
}

function DemoBadge() {
  const [open, setOpen] = useState(false);
  const [adding, setAdding] = useState(false);
  const stopAdding = useCallback(() => setAdding(false), []);
  const add = () => {
    setOpen(false);
    setAdding(true);
  };
  return (
    <>
      <Popover.Root open={open} onOpenChange={setOpen}>
        <Popover.Trigger className="pill pill--info pill--button">
          <FlaskConical size={13} aria-hidden /> Demo model
        </Popover.Trigger>
        <Popover.Portal>
          <Popover.Content className="popover" aria-label="Demo model" align="end" sideOffset={8} collisionPadding={12}>
            <strong>Demo model: plays recorded sessions</strong>
            <p>
              Files, checks and preview are real; the words come from a recording. With a key of a model provider real
              models answer, in every app that you begin from then on.
            </p>
            <Button look="primary" onClick={add}>
              <KeyRound size={15} aria-hidden /> Add a key
            </Button>
          </Popover.Content>
        </Popover.Portal>
      </Popover.Root>
      {adding && (
        <Suspense>
          <KeyDialog close={stopAdding} />
        </Suspense>
      )}
    </>
  );
}

/** Stop and resume, and which of them are possible now for whoever looks at the page. */
export function useSwitch() {
  const id = useSession((session) => session.progress.session_id);
  const can = useSession((session) => session.progress.state.can);
  const { may } = useRights();
  const stop = useMutation({ mutationFn: () => stopSession(id) });
  const resume = useMutation({ mutationFn: () => resumeSession(id) });
  const allowed = may("edit");
  return { stop, resume, canStop: allowed && can.includes("stop"), canResume: allowed && can.includes("resume") };
}

function StopOrResume() {
  const { stop, resume, canStop, canResume } = useSwitch();
  const action = stop.error ? stop : resume;
  return (
    <>
      {canResume && (
        <Button look="primary" disabled={resume.isPending} onClick={() => resume.mutate()}>
          <Play size={15} aria-hidden /> Resume
        </Button>
      )}
      {canStop && (
        <Button disabled={stop.isPending} onClick={() => stop.mutate()}>
          <Square size={13} fill="currentColor" aria-hidden /> {stop.isPending ? "Stopping" : "Stop"}
        </Button>
      )}
      {action.error && (
        <div className="toast">
          <ProblemNote
            error={action.error}
            action={
              <Button look="plain" small onClick={() => action.reset()}>
                Close
              </Button>
            }
          />
        </div>
      )}
    </>
  );
}
