// Keys for programs: each with what it may do and until when, shown in full exactly once.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import { createApiKey, listApiKeys, revokeApiKey, type KeyScope, type Me } from "../api/account";
import { Section } from "../shell/shell";
import { useNow } from "../state/clock";
import { BusyButton, CheckField, ConfirmButton, SelectField, TextField } from "../ui/forms";
import { Button, Pill, ProblemNote } from "../ui/parts";
import { ago } from "../words";
import { ShownOnce } from "./shown-once";

const scopes: { scope: KeyScope; label: string; hint: string }[] = [
  { scope: "read", label: "Read", hint: "See your apps, files and usage." },
  { scope: "sessions:write", label: "Build", hint: "Start, steer, stop and change apps." },
  { scope: "keys", label: "Models", hint: "Change provider keys and models." },
  { scope: "operator", label: "Operate", hint: "Everything of the operators' page." },
];
const scopeWords = new Map<string, string>(scopes.map(({ scope, label }) => [scope, label]));

export function ApiKeysSection({ me }: { me: Me }) {
  const keys = useQuery({ queryKey: ["account", "api-keys"], queryFn: listApiKeys });
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<string | null>(null);
  return (
    <Section
      id="api-keys"
      title="API keys"
      lead="For scripts, the command line on another machine, and tools that speak MCP."
      tools={
        !making && (
          <Button
            onClick={() => {
              setMade(null);
              setMaking(true);
            }}
          >
            <Plus size={15} aria-hidden /> New key
          </Button>
        )
      }
    >
      {keys.error && <ProblemNote error={keys.error} action={<Button onClick={() => void keys.refetch()}>Try again</Button>} />}
      {made && <ShownOnce what="key" value={made} close={() => setMade(null)} />}
      {making && (
        <NewKey
          me={me}
          close={() => setMaking(false)}
          made={(key) => {
            setMaking(false);
            setMade(key);
          }}
        />
      )}
      {keys.data?.length === 0 && !making && !made && (
        <p className="nothing">None yet. A key lets a program do what you choose, until the day you choose.</p>
      )}
      {keys.data && keys.data.length > 0 && <KeyList />}
    </Section>
  );
}

function KeyList() {
  const now = useNow();
  const queries = useQueryClient();
  const keys = useQuery({ queryKey: ["account", "api-keys"], queryFn: listApiKeys });
  return (
    <ul className="rows" aria-label="API keys">
      {keys.data?.map((key) => {
        const over = Date.parse(key.expires_at) < now;
        return (
          <li key={key.id}>
            <div className="row-main">
              <strong>
                {key.name} <code>{key.hint}…</code>
              </strong>
              <span>
                {key.scopes.map((scope) => scopeWords.get(scope) ?? scope).join(", ")} ·{" "}
                {key.last_used_at ? `used ${ago(key.last_used_at, now)}` : "never used"} · made {ago(key.created_at, now)}
              </span>
            </div>
            <div className="row-tools">
              <Pill tone={over ? "bad" : "rest"}>
                {over ? "Expired" : `Until ${new Date(key.expires_at).toLocaleDateString("en", { dateStyle: "medium" })}`}
              </Pill>
              <ConfirmButton
                action="Revoke"
                label={`Revoke ${key.name}`}
                title={`Revoke ${key.name}?`}
                run={async () => {
                  await revokeApiKey(key.id);
                  await queries.invalidateQueries({ queryKey: ["account", "api-keys"] });
                }}
              >
                <p>Programs that use it are refused from now on. It cannot be brought back.</p>
              </ConfirmButton>
            </div>
          </li>
        );
      })}
    </ul>
  );
}

function NewKey({ me, made, close }: { me: Me; made: (key: string) => void; close: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState<KeyScope[]>(["read", "sessions:write"]);
  const [days, setDays] = useState("90");
  const create = useMutation({
    mutationFn: () => createApiKey({ name, scopes: chosen, expires_in_days: Number(days) }),
    onSuccess: async ({ key }) => {
      await queries.invalidateQueries({ queryKey: ["account", "api-keys"] });
      made(key);
    },
  });
  return (
    <form
      className="form"
      aria-label="New API key"
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate();
      }}
    >
      <div className="form-row">
        <TextField label="Name" placeholder="Nightly builds" maxLength={80} required value={name} onChange={(event) => setName(event.target.value)} />
        <SelectField label="Works for" value={days} onChange={(event) => setDays(event.target.value)}>
          <option value="7">7 days</option>
          <option value="30">30 days</option>
          <option value="90">90 days</option>
          <option value="366">A year</option>
        </SelectField>
      </div>
      <fieldset className="fieldset">
        <legend>May</legend>
        <div className="form-row">
          {scopes
            .filter(({ scope }) => scope !== "operator" || me.role === "operator")
            .map(({ scope, label, hint }) => (
              <CheckField
                key={scope}
                label={label}
                hint={hint}
                checked={chosen.includes(scope)}
                onChange={(event) =>
                  setChosen(event.target.checked ? [...chosen, scope] : chosen.filter((one) => one !== scope))
                }
              />
            ))}
        </div>
      </fieldset>
      {create.error && <ProblemNote error={create.error} />}
      <div className="form-foot">
        <BusyButton type="submit" look="primary" busy={create.isPending} disabled={chosen.length === 0}>
          Make the key
        </BusyButton>
        <Button onClick={close}>Cancel</Button>
      </div>
    </form>
  );
}
