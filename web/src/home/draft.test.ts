import { expect, test } from "vitest";
import { emptyDraft, parseDraft, requestOf } from "./draft";

const NOW = Date.parse("2026-05-01T12:00:00Z");
const kept = (change: object) => JSON.stringify({ prompt: "A board", mode: "smart", at: NOW - 1_000, ...change });

test("a draft comes back, an old or broken one does not", () => {
  expect(parseDraft(kept({}), NOW)).toMatchObject({ prompt: "A board", mode: "smart", images: [] });
  expect(parseDraft(kept({ at: NOW - 8 * 24 * 3_600_000 }), NOW)).toEqual(emptyDraft);
  expect(parseDraft("{", NOW)).toEqual(emptyDraft);
  expect(parseDraft(null, NOW)).toEqual(emptyDraft);
  expect(parseDraft(kept({ prompt: 7, images: "x", mode: "none" }), NOW)).toEqual(emptyDraft);
});

test("what was left as it is, is not asked for", () => {
  expect(requestOf({ ...emptyDraft, prompt: "  A board " })).toEqual({
    prompt: "A board",
    mode: "deterministic",
    template: null,
  });
});

test("what was chosen is asked for, nought too", () => {
  const image = { id: "img-1", media_type: "image/png", width: 3, height: 2, size: 9 };
  const more = { ...emptyDraft.more, reviewCycles: "0", maxCost: " 2.50 " };
  expect(requestOf({ ...emptyDraft, prompt: "A board", more, images: [image] })).toMatchObject({
    review_cycles: 0,
    max_cost_usd: "2.50",
    image_ids: ["img-1"],
  });
});
