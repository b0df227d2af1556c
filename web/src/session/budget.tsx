// What the session may cost, and another limit for it: a session that waits for its budget goes on by itself then.

import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { getSessionBudget, setSessionBudget, type SessionBudget } from "../api/session-budget";
import { useSession } from "../state/session-context";
import { Button, Pill, ProblemNote } from "../ui/parts";
import { money } from "../words";
import { useRights, Withheld } from "./access";

const kinds: Record<SessionBudget["budgets"][number]["kind"], string> = {
  session: "This session",
  day: "Today",
  month: "This month",
  total: "Altogether",
};

const NOTED_PERCENT = 50;
const WARNED_PERCENT = 80;

const keyOf = (session: string) => ["session-budget", session];

/** How much of the tightest budget is used, once it is so much that notice was given. */
export function BudgetUsed() {
  const session = useSession((one) => one.progress.session_id);
  const calls = useSession((one) => one.progress.usage.calls);
  const noticed = useSession((one) => one.budgetNotices.length);
  const budget = useQuery({
    queryKey: [...keyOf(session), calls],
    queryFn: ({ signal }) => getSessionBudget(session, signal),
    enabled: noticed > 0,
    placeholderData: keepPreviousData,
  });
  const tightest = (budget.data?.budgets ?? []).toSorted((a, b) => (b.percent ?? 0) - (a.percent ?? 0))[0];
  const percent = Math.floor(tightest?.percent ?? 0);
  if (!tightest || percent < NOTED_PERCENT) return null;
  return (
    <Pill tone={percent >= 100 ? "bad" : percent >= WARNED_PERCENT ? "warn" : "rest"}>
      <span className="visually-hidden">{kinds[tightest.kind]}: </span>
      {percent} %<span className="visually-hidden"> of the budget</span>
    </Pill>
  );
}

/** Budgets that have a limit, with what is left of each. */
export function BudgetRows() {
  const session = useSession((one) => one.progress.session_id);
  const calls = useSession((one) => one.progress.usage.calls);
  const budget = useQuery({
    queryKey: [...keyOf(session), calls],
    queryFn: ({ signal }) => getSessionBudget(session, signal),
  });
  const limited = budget.data?.budgets.filter((one) => one.limit_usd !== null) ?? [];
  if (limited.length === 0) return null;
  return (
    <dl className="rows numeric">
      {limited.map((one) => (
        <div key={one.kind}>
          <dt>{kinds[one.kind]}</dt>
          <dd>
            {money(one.spent_usd)} of {money(one.limit_usd)}
          </dd>
        </div>
      ))}
    </dl>
  );
}

export function BudgetForm({ label }: { label: string }) {
  const { may } = useRights();
  return may("own") ? <OwnersBudgetForm label={label} /> : <Withheld what="change its budget" />;
}

function OwnersBudgetForm({ label }: { label: string }) {
  const session = useSession((one) => one.progress.session_id);
  const queries = useQueryClient();
  const [limit, setLimit] = useState("");
  const amount = Number(limit);
  const set = useMutation({
    mutationFn: () => setSessionBudget(session, limit.trim()),
    onSuccess: () => {
      setLimit("");
      void queries.invalidateQueries({ queryKey: keyOf(session) });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (amount > 0) set.mutate();
  };
  return (
    <form className="budget-form" onSubmit={submit}>
      <label className="field">
        {label}
        <input className="input" inputMode="decimal" placeholder="such as 5.00" value={limit} onChange={(event) => setLimit(event.target.value)} />
      </label>
      <Button type="submit" disabled={!(amount > 0) || set.isPending}>
        Set
      </Button>
      {set.error && <ProblemNote error={set.error} />}
    </form>
  );
}
