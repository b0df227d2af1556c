// What the session may cost, and another limit for it: a session that waits for its budget goes on by itself then.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { getSessionBudget, setSessionBudget, type SessionBudget } from "../api/session-budget";
import { useSession } from "../state/session-context";
import { Button, ProblemNote } from "../ui/parts";
import { money } from "../words";

const kinds: Record<SessionBudget["budgets"][number]["kind"], string> = {
  session: "This session",
  day: "Today",
  month: "This month",
  total: "Altogether",
};

const keyOf = (session: string) => ["session-budget", session];

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
        <input className="input" inputMode="decimal" value={limit} onChange={(event) => setLimit(event.target.value)} />
      </label>
      <Button type="submit" disabled={!(amount > 0) || set.isPending}>
        Set
      </Button>
      {set.error && <ProblemNote error={set.error} />}
    </form>
  );
}
