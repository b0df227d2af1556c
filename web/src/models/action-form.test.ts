import { expect, test } from "vitest";
import { formOf, isChanged, settingsOf } from "./action-form";

test("nothing chosen stays nothing chosen", () => {
  const settings = settingsOf(formOf({}));
  expect(isChanged(settings)).toBe(false);
  expect(settings.temperature).toBeNull();
});

test("what was chosen comes back as it was", () => {
  const chosen = {
    model: "openai/gpt-5",
    fallback: "google/gemini-3-pro",
    provider: "openrouter",
    effort: "high" as const,
    temperature: 0,
    max_output_tokens: 4096,
    enabled: false,
  };
  expect(settingsOf(formOf(chosen))).toEqual(chosen);
  expect(isChanged({ temperature: 0 })).toBe(true);
  expect(isChanged({ enabled: false })).toBe(true);
});
