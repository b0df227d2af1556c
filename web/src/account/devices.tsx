// Where one is signed in, and by which accounts elsewhere one may sign in.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import {
  endOtherSignIns,
  endSignIn,
  listIdentities,
  listSignIns,
  startOAuth,
  unlinkIdentity,
  type SignInInfo,
} from "../api/account";
import { useAuth } from "../shell/me";
import { Section } from "../shell/shell";
import { providerNames } from "../sign-in/names";
import { useNow } from "../state/clock";
import { BusyButton, ConfirmButton } from "../ui/forms";
import { Button, Pill, ProblemNote } from "../ui/parts";
import { ago } from "../words";
import { deviceWords } from "./device";

export function DevicesSection() {
  const queries = useQueryClient();
  const signIns = useQuery({ queryKey: ["account", "sign-ins"], queryFn: listSignIns });
  const others = useMutation({
    mutationFn: endOtherSignIns,
    onSuccess: () => queries.invalidateQueries({ queryKey: ["account", "sign-ins"] }),
  });
  return (
    <Section
      id="devices"
      title="Signed-in devices"
      lead="Something here that is not yours? Sign it out and change the password."
      tools={
        (signIns.data?.length ?? 0) > 1 && (
          <BusyButton busy={others.isPending} onClick={() => others.mutate()}>
            Sign out all others
          </BusyButton>
        )
      }
    >
      {(signIns.error ?? others.error) && <ProblemNote error={signIns.error ?? others.error} />}
      {!signIns.data && !signIns.error && <div className="blank" />}
      <ul className="rows" aria-label="Devices">
        {signIns.data?.map((one) => (
          <Device key={one.id} signIn={one} />
        ))}
      </ul>
    </Section>
  );
}

function Device({ signIn }: { signIn: SignInInfo }) {
  const now = useNow();
  const queries = useQueryClient();
  const end = useMutation({
    mutationFn: () => endSignIn(signIn.id),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["account", "sign-ins"] }),
  });
  const name = deviceWords(signIn.user_agent);
  return (
    <li>
      <div className="row-main">
        <strong>{name}</strong>
        <span>
          {signIn.address} · by {providerNames[signIn.means] ?? signIn.means} · seen {ago(signIn.last_seen_at, now)} · since{" "}
          {ago(signIn.created_at, now)}
        </span>
      </div>
      <div className="row-tools">
        {signIn.current ? (
          <Pill tone="ok">This device</Pill>
        ) : (
          <BusyButton small busy={end.isPending} aria-label={`Sign out ${name}`} onClick={() => end.mutate()}>
            Sign out
          </BusyButton>
        )}
      </div>
      {end.error && <ProblemNote error={end.error} />}
    </li>
  );
}

export function IdentitiesSection() {
  const auth = useAuth();
  const queries = useQueryClient();
  const now = useNow();
  const linked = useQuery({ queryKey: ["account", "identities"], queryFn: listIdentities });
  const link = useMutation({
    mutationFn: (provider: string) => startOAuth(provider, true),
    onSuccess: ({ url }) => window.location.assign(url),
  });
  const open = auth?.providers.filter((provider) => !linked.data?.some((one) => one.provider === provider)) ?? [];
  if (auth?.providers.length === 0 && linked.data?.length === 0) return null;
  return (
    <Section id="identities" title="Accounts elsewhere" lead="Linked accounts sign you in here with one press.">
      {(linked.error ?? link.error) && <ProblemNote error={linked.error ?? link.error} />}
      <ul className="rows" aria-label="Linked accounts">
        {linked.data?.map((one) => (
          <li key={one.provider}>
            <div className="row-main">
              <strong>{providerNames[one.provider] ?? one.provider}</strong>
              <span>
                {one.email} · linked {ago(one.created_at, now)}
              </span>
            </div>
            <ConfirmButton
              action="Unlink"
              title={`Unlink ${providerNames[one.provider] ?? one.provider}?`}
              run={async () => {
                await unlinkIdentity(one.provider);
                await queries.invalidateQueries({ queryKey: ["account", "identities"] });
              }}
            >
              <p>It no longer signs you in here. Your account and your apps stay.</p>
            </ConfirmButton>
          </li>
        ))}
        {open.map((provider) => (
          <li key={provider}>
            <div className="row-main">
              <strong>{providerNames[provider] ?? provider}</strong>
              <span>Not linked</span>
            </div>
            <Button small onClick={() => link.mutate(provider)}>
              Link
            </Button>
          </li>
        ))}
      </ul>
    </Section>
  );
}
