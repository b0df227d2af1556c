// The history of the project: every phase, repair, edit and restore; what each changed; back to one, or on from it elsewhere.

import { keepPreviousData, useInfiniteQuery, useMutation, useQuery } from "@tanstack/react-query";
import { ArrowLeft, ChevronRight, GitFork, History, RotateCcw } from "lucide-react";
import { lazy, Suspense, useCallback, useState } from "react";
import { useLocation } from "wouter";
import { readFile } from "../api/client";
import { diffVersions, forkSession, listVersions, restoreVersion, type FileDiff, type ProjectVersion } from "../api/versions";
import { useNow } from "../state/clock";
import { newId } from "../state/ids";
import { useSession } from "../state/session-context";
import { Modal } from "../ui/modal";
import { Button, Empty, Pill, ProblemNote } from "../ui/parts";
import { ago, plural, stateTone } from "../words";
import { useRights } from "./access";
import { useView } from "./view";
import "./history.css";

const Editor = lazy(() => import("./editor"));

const authors: Record<string, string> = {
  model: "Built",
  fix: "Repaired",
  template: "Template",
  user: "Edited",
  restore: "Restored",
  tool: "Tool",
};

export default function HistoryPanel({ narrow }: { narrow: boolean }) {
  const id = useSession((session) => session.progress.session_id);
  // What was changed last tells that there is a newer history.
  const last = useSession(lastChange);
  const versions = useInfiniteQuery({
    queryKey: ["versions", id, last],
    queryFn: ({ pageParam, signal }) => listVersions(id, pageParam, signal),
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
  });
  const [picked, setPicked] = useState<number | null>(null);
  // A step that wrote what was there already leaves a version without a change.
  const all = versions.data?.pages.flatMap((page) => page.versions).filter(tells) ?? [];
  const shown = all.find((one) => one.version === picked) ?? (narrow ? undefined : all[0]);

  if (versions.error) {
    return (
      <div className="pad">
        <ProblemNote error={versions.error} action={<Button onClick={() => void versions.refetch()}>Try again</Button>} />
      </div>
    );
  }
  if (all.length === 0) {
    return versions.isPending ? null : (
      <Empty icon={<History size={26} aria-hidden />} title="No history yet">
        <p>Every phase, repair, edit and restore becomes a version here. Any of them can be compared and brought back.</p>
      </Empty>
    );
  }
  return (
    <div className="history">
      {(!narrow || !shown) && (
        // Lists longer than the panel are scrolled, also by keyboard.
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <div className="history-list" role="region" aria-label="Versions" tabIndex={0}>
          <ol>
            {all.map((version, index) => (
              <VersionItem
                key={version.version}
                version={version}
                newest={index === 0}
                shown={version === shown}
                pick={() => setPicked(version.version)}
              />
            ))}
          </ol>
          {versions.hasNextPage && (
            <Button small disabled={versions.isFetchingNextPage} onClick={() => void versions.fetchNextPage()}>
              Show older versions
            </Button>
          )}
        </div>
      )}
      {shown && (
        <VersionView
          key={shown.version}
          version={shown}
          newest={shown === all[0]}
          back={narrow ? () => setPicked(null) : null}
        />
      )}
    </div>
  );
}

const tells = (version: ProjectVersion): boolean => version.growing || version.changes.length > 0;

/** Changes when a file is written, or leaves the project. */
function lastChange(session: { progress: { files: { version: number }[] } }): string {
  let highest = 0;
  for (const file of session.progress.files) highest = Math.max(highest, file.version);
  return `${highest} ${session.progress.files.length}`;
}

interface VersionItemProps {
  version: ProjectVersion;
  newest: boolean;
  shown: boolean;
  pick: () => void;
}

function VersionItem({ version, newest, shown, pick }: VersionItemProps) {
  const now = useNow();
  return (
    <li>
      <button type="button" className="version" aria-current={shown ? "true" : undefined} onClick={pick}>
        <span className="version-name">{version.reason || authors[version.author] || version.author}</span>
        <span className="version-meta quiet">
          {authors[version.author] ?? version.author} · {plural(version.changes.length, "file")} ·{" "}
          <time dateTime={version.finished_at}>{ago(version.finished_at, now)}</time>
        </span>
        {version.growing ? <Pill tone="work">At work</Pill> : newest && <Pill tone="ok">Now</Pill>}
      </button>
    </li>
  );
}

