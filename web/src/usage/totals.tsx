// The figures that answer "how much, how fast, how well" at a glance.

import type { Analytics } from "../api/usage";
import { money, plural, tokens } from "../words";
import { spent } from "./measures";

export function Totals({ found }: { found: Analytics }) {
  const { totals } = found;
  const saved = Number(totals.cache_savings_usd ?? 0);
  const own = Number(totals.own_keys_usd ?? 0);
  const figures: [name: string, value: string, more: string][] = [
    [
      "Cost",
      money(spent(totals)),
      [own > 0 && `${money(own)} on your own keys`, saved > 0 && `${money(saved)} saved by caches`, totals.unpriced_calls > 0 && `${plural(totals.unpriced_calls, "call")} without a known price`]
        .filter(Boolean)
        .join(", "),
    ],
    [
      "Tokens",
      tokens(totals.input_tokens + totals.output_tokens),
      `${tokens(totals.input_tokens)} in (${tokens(totals.cached_tokens)} cached), ${tokens(totals.output_tokens)} out`,
    ],
    ["Calls", String(totals.calls), [totals.failed > 0 && `${totals.failed} failed`, totals.stopped > 0 && `${totals.stopped} stopped`].filter(Boolean).join(", ") || "none failed"],
    [
      "Time of a call",
      totals.duration.p50 === null ? "–" : `${totals.duration.p50.toFixed(1)} s`,
      totals.first_token.p50 === null ? "" : `first word after ${totals.first_token.p50.toFixed(1)} s`,
    ],
    ["Success", totals.success_rate === null ? "–" : `${(totals.success_rate * 100).toFixed(1)} %`, "of calls that were not stopped"],
  ];
  return (
    <dl className="figures">
      {figures.map(([name, value, more]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className="figure-value numeric">{value}</dd>
          <dd className="field-hint">{more}</dd>
        </div>
      ))}
    </dl>
  );
}
