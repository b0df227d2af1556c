// Who is told what happens in one's sessions while nobody looks: programs, by a signed message to their address.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { BellPlus } from "lucide-react";
import { useState } from "react";
import { createWebhook, listWebhooks } from "../api/webhooks";
import { Section } from "../shell/shell";
import { BusyButton, TextField } from "../ui/forms";
import { Button, ProblemNote } from "../ui/parts";
import { OccasionFields, usualEvents } from "./occasions";
import { ShownOnce } from "./shown-once";
import { WebhookRow, WEBHOOKS } from "./webhook";

export function NotificationsSection() {
  const webhooks = useQuery({ queryKey: WEBHOOKS, queryFn: listWebhooks });
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
            <WebhookRow key={webhook.id} webhook={webhook} />
          ))}
        </ul>
      )}
    </Section>
  );
}

function NewAddress({ made, close }: { made: (secret: string) => void; close: () => void }) {
  const queries = useQueryClient();
  const [url, setUrl] = useState("");
  const [chosen, setChosen] = useState(usualEvents);
  const create = useMutation({
    mutationFn: () => createWebhook(url.trim(), chosen),
    onSuccess: async ({ secret }) => {
      await queries.invalidateQueries({ queryKey: WEBHOOKS });
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
      <OccasionFields chosen={chosen} change={setChosen} />
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
