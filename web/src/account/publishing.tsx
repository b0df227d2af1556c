// Tokens for places on the net where apps are published, masked: stored once, used when something is published there.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import {
  deleteAccount,
  listAccounts,
  putAccount,
  type DeploymentAccount,
  type TokenTarget,
} from "../api/deployment-accounts";
import { Section } from "../shell/shell";
import { useNow } from "../state/clock";
import { BusyButton, ConfirmButton, SelectField, TextField } from "../ui/forms";
import { Button, ProblemNote } from "../ui/parts";
import { ago } from "../words";

const queryKey = ["account", "deployment-accounts"];
const places: { target: TokenTarget; title: string; owner?: string; required?: boolean }[] = [
  { target: "cloudflare", title: "Cloudflare Pages", owner: "Account id", required: true },
  { target: "netlify", title: "Netlify" },
  { target: "vercel", title: "Vercel", owner: "Team id, if you publish for a team" },
];

export function PublishingSection() {
  const accounts = useQuery({ queryKey, queryFn: listAccounts });
  const [adding, setAdding] = useState<TokenTarget | null>(null);
  return (
    <Section
      id="publishing"
      title="Publishing"
      lead="Your tokens for Cloudflare Pages, Netlify and Vercel. Apps are published there in your account."
      tools={
        !adding && (
          <Button onClick={() => setAdding("netlify")}>
            <Plus size={15} aria-hidden /> Add a token
          </Button>
        )
      }
    >
      {accounts.error && (
        <ProblemNote error={accounts.error} action={<Button onClick={() => void accounts.refetch()}>Try again</Button>} />
      )}
      {accounts.data?.length === 0 && !adding && (
        <p className="nothing">None yet. Without one, apps are published at this service.</p>
      )}
      {accounts.data && accounts.data.length > 0 && (
        <ul className="rows" aria-label="Tokens for publishing">
          {accounts.data.map((one) => (
            <AccountRow key={one.target} account={one} replace={() => setAdding(one.target)} />
          ))}
        </ul>
      )}
      {adding && <TokenForm key={adding} start={adding} close={() => setAdding(null)} />}
    </Section>
  );
}

function AccountRow({ account, replace }: { account: DeploymentAccount; replace: () => void }) {
  const now = useNow();
  const queries = useQueryClient();
  return (
    <li>
      <div className="row-main">
        <strong>
          {account.title} <code>{account.hint}</code>
        </strong>
        <span>
          {account.owner && `${account.owner} · `}
          {account.last_used_at ? `used ${ago(account.last_used_at, now)}` : "not used yet"} · stored{" "}
          {ago(account.created_at, now)}
        </span>
      </div>
      <div className="row-tools">
        <Button small aria-label={`Replace the token for ${account.title}`} onClick={replace}>
          Replace
        </Button>
        <ConfirmButton
          action="Delete"
          label={`Delete the token for ${account.title}`}
          title={`Delete the token for ${account.title}?`}
          run={async () => {
            await deleteAccount(account.target);
            await queries.invalidateQueries({ queryKey });
          }}
        >
          <p>It is forgotten at once. What you published stays, and can be taken from the net there.</p>
        </ConfirmButton>
      </div>
    </li>
  );
}

function TokenForm({ start, close }: { start: TokenTarget; close: () => void }) {
  const queries = useQueryClient();
  const [target, setTarget] = useState<TokenTarget>(start);
  const [token, setToken] = useState("");
  const [owner, setOwner] = useState("");
  const place = places.find((one) => one.target === target);
  const put = useMutation({
    mutationFn: () => putAccount(target, token.trim(), place?.owner ? owner.trim() : ""),
    onSuccess: async () => {
      setToken("");
      await queries.invalidateQueries({ queryKey });
      close();
    },
  });
  return (
    <form
      className="form"
      aria-label="Token for publishing"
      onSubmit={(event) => {
        event.preventDefault();
        put.mutate();
      }}
    >
      <div className="form-row">
        <SelectField label="Place" value={target} onChange={(event) => setTarget(event.target.value as TokenTarget)}>
          {places.map((one) => (
            <option key={one.target} value={one.target}>
              {one.title}
            </option>
          ))}
        </SelectField>
        <TextField
          label="Token"
          type="password"
          autoComplete="off"
          spellCheck={false}
          required
          minLength={8}
          value={token}
          onChange={(event) => setToken(event.target.value)}
        />
      </div>
      {place?.owner && (
        <TextField
          label={place.owner}
          autoComplete="off"
          spellCheck={false}
          required={place.required ?? false}
          value={owner}
          onChange={(event) => setOwner(event.target.value)}
        />
      )}
      <p className="field-hint">It is kept encrypted and used when you publish there. Nobody is shown it again.</p>
      {put.error && <ProblemNote error={put.error} />}
      <div className="form-foot">
        <Button onClick={close}>Cancel</Button>
        <BusyButton type="submit" look="primary" busy={put.isPending}>
          Store the token
        </BusyButton>
      </div>
    </form>
  );
}
