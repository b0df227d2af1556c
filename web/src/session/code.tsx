// Files on the left, the one being read or written on the right.

import { ArrowLeft, Check, Copy, FileCode2, FileDiff, LocateFixed, Search, X } from "lucide-react";
import { lazy, Suspense, useEffect, useRef, useState, type RefObject } from "react";
import { latestPath, writingPath } from "../state/selectors";
import { useSession } from "../state/session-context";
import { Button, Empty, IconButton, ProblemNote } from "../ui/parts";
import { plural, size } from "../words";
import { FileSearch } from "./file-search";
import { FileTree } from "./file-tree";
import { useBefore, useFileText } from "./file-text";
import { useView } from "./view";

const Editor = lazy(() => import("./editor"));

export function CodePanel({ narrow }: { narrow: boolean }) {
  const { place, openFile, follow } = useView();
  const writing = useSession(writingPath);
  const count = useSession((session) => session.progress.files.length);
  // Between two files the one just written stays in view.
  const latest = useSession(latestPath);
  const [query, setQuery] = useState("");
  const [list, setList] = useState(false);
  const [changes, setChanges] = useState(false);
  const textRef = useRef<string | null>(null);
  const shown = place?.path ?? writing ?? latest;

  const pick = (path: string, line?: number) => {
    openFile(path, line ?? null);
    setList(false);
  };

  if (count === 0 && !writing) {
    return (
      <Empty icon={<FileCode2 size={26} aria-hidden />} title="No files yet">
        <p>Files appear here while they are written, right after the plan.</p>
      </Empty>
    );
  }
  return (
    <div className="code">
      {(!narrow || list) && (
        <aside className="code-files" aria-label="Project files">
          <div className="code-search">
            <Search size={15} aria-hidden />
            <input
              type="search"
              aria-label="Search in all files"
              placeholder="Search in all files"
              value={query}
              onChange={(event) => setQuery(event.target.value)}
            />
            {query && (
              <IconButton small label="Clear the search" onClick={() => setQuery("")}>
                <X size={14} aria-hidden />
              </IconButton>
            )}
          </div>
          {query.trim() ? <FileSearch query={query.trim()} pick={pick} /> : <FileTree shown={shown} pick={pick} />}
        </aside>
      )}
      {(!narrow || !list) && (
        <section className="code-main" aria-label="File">
          <div className="bar">
            {narrow && (
              <Button small onClick={() => setList(true)}>
                <ArrowLeft size={14} aria-hidden /> {plural(count, "file")}
              </Button>
            )}
            <FileTitle path={shown} />
            {writing && place && (
              <Button small onClick={follow}>
                <LocateFixed size={14} aria-hidden /> Follow
              </Button>
            )}
            {shown && <ChangesToggle path={shown} on={changes} turn={setChanges} />}
            {shown && <CopyButton textRef={textRef} />}
          </div>
          <div className="code-view">
            {shown && <FileView path={shown} line={place?.line ?? null} changes={changes} textRef={textRef} />}
          </div>
        </section>
      )}
    </div>
  );
}

function FileTitle({ path }: { path: string | null }) {
  const file = useSession((session) => session.progress.files.find((one) => one.path === path));
  const open = useSession((session) => (path ? session.open[path] !== undefined : false));
  if (!path) return <span className="code-title" />;
  const cut = path.lastIndexOf("/") + 1;
  return (
    <span className="code-title" title={path}>
      <span className="quiet">{path.slice(0, cut)}</span>
      <b>{path.slice(cut)}</b>
      {open ? (
        <span className="code-live">being written</span>
      ) : file ? (
        <span className="quiet code-meta">
          {size(file.size)}
        </span>
      ) : null}
    </span>
  );
}

function ChangesToggle({ path, on, turn }: { path: string; on: boolean; turn: (on: boolean) => void }) {
  const live = useSession((session) => session.open[path] !== undefined);
  const before = useBefore(path, on && !live);
  const label =
    on && before.data === null ? "The last change made this file" : on ? "Show the file" : "Show the last change";
  return (
    <IconButton small label={label} aria-pressed={on} disabled={live} onClick={() => turn(!on)}>
      <FileDiff size={15} aria-hidden />
    </IconButton>
  );
}

interface FileViewProps {
  path: string;
  line: number | null;
  changes: boolean;
  textRef: RefObject<string | null>;
}

function FileView({ path, line, changes, textRef }: FileViewProps) {
  const { text, live, diff, error: textError } = useFileText(path);
  const known = useSession((session) => session.progress.files.some((file) => file.path === path));
  const before = useBefore(path, changes && !live);
  useEffect(() => {
    textRef.current = text;
  }, [text, textRef]);
  const error = textError ?? (changes ? before.error : null);
  if (error) {
    return (
      <div className="pad">
        <ProblemNote error={error} />
      </div>
    );
  }
  if (text === null && !known) {
    return (
      <Empty icon={<FileCode2 size={26} aria-hidden />} title="This file is not in the project">
        <p>It may have been deleted or not written yet. Pick another one.</p>
      </Empty>
    );
  }
  if (text === null) return null;
  return (
    <Suspense fallback={null}>
      <Editor
        path={path}
        text={text}
        live={live}
        plain={diff}
        line={line}
        before={changes && !live ? (before.data ?? null) : null}
      />
    </Suspense>
  );
}

function CopyButton({ textRef }: { textRef: RefObject<string | null> }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(false), 1_500);
    return () => clearTimeout(timer);
  }, [done]);
  return (
    <IconButton
      small
      label={done ? "Copied" : "Copy the file"}
      onClick={() => {
        if (textRef.current !== null) void navigator.clipboard.writeText(textRef.current).then(() => setDone(true));
      }}
    >
      {done ? <Check size={15} aria-hidden /> : <Copy size={15} aria-hidden />}
    </IconButton>
  );
}
