// Steps of the work between what was said: one folded line for a row of them.

import { Check, ChevronRight, CircleAlert, CircleSlash, LoaderCircle } from "lucide-react";
import { memo, useState } from "react";
import type { Step } from "../state/picture";
import { actionWords, duration, plural } from "../words";

export const StepGroup = memo(function StepGroup({ steps }: { steps: Step[] }) {
  const [open, setOpen] = useState(false);
  const failed = steps.filter((step) => step.outcome === "failed").length;
  const tools = steps.filter((step) => step.action === "tool").length;
  const first = steps[0];
  if (!first) return null;
  const spent = steps.reduce((sum, step) => sum + length(step), 0);
  return (
    <li className="steps">
      <button type="button" className="steps-head" aria-expanded={open} onClick={() => setOpen(!open)}>
        <ChevronRight size={14} aria-hidden className="tree-arrow" />
        <span className="steps-title">{steps.length === 1 ? first.title : plural(steps.length, "step")}</span>
        <span className="quiet">
          {steps.length > 1 && tools > 0 && `${plural(tools, "tool call")} · `}
          {failed > 0 && `${failed} failed · `}
          <span className="numeric">{duration(spent)}</span>
        </span>
      </button>
      {open && (
        <ol>
          {steps.map((step) => (
            <li key={step.id} data-outcome={step.outcome ?? "running"}>
              <Mark step={step} />
              <span>
                {step.title}
                <small className="quiet">
                  {" "}
                  {step.action !== "tool" && `${actionWords(step.action)} · `}
                  {duration(length(step))}
                  {step.outcome === "stopped" && " · stopped"}
                  {step.outcome === "failed" && " · failed"}
                </small>
              </span>
            </li>
          ))}
        </ol>
      )}
    </li>
  );
});

const length = (step: Step): number => (step.ended ? Math.max(0, Date.parse(step.ended) - Date.parse(step.since)) : 0);

function Mark({ step }: { step: Step }) {
  if (step.outcome === "done") return <Check size={13} aria-hidden className="good" />;
  if (step.outcome === "failed") return <CircleAlert size={13} aria-hidden className="bad" />;
  if (step.outcome === "stopped") return <CircleSlash size={13} aria-hidden />;
  return <LoaderCircle size={13} className="spin" aria-hidden />;
}
