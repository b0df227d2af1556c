// Bars by day, drawn as plain SVG: nothing but numbers and colours of the theme.

import { useEffect, useRef, useState } from "react";
import { niceTop, type Day, type Measure } from "./measures";

const HEIGHT = 220;
const EDGE = { top: 14, right: 2, bottom: 24, left: 52 };

function useWidth() {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!box.current) return undefined;
    const observer = new ResizeObserver(([entry]) => entry && setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  return { box, width };
}

export const dayWords = (name: string): string =>
  new Date(`${name}T00:00:00Z`).toLocaleDateString("en", { day: "numeric", month: "short", timeZone: "UTC" });

export function DayChart({ days, measure }: { days: Day[]; measure: Measure }) {
  const { box, width } = useWidth();
  const [at, setAt] = useState<number | null>(null);
  const values = days.map(({ tally }) => (tally ? measure.of(tally) : null));
  const seconds = days.map(({ tally }) => (tally && measure.second ? measure.second.of(tally) : null));
  const top = measure.top ?? niceTop(Math.max(0, ...values.map(Number), ...(measure.id === "time" ? seconds.map(Number) : [])));
  const inner = Math.max(0, width - EDGE.left - EDGE.right);
  const step = inner / days.length;
  const y = (value: number) => EDGE.top + (HEIGHT - EDGE.top - EDGE.bottom) * (1 - value / top);
  const labels = Math.max(1, Math.ceil(days.length / Math.max(1, Math.floor(inner / 76))));
  const told = days.flatMap((day, index) => {
    const value = values[index];
    return value === null || value === undefined ? [] : [`${dayWords(day.name)} ${measure.say(value)}`];
  });
  const shown = at === null ? undefined : days[at];
  return (
    <figure className="chart">
      <figcaption aria-live="off">
        {shown ? <DayWords day={shown} measure={measure} /> : <span className="quiet">Point at a day to read it.</span>}
      </figcaption>
      <div ref={box} className="chart-box">
        <svg
          role="img"
          aria-label={`${measure.name} by day: ${told.slice(-14).join(", ") || "no calls yet"}`}
          width={width}
          height={HEIGHT}
          onPointerLeave={() => setAt(null)}
          onPointerMove={(event) => {
            const x = event.clientX - event.currentTarget.getBoundingClientRect().left - EDGE.left;
            const index = Math.floor(x / step);
            setAt(index >= 0 && index < days.length ? index : null);
          }}
        >
          {[0, 0.5, 1].map((part) => (
            <g key={part}>
              <line className="chart-line" x1={EDGE.left} x2={width} y1={y(top * part)} y2={y(top * part)} />
              <text className="chart-words" x={EDGE.left - 8} y={y(top * part) + 4} textAnchor="end">
                {measure.say(top * part)}
              </text>
            </g>
          ))}
          {at !== null && (
            <rect className="chart-here" x={EDGE.left + at * step} y={EDGE.top} width={step} height={HEIGHT - EDGE.top - EDGE.bottom} />
          )}
          {days.map((day, index) => {
            const value = values[index];
            const second = seconds[index];
            const x = EDGE.left + index * step + step * 0.14;
            const bar = Math.max(1, step * 0.72);
            return (
              <g key={day.name}>
                {value !== null && value !== undefined && value > 0 && (
                  <rect className="chart-bar" x={x} width={bar} rx={Math.min(3, bar / 3)} y={Math.min(y(value), y(0) - 2)} height={Math.max(2, y(0) - y(value))} />
                )}
                {second !== null && second !== undefined && second > 0 && (
                  <rect className="chart-second" x={x} width={bar} y={measure.id === "time" ? y(second) : Math.min(y(second), y(0) - 2)} height={measure.id === "time" ? 2 : Math.max(2, y(0) - y(second))} />
                )}
                {(days.length - 1 - index) % labels === 0 && (
                  <text className="chart-words" x={EDGE.left + (index + 0.5) * step} y={HEIGHT - 6} textAnchor={index === days.length - 1 && days.length > 10 ? "end" : "middle"}>
                    {dayWords(day.name)}
                  </text>
                )}
              </g>
            );
          })}
        </svg>
      </div>
    </figure>
  );
}

function DayWords({ day, measure }: { day: Day; measure: Measure }) {
  const value = day.tally ? measure.of(day.tally) : null;
  const second = day.tally && measure.second ? measure.second.of(day.tally) : null;
  return (
    <>
      <strong>{dayWords(day.name)}</strong>: {value === null ? "no calls" : measure.say(value)}
      {second !== null && measure.second && `, ${measure.say(second)} ${measure.second.name}`}
    </>
  );
}
