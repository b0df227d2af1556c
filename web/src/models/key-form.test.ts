import { expect, test } from "vitest";
import { guess } from "./key-form";

test.each([
  ["sk-ant-api03-abc", "anthropic"],
  ["sk-or-v1-abc", "openrouter"],
  ["  sk-proj-abc", "openai"],
  ["AIzaSyAbc", "google"],
  ["gsk_abc", "groq"],
])("%s is a key of %s", (key, provider) => {
  expect(guess(key)).toBe(provider);
});

test("a key whose form tells nothing is left to its owner", () => {
  expect(guess("sk-0123456789abcdef0123456789abcdef")).toBeUndefined();
  expect(guess("")).toBeUndefined();
});
