import { describe, expect, it } from "vitest";
import { matches } from "./protected";

describe("patterns of protected files", () => {
  it("reads stars as any characters, folders too", () => {
    expect(matches("vite.config.ts", "vite.config.*")).toBe(true);
    expect(matches("node_modules/a/b.js", "node_modules/*")).toBe(true);
    expect(matches("tsconfig.node.json", "tsconfig*.json")).toBe(true);
  });

  it("takes everything else word for word, from start to end", () => {
    expect(matches("packageXjson", "package.json")).toBe(false);
    expect(matches("src/package.json", "package.json")).toBe(false);
    expect(matches(".gitignore", ".gitignore")).toBe(true);
    expect(matches("a.ts", "?.ts")).toBe(true);
  });
});
