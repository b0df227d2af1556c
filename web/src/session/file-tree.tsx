// The files of the project, marked with what the current phase does to them.

import { ChevronRight, FileCode2, FileJson, FileText, FileType2, Folder as FolderIcon } from "lucide-react";
import { useMemo, useState } from "react";
import { fileMarks, lastChecks, type FileMark } from "../state/selectors";
import { useSession } from "../state/session-context";
import { buildTree, type Folder } from "./tree";

const markWords: Record<FileMark, string> = { writing: "being written", new: "new", changed: "changed" };

interface Marks {
  of: Map<string, FileMark>;
  errors: Map<string, number>;
}

export function FileTree({ shown, pick }: { shown: string | null; pick: (path: string) => void }) {
  const files = useSession((session) => session.progress.files);
  // The list of paths, not the texts, which change with every chunk.
  const writing = useSession((session) => Object.keys(session.open).join("\n"));
  const phases = useSession((session) => session.progress.phases);

  const open = useMemo(() => new Set(writing ? writing.split("\n") : []), [writing]);
  const tree = useMemo(() => buildTree([...files.map((file) => file.path), ...open]), [files, open]);
  const marks = useMemo<Marks>(() => {
    const errors = new Map<string, number>();
    for (const issue of lastChecks(phases)?.report.issues ?? []) {
      if (issue.file && issue.severity === "error") errors.set(issue.file, (errors.get(issue.file) ?? 0) + 1);
    }
    return { of: fileMarks(files, open, phases), errors };
  }, [files, open, phases]);

  return (
    <nav className="tree" aria-label="Files">
      <FolderView folder={tree} depth={0} shown={shown} pick={pick} marks={marks} />
    </nav>
  );
}

interface FolderProps {
  folder: Folder;
  depth: number;
  shown: string | null;
  pick: (path: string) => void;
  marks: Marks;
}

function FolderView({ folder, depth, ...rest }: FolderProps) {
  return (
    <ul>
      {folder.folders.map((child) => (
        <FolderItem key={child.path} folder={child} depth={depth} {...rest} />
      ))}
      {folder.files.map(({ name, path }) => {
        const mark = rest.marks.of.get(path);
        const errors = rest.marks.errors.get(path) ?? 0;
        const Icon = iconOf(name);
        return (
          <li key={path}>
            <button
              type="button"
              className="tree-item"
              style={{ paddingLeft: 10 + depth * 14 }}
              aria-current={path === rest.shown ? "true" : undefined}
              data-mark={mark}
              title={path}
              onClick={() => rest.pick(path)}
            >
              <Icon size={15} aria-hidden />
              <span className="tree-name">{name}</span>
              {errors > 0 && (
                <span className="tree-errors">
                  {errors}
                  <span className="visually-hidden"> errors</span>
                </span>
              )}
              {mark && (
                <span className="tree-mark">
                  <span className="visually-hidden">, {markWords[mark]}</span>
                </span>
              )}
            </button>
          </li>
        );
      })}
    </ul>
  );
}

function FolderItem({ folder, depth, ...rest }: FolderProps) {
  const [open, setOpen] = useState(true);
  return (
    <li>
      <button
        type="button"
        className="tree-item tree-item--folder"
        style={{ paddingLeft: 10 + depth * 14 }}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <ChevronRight size={14} aria-hidden className="tree-arrow" />
        <FolderIcon size={15} aria-hidden />
        <span className="tree-name">{folder.name}</span>
      </button>
      {open && <FolderView folder={folder} depth={depth + 1} {...rest} />}
    </li>
  );
}

function iconOf(name: string): typeof FileText {
  if (/\.(tsx?|jsx?|mjs|cjs)$/.test(name)) return FileCode2;
  if (name.endsWith(".json")) return FileJson;
  if (/\.(css|html|svg)$/.test(name)) return FileType2;
  return FileText;
}
