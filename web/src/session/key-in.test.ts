import { expect, test } from "vitest";
import { keyIn } from "./key-in";

const KEY = "sk-proj-AbCdEf0123456789AbCdEf01ab12";

test.each([
  [`use ${KEY} for it`, "…ab12", KEY],
  [`OPENAI_API_KEY="${KEY}",`, "…ab12", KEY],
  [`${KEY}9 and ${KEY}`, "…ab12", KEY],
  ["nothing of it, ab12", "…ab12", ""],
  [KEY, "", ""],
])("the key in %j", (text, hint, found) => {
  expect(keyIn(text, hint)).toBe(found);
});
