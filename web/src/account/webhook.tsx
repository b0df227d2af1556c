// One address that is told what happens: how it does, what it is told of, and what it was told last.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import {
  changeWebhook,
  deleteWebhook,
  enableWebhook,
  listDeliveries,
  tryWebhook,
  type Webhook,
  type WebhookDelivery,
} from "../api/webhooks";
import { useNow } from "../state/clock";
import { BusyButton, ConfirmButton } from "../ui/forms";
import { Button, Pill, ProblemNote } from "../ui/parts";
import { ago, duration, plural, type Tone } from "../words";
import { OccasionFields, toldOf } from "./occasions";

export const WEBHOOKS = ["account", "webhooks"];

export function WebhookRow({ webhook }: { webhook: Webhook }) {
  const queries = useQueryClient();
  const [open, setOpen] = useState<"change" | "deliveries" | null>(null);
  const toggle = (what: "change" | "deliveries") => setOpen(open === what ? null : what);
  const again = () => queries.invalidateQueries({ queryKey: WEBHOOKS });
  const check = useMutation({ mutationFn: () => tryWebhook(webhook.id), onSettled: again });
  const enable = useMutation({ mutationFn: () => enableWebhook(webhook.id), onSuccess: again });
  return (
    <li>
      <div className="row-main">
        <strong>{webhook.url}</strong>
        <span>
          {toldOf(webhook.events)}
          {webhook.disabled_reason && ` · ${webhook.disabled_reason}`}
        </span>
      </div>
      <div className="row-tools">
        {!webhook.enabled ? (
          <>
            <Pill tone="bad">Off</Pill>
            <BusyButton small busy={enable.isPending} onClick={() => enable.mutate()}>
              Switch on
            </BusyButton>
          </>
        ) : (
          webhook.failing_since && <Pill tone="warn">Does not answer</Pill>
        )}
        <BusyButton small busy={check.isPending} aria-label={`Test ${webhook.url}`} onClick={() => check.mutate()}>
          Test
        </BusyButton>
        <Button small aria-expanded={open === "change"} aria-label={`Change ${webhook.url}`} onClick={() => toggle("change")}>
          Change
        </Button>
        <Button
          small
          aria-expanded={open === "deliveries"}
          aria-label={`Deliveries to ${webhook.url}`}
          onClick={() => toggle("deliveries")}
        >
          Deliveries
        </Button>
        <ConfirmButton
          action="Delete"
          label={`Delete ${webhook.url}`}
          title="Delete this address?"
          run={async () => {
            await deleteWebhook(webhook.id);
            await again();
          }}
        >
          <p>It is told nothing more from now on, and its secret is forgotten.</p>
        </ConfirmButton>
      </div>
      {check.data && (
        <p className={check.data.status === "delivered" ? "outcome" : "bad"} role="status">
          {outcome(check.data)}
        </p>
      )}
      {(check.error ?? enable.error) && <ProblemNote error={check.error ?? enable.error} />}
      {open === "change" && <ChangeForm webhook={webhook} close={() => setOpen(null)} />}
      {open === "deliveries" && <Deliveries webhook={webhook} />}
    </li>
  );
}

function outcome({ status, answer_status: code, error }: WebhookDelivery): string {
  if (status === "delivered") return `It was delivered${code ? ` (${code})` : ""}.`;
  return `It was not delivered. ${error}`;
}

function ChangeForm({ webhook, close }: { webhook: Webhook; close: () => void }) {
  const queries = useQueryClient();
  const [chosen, setChosen] = useState(webhook.events);
  const save = useMutation({
    mutationFn: () => changeWebhook(webhook.id, chosen),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: WEBHOOKS });
      close();
    },
  });
  return (
    <form
      className="action-form"
      aria-label={`What ${webhook.url} is told`}
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <OccasionFields chosen={chosen} change={setChosen} />
      {save.error && <ProblemNote error={save.error} />}
      <div className="form-foot">
        <BusyButton type="submit" look="primary" busy={save.isPending} disabled={chosen.length === 0}>
          Save what it is told
        </BusyButton>
        <Button onClick={close}>Cancel</Button>
      </div>
    </form>
  );
}

const tones: Record<WebhookDelivery["status"], Tone> = { waiting: "warn", delivered: "ok", given_up: "bad" };
const words: Record<WebhookDelivery["status"], string> = {
  waiting: "Tried again",
  delivered: "Delivered",
  given_up: "Given up",
};

function Deliveries({ webhook }: { webhook: Webhook }) {
  const now = useNow();
  const found = useQuery({
    queryKey: [...WEBHOOKS, webhook.id, "deliveries"],
    queryFn: () => listDeliveries(webhook.id),
    refetchInterval: 10_000,
  });
  if (found.error) return <ProblemNote error={found.error} />;
  if (!found.data) return <div className="blank" />;
  if (found.data.length === 0) return <p className="nothing">It was told nothing yet. Test sends a first message.</p>;
  return (
    // Scrolled by keyboard, so it can be reached by it.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className="table-box deliveries" tabIndex={0} role="region" aria-label={`Deliveries to ${webhook.url}`}>
      <table className="table">
        <caption className="visually-hidden">What it was told, newest first</caption>
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">What</th>
            <th scope="col">App</th>
            <th scope="col">Outcome</th>
          </tr>
        </thead>
        <tbody>
          {found.data.map((one) => (
            <tr key={one.id}>
              <td className="when">{ago(one.created_at, now)}</td>
              <th scope="row">
                <code>{one.event}</code>
              </th>
              <td>{one.session_id ? <a href={`/s/${one.session_id}`}>Open</a> : "–"}</td>
              <td>
                <Pill tone={tones[one.status]}>{one.tries === 0 ? "In line" : words[one.status]}</Pill>
                <p className="reason quiet">
                  {[
                    one.answer_status && `answered ${one.answer_status}`,
                    one.tries > 1 && plural(one.tries, "try", "tries"),
                    one.status === "waiting" && one.next_at && `next in ${duration(Math.max(0, Date.parse(one.next_at) - now))}`,
                    one.error,
                  ]
                    .filter(Boolean)
                    .join(" · ")}
                </p>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
