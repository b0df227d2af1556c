// Who is told what happens in one's sessions while nobody looks: programs, by a signed message to their address.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { BellPlus } from "lucide-react";
import { useState } from "react";
import {
  createWebhook,
  deleteWebhook,
  enableWebhook,
  listWebhooks,
  tryWebhook,
  type Webhook,
  type WebhookDelivery,
} from "../api/webhooks";
import { Section } from "../shell/shell";
import { BusyButton, CheckField, ConfirmButton, TextField } from "../ui/forms";
import { Button, Pill, ProblemNote } from "../ui/parts";
import { plural } from "../words";
import { ShownOnce } from "./shown-once";

const KEY = ["account", "webhooks"];

const occasions: { label: string; hint: string; events: string[] }[] = [
  { label: "It is finished or has failed", hint: "An app came to its end.", events: ["session.completed", "session.failed"] },
  { label: "It waits for me", hint: "A question, or a limit that was reached.", events: ["session.idle", "session.waiting_for_budget"] },
  { label: "Money", hint: "Half, 80 and 100 per cent of a budget.", events: ["budget.notice"] },
  { label: "Every phase", hint: "Planned, completed, failed.", events: ["phase.planned", "phase.completed", "phase.failed"] },
  { label: "Publishing", hint: "Live, withdrawn, failed.", events: ["deployment.live", "deployment.withdrawn", "deployment.failed"] },
];

export function NotificationsSection() {
  const webhooks = useQuery({ queryKey: KEY, queryFn: listWebhooks });
  const [adding, setAdding] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  return (
    <Section
      id="notifications"
      title="Notifications"
      lead="Programs of yours are told what happens in your sessions, by a signed message to their address (a webhook)."
      tools={
        !adding && (
          <Button onClick={() => setAdding(true)}>
            <BellPlus size={15} aria-hidden /> Add an address
          </Button>
        )
      }
    >
      {webhooks.error && (
        <ProblemNote error={webhooks.error} action={<Button onClick={() => void webhooks.refetch()}>Try again</Button>} />
      )}
      {secret && <ShownOnce what="secret" value={secret} close={() => setSecret(null)} />}
      {adding && (
        <NewAddress
          close={() => setAdding(false)}
          made={(value) => {
            setAdding(false);
            setSecret(value);
          }}
        />
      )}
      {webhooks.data?.length === 0 && !adding && <p className="nothing">Nobody is told anything yet.</p>}
      {webhooks.data && webhooks.data.length > 0 && (
        <ul className="rows" aria-label="Addresses">
          {webhooks.data.map((webhook) => (
            <Address key={webhook.id} webhook={webhook} />
          ))}
        </ul>
      )}
    </Section>
  );
}

function Address({ webhook }: { webhook: Webhook }) {
  const queries = useQueryClient();
  const again = () => queries.invalidateQueries({ queryKey: KEY });
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
    </li>
  );
}

function toldOf(events: string[]): string {
  const told = occasions.filter((one) => one.events.every((event) => events.includes(event)));
  const rest = events.filter((event) => !told.some((one) => one.events.includes(event))).length;
  const words = [...told.map((one) => one.label), ...(rest > 0 ? [plural(rest, "other event")] : [])];
  return words.join(", ");
}

function outcome({ status, answer_status: code, error }: WebhookDelivery): string {
  if (status === "delivered") return `It was delivered${code ? ` (${code})` : ""}.`;
  return `It was not delivered. ${error}`;
}

function NewAddress({ made, close }: { made: (secret: string) => void; close: () => void }) {
  const queries = useQueryClient();
  const [url, setUrl] = useState("");
  const [chosen, setChosen] = useState<string[]>(occasions.slice(0, 2).flatMap((one) => one.events));
  const create = useMutation({
    mutationFn: () => createWebhook(url.trim(), chosen),
    onSuccess: async ({ secret }) => {
      await queries.invalidateQueries({ queryKey: KEY });
      made(secret);
    },
  });
  return (
    <form
      className="form"
      aria-label="New address"
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate();
      }}
    >
      <TextField
        label="Address"
        type="url"
        placeholder="https://example.org/stich"
        required
        value={url}
        onChange={(event) => setUrl(event.target.value)}
      />
      <fieldset className="fieldset">
        <legend>It is told of</legend>
        <div className="form-row">
          {occasions.map(({ label, hint, events }) => (
            <CheckField
              key={label}
              label={label}
              hint={hint}
              checked={events.every((event) => chosen.includes(event))}
              onChange={(change) =>
                setChosen(
                  change.target.checked ? [...chosen, ...events] : chosen.filter((event) => !events.includes(event)),
                )
              }
            />
          ))}
        </div>
      </fieldset>
      {create.error && <ProblemNote error={create.error} />}
      <div className="form-foot">
        <BusyButton type="submit" look="primary" busy={create.isPending} disabled={chosen.length === 0}>
          Add the address
        </BusyButton>
        <Button onClick={close}>Cancel</Button>
      </div>
    </form>
  );
}
