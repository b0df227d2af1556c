// What most people never need to touch: how often to review, how many at once, what it may cost.

import type { Mode } from "../api/types";
import { SelectField, TextField } from "../ui/forms";
import type { MoreChoices } from "./draft";

interface Choice {
  name: Exclude<keyof MoreChoices, "complexity" | "maxCost">;
  label: string;
  hint: string;
  from: number;
  to: number;
  usual: number;
  only?: Mode;
}

const choices: Choice[] = [
  { name: "reviewCycles", label: "Review rounds", hint: "Looks over the whole app at the end.", from: 0, to: 10, usual: 3 },
  { name: "maxPhases", label: "Phases at most", hint: "Each is built, checked and repaired.", from: 1, to: 10, usual: 10 },
  { name: "parallelCalls", label: "Written at once", hint: "Groups of files side by side: faster.", from: 1, to: 4, usual: 3 },
  { name: "blueprintCandidates", label: "Candidates of the plan", hint: "Written by turns; the best one is kept.", from: 1, to: 4, usual: 1, only: "deterministic" },
  { name: "phaseCandidates", label: "Candidates of a phase", hint: "Better and dearer: each one costs.", from: 1, to: 4, usual: 1, only: "deterministic" },
];

interface MoreChoicesProps {
  mode: Mode;
  value: MoreChoices;
  change: (value: MoreChoices) => void;
}

export function MoreChoicesFields({ mode, value, change }: MoreChoicesProps) {
  return (
    <div className="form-row more-choices">
      <SelectField
        label="Complexity"
        hint="How much there is to plan."
        value={value.complexity}
        onChange={(event) => change({ ...value, complexity: event.target.value })}
      >
        <option value="">Judged for you</option>
        <option value="simple">Simple: one phase</option>
        <option value="moderate">Moderate</option>
        <option value="complex">Complex</option>
      </SelectField>
      {choices.filter(({ only }) => only === undefined || only === mode).map(({ name, label, hint, from, to, usual }) => (
        <SelectField
          key={name}
          label={label}
          hint={hint}
          value={value[name]}
          onChange={(event) => change({ ...value, [name]: event.target.value })}
        >
          <option value="">{usual} (usual)</option>
          {Array.from({ length: to - from + 1 }, (_, index) => from + index)
            .filter((number) => number !== usual)
            .map((number) => (
              <option key={number}>{number}</option>
            ))}
        </SelectField>
      ))}
      <TextField
        label="Spend at most, US$"
        hint="Then it pauses and asks you."
        inputMode="decimal"
        placeholder="No limit of its own"
        value={value.maxCost}
        error={costError(value.maxCost)}
        onChange={(event) => change({ ...value, maxCost: event.target.value })}
      />
    </div>
  );
}

export function costError(text: string): string | null {
  if (text.trim() === "") return null;
  return /^\d{1,6}(\.\d{1,4})?$/.test(text.trim()) && Number(text) > 0 ? null : "An amount such as 2.50";
}
