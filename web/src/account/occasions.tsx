// What a program can be told of: events in groups that a person thinks in.

import { CheckField } from "../ui/forms";
import { plural } from "../words";

interface Occasion {
  label: string;
  hint: string;
  events: string[];
}

const occasions: Occasion[] = [
  { label: "It is finished or has failed", hint: "An app came to its end.", events: ["session.completed", "session.failed"] },
  { label: "It waits for me", hint: "A question, or a limit that was reached.", events: ["session.idle", "session.waiting_for_budget"] },
  { label: "Money", hint: "Half, 80 and 100 per cent of a budget.", events: ["budget.notice"] },
  { label: "Every phase", hint: "Planned, completed, failed.", events: ["phase.planned", "phase.completed", "phase.failed"] },
  { label: "Publishing", hint: "Live, withdrawn, failed.", events: ["deployment.live", "deployment.withdrawn", "deployment.failed"] },
  {
    label: "Every other state",
    hint: "Starts, plans, builds, reviews, stops, waits for a model.",
    events: [
      "session.starting", "session.planning", "session.generating", "session.reviewing", "session.stopped",
      "session.waiting_for_capacity",
    ],
  },
  { label: "What is said", hint: "Answers and notices in the conversation.", events: ["message.assistant", "message.notice"] },
  { label: "Every file", hint: "As soon as it is written.", events: ["file.generated"] },
  { label: "Errors", hint: "What did not work, with what to do.", events: ["error"] },
];

export const usualEvents: string[] = occasions.slice(0, 2).flatMap((one) => one.events);

/** `events` in words. */
export function toldOf(events: string[]): string {
  const told = occasions.filter((one) => one.events.every((event) => events.includes(event)));
  const rest = events.filter((event) => !told.some((one) => one.events.includes(event))).length;
  return [...told.map((one) => one.label), ...(rest > 0 ? [plural(rest, "other event")] : [])].join(", ");
}

export function OccasionFields({ chosen, change }: { chosen: string[]; change: (events: string[]) => void }) {
  return (
    <fieldset className="fieldset">
      <legend>It is told of</legend>
      <div className="form-row">
        {occasions.map(({ label, hint, events }) => {
          const others = chosen.filter((event) => !events.includes(event));
          return (
            <CheckField
              key={label}
              label={label}
              hint={hint}
              checked={events.every((event) => chosen.includes(event))}
              onChange={(press) => change(press.target.checked ? [...others, ...events] : others)}
            />
          );
        })}
      </div>
    </fieldset>
  );
}
