// Files as folders, in reading order: folders first, then by name.

export interface Folder {
  name: string;
  path: string;
  folders: Folder[];
  files: { name: string; path: string }[];
}

export function buildTree(paths: Iterable<string>): Folder {
  const root: Folder = { name: "", path: "", folders: [], files: [] };
  const known = new Map<string, Folder>([["", root]]);
  const folderAt = (path: string): Folder => {
    const found = known.get(path);
    if (found) return found;
    const cut = path.lastIndexOf("/");
    const folder: Folder = { name: path.slice(cut + 1), path, folders: [], files: [] };
    folderAt(cut < 0 ? "" : path.slice(0, cut)).folders.push(folder);
    known.set(path, folder);
    return folder;
  };
  for (const path of new Set(paths)) {
    const cut = path.lastIndexOf("/");
    folderAt(cut < 0 ? "" : path.slice(0, cut)).files.push({ name: path.slice(cut + 1), path });
  }
  for (const folder of known.values()) {
    folder.folders.sort(byName);
    folder.files.sort(byName);
  }
  return root;
}

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
