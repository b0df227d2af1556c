import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readMessage } from "./frame-talk";

describe("messages from the frame", () => {
  it("reads a picked element with its place", () => {
    expect(readMessage({ stich: "picked", source: "src/App.tsx:12:5", html: "<b>" })).toEqual({
      kind: "picked",
      picked: { file: "src/App.tsx", line: 12, html: "<b>" },
    });
  });

  it("leaves out a place that is none", () => {
    for (const source of [undefined, 3, "src/App.tsx", "a\nb:1", "x".repeat(400) + ":1"]) {
      expect(readMessage({ stich: "picked", source, html: "<b>" })).toMatchObject({ picked: { file: null, line: null } });
    }
  });

  it("bounds what it takes", () => {
    const heard = readMessage({ stich: "console", level: "log", text: "x".repeat(10_000) });
    expect(heard?.kind === "console" && heard.text.length).toBe(2_000);
  });

  it("refuses other shapes, whatever a page sends", () => {
    expect(readMessage({ stich: "console", level: "shout", text: "" })).toBeNull();
    fc.assert(
      fc.property(fc.anything(), (data) => {
        const heard = readMessage(data);
        const stich = (data as { stich?: unknown } | null)?.stich;
        expect(heard === null || ["hello", "left", "closed", "console", "picked"].includes(String(stich))).toBe(true);
      }),
    );
  });
});
