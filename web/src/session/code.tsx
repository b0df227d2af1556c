// Files on the left, the one being read, written or changed on the right.

import { ArrowLeft, FileCode2, FileDiff, GitMerge, LocateFixed, Lock, Save, Search, Undo2, X } from "lucide-react";
import { lazy, Suspense, useCallback, useEffect, useRef, useState, type RefObject } from "react";
import { latestPath, writingPath } from "../state/selectors";
import { useSession } from "../state/session-context";
import { CopyButton } from "../ui/copy";
import { Button, Empty, IconButton, ProblemNote } from "../ui/parts";
import { plural, size } from "../words";
import { useRights } from "./access";
import { useEdits } from "./edits";
import { FileMenu, NewFileButton } from "./file-actions";
import { FileSearch } from "./file-search";
import { FileTree } from "./file-tree";
import { useBefore, useFileText } from "./file-text";
import { useProtected } from "./protected";
import { useView } from "./view";

const Editor = lazy(() => import("./editor"));
const ConflictDialog = lazy(() => import("./conflict"));

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
  const { may } = useRights();
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
            {may("edit") && <NewFileButton />}
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
            {shown && <EditBar path={shown} />}
            {shown && <ChangesToggle path={shown} on={changes} turn={setChanges} />}
            {shown && <CopyButton label="Copy the file" text={() => textRef.current} />}
            {shown && <MenuOf path={shown} />}
          </div>
          {shown && <ConflictNote path={shown} />}
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
  const fix = useSession((session) => (path ? session.fixes[path] : undefined));
  if (!path) return <span className="code-title" />;
  const cut = path.lastIndexOf("/") + 1;
  return (
    <span className="code-title" title={path}>
      <span className="quiet">{path.slice(0, cut)}</span>
      <b>{path.slice(cut)}</b>
      {open ? (
        <span className="code-live">being written</span>
      ) : fix?.status === "fixing" ? (
        <span className="code-live" title={fix.problems.join("\n")}>
          being repaired
        </span>
      ) : file ? (
        <span className="quiet code-meta">
          {size(file.size)}
          {fix && (fix.status === "fixed" ? ", repaired" : ", left as written")}
        </span>
      ) : null}
    </span>
  );
}

/** Save and undo where something is changed; a word where nothing can be. */
function EditBar({ path }: { path: string }) {
  const { of, save, discard } = useEdits();
  const edit = of[path];
  const closed = useProtected(path);
  const { may } = useRights();
  const stored = useSession((session) => session.progress.files.find((one) => one.path === path)?.sha256);
  if (closed || !may("edit")) {
    return (
      <span
        className="code-note quiet"
        title={closed ? "The service needs this file as it is" : "The session is shared with you without the right to change it"}
      >
        <Lock size={13} aria-hidden /> Read only
      </span>
    );
  }
  if (!edit) return null;
  if (edit.saved !== null) return <span className="code-note quiet">{edit.merged ? "Saved and merged" : "Saved"}</span>;
  return (
    <>
      {edit.problem ? (
        <span className="code-note bad" role="alert" title={edit.problem.nextAction}>
          Not saved: {edit.problem.message}
        </span>
      ) : (
        stored !== edit.base && <span className="code-note quiet">Changed meanwhile; saving merges</span>
      )}
      <IconButton small label="Discard your changes" disabled={edit.saving} onClick={() => discard(path)}>
        <Undo2 size={15} aria-hidden />
      </IconButton>
      <Button small look="primary" disabled={edit.saving} onClick={() => save(path)}>
        <Save size={14} aria-hidden /> {edit.saving ? "Saving" : "Save"}
      </Button>
    </>
  );
}

function MenuOf({ path }: { path: string }) {
  const closed = useProtected(path);
  const { may } = useRights();
  const stored = useSession((session) => session.progress.files.some((one) => one.path === path));
  return closed || !stored || !may("edit") ? null : <FileMenu path={path} />;
}

/** An edit that met a change of the session; the choice opens by itself where it was this page's. */
function ConflictNote({ path }: { path: string }) {
  const conflict = useSession((session) => session.conflicts.find((one) => one.path === path));
  const [open, setOpen] = useState(false);
  const close = useCallback(() => setOpen(false), []);
  const { may } = useRights();
  if (!conflict) return null;
  return (
    <div className="code-conflict" role="alert">
      <GitMerge size={15} aria-hidden />
      <p>Your edit and the session’s change touch the same lines. The session’s text stands until you choose.</p>
      {may("edit") && (
        <Button small look="primary" onClick={() => setOpen(true)}>
          Choose
        </Button>
      )}
      {open && (
        <Suspense>
          <ConflictDialog path={path} close={close} />
        </Suspense>
      )}
    </div>
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
  const base = useSession((session) => session.progress.files.find((file) => file.path === path)?.sha256);
  const closed = useProtected(path);
  const { may } = useRights();
  const { of, change, save } = useEdits();
  const edit = live ? undefined : of[path];
  const shown = edit?.text ?? text;
  useEffect(() => {
    textRef.current = shown;
  }, [shown, textRef]);
  const error = textError ?? (changes ? before.error : null);
  if (error) {
    return (
      <div className="pad">
        <ProblemNote error={error} />
      </div>
    );
  }
  if (shown === null && !known) {
    return (
      <Empty icon={<FileCode2 size={26} aria-hidden />} title="This file is not in the project">
        <p>It may have been deleted or not written yet. Pick another one.</p>
      </Empty>
    );
  }
  if (shown === null) return null;
  return (
    <Suspense fallback={null}>
      <Editor
        path={path}
        text={shown}
        live={live}
        plain={diff}
        line={line}
        before={changes && !live ? (before.data ?? null) : null}
        onEdit={closed || base === undefined || !may("edit") ? undefined : (next) => change(path, next, base)}
        onSave={() => save(path)}
      />
    </Suspense>
  );
}