function VersionView({ version, newest, back }: { version: ProjectVersion; newest: boolean; back: (() => void) | null }) {
  const id = useSession((session) => session.progress.session_id);
  const working = useSession((session) => stateTone[session.progress.state.name] === "work");
  const { may } = useRights();
  const [withNow, setWithNow] = useState(false);
  const from = withNow ? version.version : (version.parent ?? 0);
  const to = withNow ? null : version.version;
  const diff = useQuery({
    queryKey: ["diff", id, from, to, useSession(lastChange)],
    queryFn: ({ signal }) => diffVersions(id, from, to, signal),
    placeholderData: keepPreviousData,
  });
  const [asked, setAsked] = useState<{ path: string | null } | null>(null);
  const close = useCallback(() => setAsked(null), []);
  return (
    <section className="version-view" aria-label="Version">
      <header className="version-head">
        {back && (
          <Button small onClick={back}>
            <ArrowLeft size={14} aria-hidden /> Versions
          </Button>
        )}
        <h2>{version.reason || authors[version.author] || version.author}</h2>
        <div className="version-tools">
          {!newest && may("edit") && (
            <Button
              small
              look="primary"
              disabled={working}
              title={working ? "Stop the session first" : undefined}
              onClick={() => setAsked({ path: null })}
            >
              <RotateCcw size={14} aria-hidden /> Restore
            </Button>
          )}
          {may("own") && <ForkButton version={version.version} />}
        </div>
        {!newest && working && may("edit") && <p className="quiet version-hint">To go back to this version, stop the session first.</p>}
        <div className="segments" role="group" aria-label="Compare">
          <Button small look="plain" aria-pressed={!withNow} onClick={() => setWithNow(false)}>
            What it changed
          </Button>
          {!newest && (
            <Button small look="plain" aria-pressed={withNow} onClick={() => setWithNow(true)}>
              What changed since
            </Button>
          )}
        </div>
      </header>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div className="version-files" role="region" aria-label="Changes" tabIndex={0}>
        {diff.error && <ProblemNote error={diff.error} />}
        {diff.data?.files.length === 0 && <p className="quiet pad">Nothing differs.</p>}
        <ul>
          {diff.data?.files.map((file) => (
            <DiffItem
              key={file.path}
              file={file}
              from={from}
              to={to}
              restore={newest || working || !may("edit") ? null : () => setAsked({ path: file.path })}
            />
          ))}
        </ul>
      </div>
      {asked && <RestoreDialog version={version} path={asked.path} close={close} />}
    </section>
  );
}

const statusWords: Record<FileDiff["status"], string> = { added: "new", changed: "changed", deleted: "deleted" };

function DiffItem({ file, from, to, restore }: { file: FileDiff; from: number; to: number | null; restore: (() => void) | null }) {
  const [open, setOpen] = useState(false);
  const { openFile } = useView();
  const here = useSession((session) => session.progress.files.some((one) => one.path === file.path));
  return (
    <li className="diff">
      <div className="diff-head">
        <button type="button" className="diff-name" aria-expanded={open} onClick={() => setOpen(!open)}>
          <ChevronRight size={14} aria-hidden className="tree-arrow" />
          <code>{file.path}</code>
          <span className="quiet">{statusWords[file.status]}</span>
          {file.added_lines > 0 && <span className="diff-added numeric">+{file.added_lines}</span>}
          {file.removed_lines > 0 && <span className="diff-removed numeric">−{file.removed_lines}</span>}
        </button>
        {open && here && (
          <Button small look="plain" onClick={() => openFile(file.path)}>
            Open
          </Button>
        )}
        {open && restore && (
          <Button small look="plain" onClick={restore}>
            Restore this file
          </Button>
        )}
      </div>
      {open && <DiffText file={file} from={from} to={to} />}
    </li>
  );
}

function DiffText({ file, from, to }: { file: FileDiff; from: number; to: number | null }) {
  const id = useSession((session) => session.progress.session_id);
  const sides = useQuery({
    queryKey: ["sides", id, file.path, from, to, file.diff],
    queryFn: async ({ signal }) => {
      const [before, after] = await Promise.all([
        file.status === "added" ? "" : readFile(id, file.path, from, signal),
        file.status === "deleted" ? "" : readFile(id, file.path, to, signal),
      ]);
      return { before, after };
    },
  });
  if (sides.error) return <ProblemNote error={sides.error} />;
  if (!sides.data) return <div className="diff-text" aria-busy />;
  const lines = file.added_lines + file.removed_lines;
  return (
    <div className="diff-text" data-long={lines > 24 || undefined}>
      <Suspense>
        <Editor path={file.path} text={sides.data.after} live={false} plain={false} line={null} before={sides.data.before} />
      </Suspense>
    </div>
  );
}

function ForkButton({ version }: { version: number }) {
  const id = useSession((session) => session.progress.session_id);
  const [, navigate] = useLocation();
  // One key for the button's life: pressing twice makes one session.
  const [key] = useState(newId);
  const fork = useMutation({
    mutationFn: () => forkSession(id, version, key),
    onSuccess: (made) => navigate(`/s/${made.id}`),
  });
  return (
    <>
      <Button small disabled={fork.isPending} onClick={() => fork.mutate()}>
        <GitFork size={14} aria-hidden /> {fork.isPending ? "Forking" : "Fork"}
      </Button>
      {fork.error && <ProblemNote error={fork.error} />}
    </>
  );
}

function RestoreDialog({ version, path, close }: { version: ProjectVersion; path: string | null; close: () => void }) {
  const id = useSession((session) => session.progress.session_id);
  const restore = useMutation({ mutationFn: () => restoreVersion(id, version.version, path), onSuccess: close });
  const name = version.reason || "this version";
  return (
    <Modal className="sheet" label="Restore" close={close}>
      <h2>{path ? `Bring back ${path.slice(path.lastIndexOf("/") + 1)}?` : "Go back to this version?"}</h2>
      <p>
        {path ? `The file becomes what it was after “${name}”` : `The whole project becomes what it was after “${name}”`}, as a new
        version on top. Nothing is lost: every later version stays in the history.
      </p>
      {restore.error && <ProblemNote error={restore.error} />}
      <footer className="sheet-foot">
        <Button look="plain" onClick={close}>
          Cancel
        </Button>
        <Button look="primary" disabled={restore.isPending} onClick={() => restore.mutate()}>
          {restore.isPending ? "Restoring" : "Restore it"}
        </Button>
      </footer>
    </Modal>
  );
}
