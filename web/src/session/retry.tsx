// A phase begun anew: what that takes back, what it keeps, and the press that does it.

import { RotateCcw } from "lucide-react";
import { useState } from "react";
import { retryPhase } from "../api/versions";
import type { PhaseProgress } from "../api/types";
import { useSession } from "../state/session-context";
import { ConfirmDialog } from "../ui/forms";
import { IconButton } from "../ui/parts";
import { plural, stateTone, type Tone } from "../words";
import { useRights } from "./access";

/** A session at work, or waiting to go on by itself, has to be stopped first. */
const BUSY: ReadonlySet<Tone> = new Set<Tone>(["work", "warn"]);

export function RetryPhase({ phase }: { phase: PhaseProgress }) {
  const session = useSession((one) => one.progress.session_id);
  const phases = useSession((one) => one.progress.phases);
  const busy = useSession((one) => BUSY.has(stateTone[one.progress.state.name]));
  const elsewhere = useSession((one) => phase.finished_at !== null && Date.parse(phase.finished_at) < Date.parse(one.progress.created_at));
  const { may } = useRights();
  const [open, setOpen] = useState(false);
  if (busy || elsewhere || !may("edit")) return null;
  const later = phases.slice(phases.findIndex((one) => one.id === phase.id) + 1);
  const name = phase.plan.name;
  return (
    <>
      <IconButton small label={`Build “${name}” anew`} onClick={() => setOpen(true)}>
        <RotateCcw size={14} aria-hidden />
      </IconButton>
      {open && (
        <ConfirmDialog
          action="Build it anew"
          title={`Build “${name}” anew?`}
          run={() => retryPhase(session, phase.id)}
          close={() => setOpen(false)}
        >
          <p>The project goes back to what it was before this phase, and the phase is written again from the same plan.</p>
          <p>
            <strong>Taken back:</strong> “{name}”
            {later.length > 0 &&
              `, the ${plural(later.length, "phase")} after it (${later.map((one) => `“${one.plan.name}”`).join(", ")})`}
            , and edits of files that came after it began.
          </p>
          <p>
            <strong>Kept:</strong> every version stays in the history, to be compared, restored or forked.
            {later.length > 0 && " Messages that later phases carried out are read again."} What it has cost so far stays spent.
          </p>
        </ConfirmDialog>
      )}
    </>
  );
}
