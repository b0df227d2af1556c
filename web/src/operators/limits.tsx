// What users may spend: limits for everybody, and for one user, who cannot raise them.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { getBudgetsOf, getDefaultBudgets, putBudgetsOf, putDefaultBudgets, type Limits } from "../api/usage";
import { Section } from "../shell/shell";
import { BusyButton } from "../ui/forms";
import { Modal } from "../ui/modal";
import { Button, ProblemNote } from "../ui/parts";
import { BudgetFields, budgetWords, formOfLimits, limitsOf, validLimits } from "../usage/budget-fields";
import { money } from "../words";

export function LimitsSection() {
  const queries = useQueryClient();
  const limits = useQuery({ queryKey: ["operators", "limits"], queryFn: getDefaultBudgets });
  return (
    <Section
      id="limits"
      title="Budgets for everybody"
      lead="For whoever has none of their own from an operator; see a user below for those. Users can set lower ones."
    >
      {limits.error && <ProblemNote error={limits.error} action={<Button onClick={() => void limits.refetch()}>Try again</Button>} />}
      {!limits.data && !limits.error && <div className="blank" />}
      {limits.data && (
        <LimitsForm
          key={JSON.stringify(limits.data)}
          limits={limits.data}
          save={async (change) => {
            queries.setQueryData(["operators", "limits"], await putDefaultBudgets(change));
          }}
        />
      )}
    </Section>
  );
}

function LimitsForm({ limits, save, close }: { limits: Limits; save: (limits: Limits) => Promise<void>; close?: () => void }) {
  const [form, setForm] = useState(() => formOfLimits(limits));
  const put = useMutation({ mutationFn: () => save(limitsOf(form)), ...(close && { onSuccess: close }) });
  return (
    <form
      className="form"
      aria-label="Limits"
      onSubmit={(event) => {
        event.preventDefault();
        put.mutate();
      }}
    >
      <BudgetFields value={form} change={setForm} />
      {put.error && <ProblemNote error={put.error} />}
      <div className="form-foot">
        <BusyButton type="submit" busy={put.isPending} disabled={!validLimits(form)}>
          Save the limits
        </BusyButton>
        {close && <Button onClick={close}>Cancel</Button>}
        {put.isSuccess && (
          <span className="outcome" role="status">
            Saved.
          </span>
        )}
      </div>
    </form>
  );
}

export function UserLimitsDialog({ id, name, close }: { id: string; name: string; close: () => void }) {
  const queries = useQueryClient();
  const key = ["operators", "limits", id];
  const budgets = useQuery({ queryKey: key, queryFn: () => getBudgetsOf(id) });
  return (
    <Modal className="dialog dialog--wide" label={`Budgets of ${name}`} close={close}>
      <h2>Budgets of {name}</h2>
      <div className="dialog-text">
        {budgets.error && <ProblemNote error={budgets.error} />}
        {!budgets.data && !budgets.error && <div className="blank" />}
        {budgets.data && (
          <>
            <p>
              {budgets.data.budgets
                .filter(({ kind }) => kind !== "session")
                .map(({ kind, spent_usd }) => `${budgetWords[kind].title}: ${money(spent_usd)} spent`)
                .join(" · ")}
            </p>
            <LimitsForm
              limits={budgets.data.operator_limits}
              close={close}
              save={async (change) => {
                queries.setQueryData(key, await putBudgetsOf(id, change));
              }}
            />
          </>
        )}
      </div>
    </Modal>
  );
}
