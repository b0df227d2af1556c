// The keys somebody has stored, masked: whether they work, when they were used, and the ways to replace or forget them.

import { useMutation, useQuery } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";
import { useState } from "react";
import { deleteKey, limitKey, listKeys, tryKey, type KeyInfo } from "../api/models";
import { Section } from "../shell/shell";
import { useNow } from "../state/clock";
import { BusyButton, ConfirmButton, TextField } from "../ui/forms";
import { Button, Pill, ProblemNote } from "../ui/parts";
import { ago } from "../words";
import { KeyForm } from "./key-form";
import { useModelsChanged } from "./refresh";
import { TryResult } from "./try-result";

export function KeysSection() {
  const keys = useQuery({ queryKey: ["models", "keys"], queryFn: listKeys });
  const [adding, setAdding] = useState<string | null>(null);
  const [said, setSaid] = useState("");
  const platform = keys.data?.providers.filter((one) => one.platform) ?? [];
  const none = keys.data?.keys.length === 0;
  const open = adding !== null || none;
  return (
    <Section
      id="keys"
      title="Provider keys"
      lead="Your own keys, used for your sessions alone. Costs on them are between you and the provider."
      tools={
        !open && (
          <Button onClick={() => setAdding("")}>
            <KeyRound size={15} aria-hidden /> Add a key
          </Button>
        )
      }
    >
      {keys.error && <ProblemNote error={keys.error} action={<Button onClick={() => void keys.refetch()}>Try again</Button>} />}
      {!keys.data && !keys.error && <div className="blank" />}
      {none && (
        <p className="nothing">
          You have stored no key.{" "}
          {platform.length > 0
            ? `This service's own keys answer for ${platform.map((one) => one.title).join(", ")}.`
            : "Until there is one, the demo model answers with recorded sessions."}
        </p>
      )}
      {said && (
        <p className="outcome" role="status">
          {said}
        </p>
      )}
      {keys.data && keys.data.keys.length > 0 && (
        <ul className="rows" aria-label="Stored keys">
          {keys.data.keys.map((one) => (
            <KeyRow key={one.provider} info={one} replace={() => setAdding(one.provider)} />
          ))}
        </ul>
      )}
      {keys.data && open && (
        <KeyForm
          key={adding}
          {...(adding && { start: adding })}
          stored={(key) => {
            setAdding(null);
            setSaid(`${key.title}: ${key.note || "the key works and is stored."}`);
          }}
        />
      )}
    </Section>
  );
}

function KeyRow({ info, replace }: { info: KeyInfo; replace: () => void }) {
  const now = useNow();
  const changed = useModelsChanged();
  const [limiting, setLimiting] = useState(false);
  const check = useMutation({ mutationFn: () => tryKey(info.provider), onSuccess: changed });
  return (
    <li>
      <div className="row-main">
        <strong>
          {info.title} <code>{info.hint}</code>
        </strong>
        <span>
          {info.checked_at ? `Tried ${ago(info.checked_at, now)}` : "Not tried yet"} ·{" "}
          {info.last_used_at ? `used ${ago(info.last_used_at, now)}` : "not used yet"} · stored {ago(info.created_at, now)}
        </span>
        {info.note && <span>{info.note}</span>}
        <span>{limitsOf(info)}</span>
      </div>
      <div className="row-tools">
        <Pill tone={info.note ? "warn" : "ok"}>{info.note ? "Look at this" : "Works"}</Pill>
        <BusyButton small busy={check.isPending} aria-label={`Test the key of ${info.title}`} onClick={() => check.mutate()}>
          Test
        </BusyButton>
        <Button small aria-expanded={limiting} aria-label={`Limits of the key of ${info.title}`} onClick={() => setLimiting(!limiting)}>
          Limits
        </Button>
        <Button small aria-label={`Replace the key of ${info.title}`} onClick={replace}>
          Replace
        </Button>
        <ConfirmButton
          action="Delete"
          label={`Delete the key of ${info.title}`}
          title={`Delete the key of ${info.title}?`}
          run={async () => {
            await deleteKey(info.provider);
            await changed();
          }}
        >
          <p>
            It is forgotten at once. Sessions that need a model of {info.title} go to another provider that offers it, or
            wait for a key.
          </p>
        </ConfirmButton>
      </div>
      {limiting && <LimitsForm info={info} close={() => setLimiting(false)} />}
      {check.data && <TryResult answer={check.data} />}
      {check.error && <ProblemNote error={check.error} />}
    </li>
  );
}

function limitsOf({ calls_per_minute: calls, tokens_per_minute: tokens }: KeyInfo) {
  const limits = [calls && `${calls.toLocaleString()} calls`, tokens && `${tokens.toLocaleString()} tokens`].filter(Boolean);
  return limits.length > 0 ? `At most ${limits.join(" and ")} a minute; apps wait for their turn` : "No limit of its own";
}

/** What the key may be used for in a minute. An empty field is no limit. */
function LimitsForm({ info, close }: { info: KeyInfo; close: () => void }) {
  const changed = useModelsChanged();
  const [calls, setCalls] = useState(String(info.calls_per_minute ?? ""));
  const [tokens, setTokens] = useState(String(info.tokens_per_minute ?? ""));
  const save = useMutation({
    mutationFn: () => limitKey(info.provider, calls ? Number(calls) : null, tokens ? Number(tokens) : null),
    onSuccess: async () => {
      await changed();
      close();
    },
  });
  return (
    <form
      className="action-form"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <TextField label="Calls a minute" type="number" min={1} max={1_000_000} value={calls} onChange={(event) => setCalls(event.target.value)} />
      <TextField
        label="Tokens a minute"
        hint="Leave a field empty for no limit. At a limit an app waits and goes on by itself."
        type="number"
        min={1_000}
        max={2_000_000_000}
        value={tokens}
        onChange={(event) => setTokens(event.target.value)}
      />
      <BusyButton look="primary" type="submit" busy={save.isPending}>
        Save the limits
      </BusyButton>
      {save.error && <ProblemNote error={save.error} />}
    </form>
  );
}
