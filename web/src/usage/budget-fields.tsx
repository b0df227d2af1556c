// The four limits as fields, for oneself and for operators.

import { budgetKinds, type BudgetKind, type Limits } from "../api/usage";
import { TextField } from "../ui/forms";

export const budgetWords: Record<BudgetKind, { title: string; hint: string }> = {
  session: { title: "Each app", hint: "Every new app starts with this." },
  day: { title: "Today", hint: "Of a day, in UTC." },
  month: { title: "This month", hint: "Of a month." },
  total: { title: "Altogether", hint: "Never starts anew." },
};

export type LimitsForm = Record<BudgetKind, string>;

export const formOfLimits = (limits: Limits): LimitsForm => {
  const text = (kind: BudgetKind) => (limits[kind] === null || limits[kind] === undefined ? "" : String(Number(limits[kind])));
  return { session: text("session"), day: text("day"), month: text("month"), total: text("total") };
};

/** Every limit by its name; null takes it away. */
export const limitsOf = (form: LimitsForm): Limits =>
  Object.fromEntries(budgetKinds.map((kind) => [kind, form[kind].trim() === "" ? null : form[kind].trim()]));

const problemOf = (text: string): string | null =>
  text.trim() === "" || (/^\d{1,7}(\.\d{1,6})?$/.test(text.trim()) && Number(text) <= 1_000_000) ? null : "An amount such as 5 or 2.50";

export const validLimits = (form: LimitsForm): boolean => budgetKinds.every((kind) => problemOf(form[kind]) === null);

export function BudgetFields({ value, change }: { value: LimitsForm; change: (value: LimitsForm) => void }) {
  return (
    <div className="form-row">
      {budgetKinds.map((kind) => (
        <TextField
          key={kind}
          label={`${budgetWords[kind].title}, US$`}
          hint={budgetWords[kind].hint}
          inputMode="decimal"
          placeholder="No limit"
          value={value[kind]}
          error={problemOf(value[kind])}
          onChange={(event) => change({ ...value, [kind]: event.target.value })}
        />
      ))}
    </div>
  );
}
