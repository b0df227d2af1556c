// What may be spent: how each budget stands, and what it is set to.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { getBudgets, putBudgets, type BudgetNotice, type Budgets, type BudgetStatus } from "../api/usage";
import { Section } from "../shell/shell";
import { useNow } from "../state/clock";
import { BusyButton, CheckField } from "../ui/forms";
import { Button, ProblemNote } from "../ui/parts";
import { ago, duration, money } from "../words";
import { BudgetFields, budgetWords, formOfLimits, limitsOf, validLimits } from "./budget-fields";

export function BudgetsSection() {
  const budgets = useQuery({ queryKey: ["usage", "budgets"], queryFn: getBudgets, refetchInterval: 15_000 });
  const [editing, setEditing] = useState(false);
  return (
    <Section
      id="budgets"
      title="Budgets"
      lead="Before a call the most it can cost is set aside. At a limit a session pauses, keeps everything, and goes on when you raise it."
      tools={budgets.data && !editing && <Button onClick={() => setEditing(true)}>Change</Button>}
    >
      {budgets.error && (
        <ProblemNote error={budgets.error} action={<Button onClick={() => void budgets.refetch()}>Try again</Button>} />
      )}
      {!budgets.data && !budgets.error && <div className="blank" />}
      {budgets.data && (
        <ul className="budgets" aria-label="Budgets">
          {budgets.data.budgets.map((one) => (
            <Budget key={one.kind} budget={one} />
          ))}
        </ul>
      )}
      {budgets.data && budgets.data.notices.length > 0 && <Notices notices={budgets.data.notices} />}
      {budgets.data && editing && <BudgetForm budgets={budgets.data} close={() => setEditing(false)} />}
    </Section>
  );
}

const SHOWN = 5;

function Notices({ notices }: { notices: BudgetNotice[] }) {
  const now = useNow();
  return (
    <ul className="notices" aria-label="Notices">
      {notices.slice(0, SHOWN).map((notice) => (
        <li key={notice.id}>
          <Link href={`/s/${notice.session_id}`}>{ago(notice.at, now)}</Link>: {notice.percent} per cent of{" "}
          {money(notice.limit_usd)} used ({budgetWords[notice.kind].title.toLowerCase()}).
        </li>
      ))}
    </ul>
  );
}

function Budget({ budget }: { budget: BudgetStatus }) {
  const now = useNow();
  const percent = budget.percent ?? 0;
  const own = Number(budget.own_keys_usd ?? 0);
  const used = Number(budget.spent_usd ?? 0) + Number(budget.reserved_usd ?? 0);
  return (
    <li className="budget">
      <p>
        <strong>{budgetWords[budget.kind].title}</strong>
        <span className="numeric">
          {budget.kind === "session"
            ? budget.limit_usd === null
              ? "No limit"
              : `${money(budget.limit_usd)} each`
            : budget.limit_usd === null
              ? `${money(used)}, no limit`
              : `${money(used)} of ${money(budget.limit_usd)}`}
        </span>
      </p>
      {budget.kind !== "session" && budget.limit_usd !== null && (
        <progress
          data-level={percent >= 100 ? "full" : percent >= 80 ? "near" : "fine"}
          max={100}
          value={Math.min(100, percent)}
          aria-label={`${budgetWords[budget.kind].title}: ${Math.round(percent)} per cent used`}
        />
      )}
      <p className="field-hint">
        {[
          Number(budget.reserved_usd ?? 0) > 0 && `${money(budget.reserved_usd)} set aside for calls in flight`,
          budget.limit_usd !== null && budget.source === "operator" && "set by an operator",
          budget.limit_usd !== null && budget.source === "default" && "set for everybody here",
          budget.resets_at && `starts anew in ${duration(Date.parse(budget.resets_at) - now)}`,
          own > 0 && `${money(own)} more on your own keys`,
          budget.unpriced_calls > 0 && `${budget.unpriced_calls} calls without a known price`,
        ]
          .filter(Boolean)
          .join(" · ")}
      </p>
    </li>
  );
}

function BudgetForm({ budgets, close }: { budgets: Budgets; close: () => void }) {
  const queries = useQueryClient();
  const [form, setForm] = useState(() => formOfLimits(budgets.own_limits));
  const [cheaper, setCheaper] = useState(budgets.cheaper_near_limit);
  const save = useMutation({
    mutationFn: () => putBudgets({ ...limitsOf(form), cheaper_near_limit: cheaper }),
    onSuccess: (saved) => {
      queries.setQueryData(["usage", "budgets"], saved);
      close();
    },
  });
  return (
    <form
      className="form"
      aria-label="Budgets"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <BudgetFields value={form} change={setForm} />
      <CheckField
        label="Use cheaper models near a limit"
        hint="From 80 per cent on, where a cheaper one can do the step."
        checked={cheaper}
        onChange={(event) => setCheaper(event.target.checked)}
      />
      {save.error && <ProblemNote error={save.error} />}
      <div className="form-foot">
        <BusyButton type="submit" look="primary" busy={save.isPending} disabled={!validLimits(form)}>
          Save the budgets
        </BusyButton>
        <Button onClick={close}>Cancel</Button>
      </div>
    </form>
  );
}
