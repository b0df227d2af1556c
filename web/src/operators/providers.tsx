// How the model providers are: what of their calls failed, and the breakers that keep calls away from them for a while.

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { listProviderHealth, type ProviderHealth } from "../api/operators";
import { Section } from "../shell/shell";
import { useNow } from "../state/clock";
import { SelectField } from "../ui/forms";
import { Button, Pill, ProblemNote } from "../ui/parts";
import { ago, duration, plural, type Tone } from "../words";

const statusWords: Record<ProviderHealth["status"], [tone: Tone, words: string]> = {
  well: ["ok", "Well"],
  failing: ["bad", "Failing"],
  resting: ["warn", "Kept away from"],
  quiet: ["rest", "No calls"],
};

export function ProvidersSection() {
  const [hours, setHours] = useState(1);
  const health = useQuery({
    queryKey: ["operators", "providers", hours],
    queryFn: () => listProviderHealth(hours),
    refetchInterval: 10_000,
    placeholderData: keepPreviousData,
  });
  return (
    <Section
      id="providers"
      title="Model providers"
      lead="After failures in a row calls stay away from a provider for a while, and go to the next one that offers the model."
      tools={
        <SelectField label="Look back" bare value={hours} onChange={(event) => setHours(Number(event.target.value))}>
          <option value={1}>Last hour</option>
          <option value={24}>Last day</option>
          <option value={168}>Last week</option>
        </SelectField>
      }
    >
      {health.error && <ProblemNote error={health.error} action={<Button onClick={() => void health.refetch()}>Try again</Button>} />}
      {!health.data && !health.error && <div className="blank" />}
      {health.data?.providers.length === 0 && (
        <p className="nothing">No provider has been called, and none has a key. Set one in the environment of the service.</p>
      )}
      <ul className="rows" aria-label="Providers">
        {health.data?.providers.map((one) => (
          <ProviderRow key={one.id} provider={one} />
        ))}
      </ul>
    </Section>
  );
}

function ProviderRow({ provider }: { provider: ProviderHealth }) {
  const now = useNow();
  const [tone, words] = statusWords[provider.status];
  const shut = provider.breakers.filter((breaker) => breaker.state !== "closed");
  return (
    <li>
      <div className="row-main">
        <strong>{provider.title}</strong>
        <span>
          {plural(provider.calls, "call")}, {provider.failed} failed
          {provider.first_token_seconds === null ? "" : ` · first word after ${provider.first_token_seconds.toFixed(1)} s`}
          {provider.platform ? "" : " · users' keys only"}
        </span>
        {provider.errors.length > 0 && (
          <span>{provider.errors.map(({ code, count }) => `${code.replaceAll("_", " ")} × ${count}`).join(", ")}</span>
        )}
        {shut.map((breaker) => (
          <span key={breaker.key}>
            {breaker.key}: {breaker.failures} in a row ({breaker.last_error?.replaceAll("_", " ") ?? "unknown"}), away since{" "}
            {breaker.opened_at ? ago(breaker.opened_at, now) : "just now"}
            {breaker.retry_at && `, tried again in ${duration(Date.parse(breaker.retry_at) - now)}`}
          </span>
        ))}
      </div>
      <Pill tone={tone} dot>
        {words}
      </Pill>
    </li>
  );
}
