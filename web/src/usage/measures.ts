// The four ways to look at usage: what each reads from a tally, and how it is said.

import type { Part, Tally } from "../api/usage";
import { money, tokens } from "../words";

export interface Measure {
  id: "cost" | "tokens" | "time" | "success";
  name: string;
  /** Of one tally; null where it says nothing. */
  of: (tally: Tally) => number | null;
  /** A second, smaller truth beside it. */
  second?: { name: string; of: (tally: Tally) => number | null };
  say: (value: number) => string;
  /** The top of the scale, where it is always the same. */
  top?: number;
}

export const spent = (tally: Tally): number => Number(tally.cost_usd ?? 0) + Number(tally.own_keys_usd ?? 0);
const seconds = (value: number) => (value < 10 ? `${value.toFixed(1)} s` : `${Math.round(value)} s`);

export const measures: Measure[] = [
  { id: "cost", name: "Cost", of: spent, say: (value) => money(value) },
  {
    id: "tokens",
    name: "Tokens",
    of: (tally) => tally.input_tokens + tally.output_tokens,
    second: { name: "written", of: (tally) => tally.output_tokens },
    say: (value) => tokens(Math.round(value)),
  },
  {
    id: "time",
    name: "Time of a call",
    of: (tally) => tally.duration.p50,
    second: { name: "of 95 in 100 calls at most", of: (tally) => tally.duration.p95 },
    say: seconds,
  },
  {
    id: "success",
    name: "Success",
    of: (tally) => (tally.success_rate === null ? null : tally.success_rate * 100),
    say: (value) => `${value >= 99.95 ? 100 : value.toFixed(1)} %`,
    top: 100,
  },
];

/** A round number at or above the value: 1, 2, 2.5 or 5 with noughts. */
export function niceTop(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 2.5, 5, 10].find((step) => step * power >= value * 0.999_999) ?? 10) * power;
}

export interface Day {
  name: string;
  tally: Tally | null;
}

/** Every day from the first to the last, those without calls too. Names are YYYY-MM-DD, in UTC. */
export function everyDay(parts: Part[], count: number, today: Date): Day[] {
  const known = new Map(parts.map(({ name, tally }) => [name, tally]));
  return Array.from({ length: count }, (_, index) => {
    const at = new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth(), today.getUTCDate() - (count - 1 - index)));
    const name = at.toISOString().slice(0, 10);
    return { name, tally: known.get(name) ?? null };
  });
}
