// Where it went: the same tally by model, action, provider or app, the dearest first, each with its share as a bar.

import { useState } from "react";
import { Link } from "wouter";
import type { Analytics, Part } from "../api/usage";
import { Section } from "../shell/shell";
import { Button } from "../ui/parts";
import { actionWords, money, tokens } from "../words";
import { measures, spent } from "./measures";

const kinds = [
  { id: "models", name: "Models" },
  { id: "actions", name: "Actions" },
  { id: "providers", name: "Providers" },
  { id: "sessions", name: "Apps" },
] as const;
type Kind = (typeof kinds)[number]["id"];

const rate = measures.find((one) => one.id === "success");
const time = measures.find((one) => one.id === "time");
const MOST = 12;

export function PartsSection({ found, titles }: { found: Analytics; titles: Map<string, string> }) {
  const [kind, setKind] = useState<Kind>("models");
  const [all, setAll] = useState(false);
  const parts = found[kind];
  const most = Math.max(...parts.map(({ tally }) => weight(tally)), 0);
  const shown = all ? parts : parts.slice(0, MOST);
  return (
    <Section
      id="parts"
      title="Where it went"
      tools={
        <div className="choices" role="group" aria-label="By">
          {kinds.map((one) => (
            <Button key={one.id} small look="plain" aria-pressed={one.id === kind} onClick={() => setKind(one.id)}>
              {one.name}
            </Button>
          ))}
        </div>
      }
    >
      {/* Scrolled by keyboard, so it can be reached by it. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div className="table-box" tabIndex={0} role="region" aria-label="Usage in parts">
        <table className="table">
          <caption className="visually-hidden">Usage by {kind}</caption>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Share</th>
              <th scope="col" className="number">
                Cost
              </th>
              <th scope="col" className="number">
                Calls
              </th>
              <th scope="col" className="number">
                In
              </th>
              <th scope="col" className="number">
                Out
              </th>
              <th scope="col" className="number">
                Time
              </th>
              <th scope="col" className="number">
                Success
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map(({ name, tally }) => (
              <tr key={name}>
                <th scope="row">
                  <Name kind={kind} name={name} titles={titles} />
                </th>
                <td>
                  <ShareBar share={most > 0 ? weight(tally) / most : 0} />
                </td>
                <td className="number">{money(spent(tally))}</td>
                <td className="number">{tally.calls}</td>
                <td className="number">{tokens(tally.input_tokens)}</td>
                <td className="number">{tokens(tally.output_tokens)}</td>
                <td className="number">{said(time?.of(tally), time?.say)}</td>
                <td className="number">{said(rate?.of(tally), rate?.say)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {parts.length > MOST && (
        <Button small onClick={() => setAll(!all)}>
          {all ? "Show fewer" : `Show all ${parts.length}`}
        </Button>
      )}
    </Section>
  );
}

/** Money where there is some; tokens where all of it was free. */
const weight = (tally: Part["tally"]): number => spent(tally) || (tally.input_tokens + tally.output_tokens) / 1e12;

const said = (value: number | null | undefined, say: ((value: number) => string) | undefined): string =>
  value === null || value === undefined || !say ? "–" : say(value);

function Name({ kind, name, titles }: { kind: Kind; name: string; titles: Map<string, string> }) {
  if (kind === "actions") return actionWords(name);
  if (kind === "sessions") return <Link href={`/s/${name}`}>{titles.get(name) ?? name}</Link>;
  return name;
}

function ShareBar({ share }: { share: number }) {
  return (
    <svg className="share" width={96} height={8} aria-hidden>
      <rect className="share-all" width={96} height={8} rx={4} />
      <rect className="chart-bar" width={Math.max(share > 0 ? 3 : 0, 96 * share)} height={8} rx={4} />
    </svg>
  );
}
