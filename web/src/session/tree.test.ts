import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildTree, type Folder } from "./tree";

const list = (folder: Folder): string[] => [
  ...folder.folders.flatMap(list),
  ...folder.files.map((file) => file.path),
];

describe("buildTree", () => {
  it("puts folders first, each in order", () => {
    const tree = buildTree(["src/b.ts", "index.html", "src/a.ts", "src/ui/x.css"]);
    expect(list(tree)).toEqual(["src/ui/x.css", "src/a.ts", "src/b.ts", "index.html"]);
  });

  it("holds every path exactly once", () => {
    const name = fc.stringMatching(/^[a-z]{1,3}$/);
    const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
    fc.assert(
      fc.property(fc.array(path), (paths) => {
        expect(list(buildTree(paths)).toSorted()).toEqual([...new Set(paths)].toSorted());
      }),
    );
  });
});
