import { assert, double, property } from "fast-check";
import { expect, test } from "vitest";
import { everyDay, niceTop } from "./measures";

test("the top of a scale is round, and never below the value or far above it", () => {
  assert(
    property(double({ min: 1e-6, max: 1e9, noNaN: true }), (value) => {
      const top = niceTop(value);
      expect(top).toBeGreaterThanOrEqual(value * 0.99999);
      expect(top).toBeLessThanOrEqual(value * 5.001);
    }),
  );
  expect([niceTop(0.31), niceTop(2.3), niceTop(100), niceTop(0)]).toEqual([0.5, 2.5, 100, 1]);
});

test("days without calls are there, in order, also over the end of a month", () => {
  const days = everyDay([{ name: "2026-03-01", tally: {} as never }], 4, new Date("2026-03-02T23:59:00Z"));
  expect(days.map(({ name }) => name)).toEqual(["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"]);
  expect(days.map(({ tally }) => tally !== null)).toEqual([false, false, true, false]);
});
