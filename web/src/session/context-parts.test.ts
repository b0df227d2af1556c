import { expect, it } from "vitest";
import { partsOf } from "./context-parts";

it("names the parts, the largest first, and counts nothing twice", () => {
  const parts = partsOf({ "stable prefix": 900, user: 4_000, "of which file": 3_000, tools: 0, novelty: 10 });
  expect(parts).toEqual([
    { title: "Files", tokens: 3_000 },
    { title: "What is asked", tokens: 1_000 },
    { title: "Instructions, always the same", tokens: 900 },
    { title: "novelty", tokens: 10 },
  ]);
});
