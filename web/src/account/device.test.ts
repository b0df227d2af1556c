import { expect, test } from "vitest";
import { deviceWords } from "./device";

test("browsers are named with their system", () => {
  const edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0";
  expect(deviceWords(edge)).toBe("Edge on Windows");
  const phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1 Version/17.5 Mobile Safari/604.1";
  expect(deviceWords(phone)).toBe("Safari on iOS");
});

test("programs keep the name they gave, and silence is said", () => {
  expect(deviceWords("stich/0.1.0")).toBe("stich/0.1.0");
  expect(deviceWords("")).toBe("Unknown device");
});
