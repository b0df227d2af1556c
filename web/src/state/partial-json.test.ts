import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parsePartial } from "./partial-json";

describe("parsePartial", () => {
  it("shows what is there so far", () => {
    expect(parsePartial('{"title": "Kan')).toEqual({ title: "Kan" });
    expect(parsePartial('{"title": "Kanban", "views": [{"name": "Board"}, {"na')).toEqual({
      title: "Kanban",
      views: [{ name: "Board" }, {}],
    });
    expect(parsePartial('{"a": tru')).toEqual({});
    expect(parsePartial('{"a": 12')).toEqual({});
    expect(parsePartial("")).toBeUndefined();
    expect(parsePartial('Here it is:\n```json\n{"a": 1}\n```')).toEqual({ a: 1 });
  });

  it("drops an escape that is cut in the middle", () => {
    expect(parsePartial('{"a": "x\\')).toEqual({ a: "x" });
    expect(parsePartial('{"a": "x\\u00e')).toEqual({ a: "x" });
    expect(parsePartial('{"a": "x\\\\')).toEqual({ a: "x\\" });
  });

  it("gives up on what is not JSON", () => {
    expect(parsePartial("{nonsense")).toBeUndefined();
  });

  it("keeps a key named __proto__ as data", () => {
    const value = parsePartial('{"__proto__": {"polluted": true}}') as object;
    expect(Object.keys(value)).toEqual(["__proto__"]);
    expect("polluted" in {}).toBe(false);
  });

  it("reads every prefix without throwing, and the whole exactly", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const text = JSON.stringify(value);
        for (let end = 0; end <= text.length; end += 1) parsePartial(text.slice(0, end));
        expect(JSON.stringify(parsePartial(text))).toBe(text);
      }),
      { numRuns: 25 },
    );
  });
});
