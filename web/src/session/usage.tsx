// Tokens and money of the session, always in view; what they went into on request.

import { useQuery } from "@tanstack/react-query";
import { Coins } from "lucide-react";
import { Popover } from "radix-ui";
import { useState } from "react";
import { readLog } from "../state/log";
import { useSession } from "../state/session-context";
import { ProblemNote } from "../ui/parts";
import { actionWords, money, tokens } from "../words";
import { BudgetForm, BudgetRows, BudgetUsed } from "./budget";
import { ContextFill } from "./context-fill";
import { USAGE_TYPES, usageBySteps } from "./usage-by-step";

export function UsageChip() {
  const usage = useSession((session) => session.progress.usage);
  const [open, setOpen] = useState(false);
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger className="usage-chip numeric">
        <Coins size={15} aria-hidden />
        <span className="visually-hidden">Usage: </span>
        <span>{money(usage.cost_usd)}</span>
        <span className="usage-tokens">{tokens(usage.input_tokens + usage.output_tokens)} tokens</span>
        <BudgetUsed />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="popover" aria-label="Usage" align="end" sideOffset={8} collisionPadding={12}>
          <Totals />
          <BudgetRows />
          <BudgetForm label="Limit of this session, in dollars" />
          {usage.calls > 0 && (
            <>
              <Steps />
              <ContextFill />
            </>
          )}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

function Totals() {
  const usage = useSession((session) => session.progress.usage);
  const model = useSession((session) => session.progress.model);
  const rows: [string, string][] = [
    ["Cost", money(usage.cost_usd)],
    ["Model calls", String(usage.calls)],
    ["Tokens read", usage.input_tokens.toLocaleString("en")],
    ["of these cached", usage.cached_tokens.toLocaleString("en")],
    ["Tokens written", usage.output_tokens.toLocaleString("en")],
    ["of these reasoning", usage.reasoning_tokens.toLocaleString("en")],
    ...(model ? [["Model", model] as [string, string]] : []),
  ];
  return (
    <>
      <strong>Spent by this session</strong>
      <dl className="rows numeric">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

function Steps() {
  const id = useSession((session) => session.progress.session_id);
  const calls = useSession((session) => session.progress.usage.calls);
  const seq = useSession((session) => session.seq);
  const phases = useSession((session) => session.progress.phases);
  const conversation = useSession((session) => session.conversation);
  const log = useQuery({
    queryKey: ["usage", id, calls],
    queryFn: ({ signal }) => readLog(id, USAGE_TYPES, { after: 0, upto: seq }, signal),
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: (previous) => previous,
  });
  if (log.error) return <ProblemNote error={log.error} />;
  const said = new Map(conversation.map((message) => [message.id, message.text]));
  const names = new Map(phases.map((phase, index) => [phase.id, `${index + 1}. ${phase.plan.name}`]));
  return (
    <section className="usage-steps" aria-label="By phase and message" aria-busy={log.isPending}>
      <strong>By phase and message</strong>
      <table className="numeric">
        <thead className="visually-hidden">
          <tr>
            <th>Spent on</th>
            <th>Tokens</th>
            <th>Cost</th>
          </tr>
        </thead>
        <tbody>
          {usageBySteps((log.data ?? []).map((entry) => entry.event)).map((step) => (
            <tr key={step.key}>
              <th scope="row">
                {(step.phaseId && names.get(step.phaseId)) ??
                  (step.messageId ? `Answer to “${said.get(step.messageId) ?? "a message"}”` : actionWords(step.action))}
              </th>
              <td>{tokens(step.tokens)}</td>
              <td>{step.cost === null ? "unknown" : money(step.cost)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
