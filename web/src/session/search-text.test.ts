import { describe, expect, it } from "vitest";
import { findMatches } from "./search-text";

describe("findMatches", () => {
  it("finds without regard to case and tells the line", () => {
    expect(findMatches("one\n  const Two = 2;\ntwo", "two", 10)).toEqual([
      { line: 2, before: "const ", hit: "Two", after: " = 2;" },
      { line: 3, before: "", hit: "two", after: "" },
    ]);
  });

  it("stops at the limit and takes the query literally", () => {
    expect(findMatches("a\na\na", "a", 2)).toHaveLength(2);
    expect(findMatches("a.c\nabc", "a.c", 9)).toHaveLength(1);
    expect(findMatches("abc", "", 9)).toEqual([]);
  });
});
