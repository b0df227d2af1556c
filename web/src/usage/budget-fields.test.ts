import { expect, test } from "vitest";
import { formOfLimits, limitsOf, validLimits } from "./budget-fields";

test("limits come back as they were, and an empty field takes one away", () => {
  const form = formOfLimits({ day: "5.0000000000", month: null });
  expect(form).toEqual({ session: "", day: "5", month: "", total: "" });
  expect(limitsOf({ ...form, total: " 0.50 " })).toEqual({ session: null, day: "5", month: null, total: "0.50" });
});

test.each(["-1", "1,5", "ten", "1e9", "2000000"])("%s is no amount", (text) => {
  expect(validLimits({ session: "", day: text, month: "", total: "" })).toBe(false);
});
