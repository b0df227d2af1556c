// Usage by day: as a chart, or as the same numbers in a table.

import { ChartColumn, Table2 } from "lucide-react";
import { useState } from "react";
import type { Analytics } from "../api/usage";
import { Section } from "../shell/shell";
import { Button } from "../ui/parts";
import { DayChart, dayWords } from "./chart";
import { everyDay, measures, spent, type Measure } from "./measures";

export function DaysSection({ found, days }: { found: Analytics; days: number }) {
  // What cost nothing, as at the demo model, has a cost that says nothing.
  const [picked, setMeasure] = useState<Measure | null>(null);
  const measure = picked ?? (measures[spent(found.totals) > 0 ? 0 : 1] as Measure);
  const [table, setTable] = useState(false);
  const [today] = useState(() => new Date());
  const all = everyDay(found.days, days, today);
  return (
    <Section
      id="days"
      title="Day by day"
      tools={
        <>
          <div className="choices" role="group" aria-label="Measure">
            {measures.map((one) => (
              <Button key={one.id} small look="plain" aria-pressed={one.id === measure.id} onClick={() => setMeasure(one)}>
                {one.name}
              </Button>
            ))}
          </div>
          <Button small aria-pressed={table} onClick={() => setTable(!table)}>
            {table ? <ChartColumn size={15} aria-hidden /> : <Table2 size={15} aria-hidden />}
            {table ? "As a chart" : "As a table"}
          </Button>
        </>
      }
    >
      {table ? (
        // Scrolled by keyboard, so it can be reached by it.
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <div className="table-box table-box--tall" tabIndex={0} role="region" aria-label="Usage by day">
          <table className="table">
            <caption className="visually-hidden">Usage by day, newest first</caption>
            <thead>
              <tr>
                <th scope="col">Day (UTC)</th>
                <th scope="col" className="number">
                  Calls
                </th>
                {measures.map((one) => (
                  <th key={one.id} scope="col" className="number">
                    {one.name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {all
                .filter((day) => day.tally)
                .toReversed()
                .map(({ name, tally }) => (
                  <tr key={name}>
                    <th scope="row">{dayWords(name)}</th>
                    <td className="number">{tally?.calls}</td>
                    {measures.map((one) => {
                      const value = tally ? one.of(tally) : null;
                      return (
                        <td key={one.id} className="number">
                          {value === null ? "–" : one.say(value)}
                        </td>
                      );
                    })}
                  </tr>
                ))}
            </tbody>
          </table>
        </div>
      ) : (
        <DayChart days={all} measure={measure} />
      )}
    </Section>
  );
}
