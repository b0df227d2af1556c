// The history of a project: its versions, what differs between them, going back, and going on elsewhere.

import { json, post, sessionUrl } from "./client";

export interface FileChange {
  path: string;
  status: "added" | "changed" | "deleted";
}

/** A run of changes that belong together; `version` is the number of the last one and names the project as it stood then. */
export interface ProjectVersion {
  version: number;
  first: number;
  parent: number | null;
  author: string;
  user_id: string | null;
  reason: string;
  phase_id: string | null;
  operation_id: string;
  created_at: string;
  finished_at: string;
  growing: boolean;
  changes: FileChange[];
}

export interface FileDiff {
  path: string;
  status: FileChange["status"];
  added_lines: number;
  removed_lines: number;
  diff: string | null;
}

const PAGE = 50;

export const listVersions = (id: string, before: number | null, signal: AbortSignal) =>
  json<{ versions: ProjectVersion[]; next: number | null }>(
    `${sessionUrl(id)}/versions?limit=${PAGE}${before === null ? "" : `&before=${before}`}`,
    { signal },
  );

/** What differs; `to` null is the project as it stands. */
export const diffVersions = (id: string, from: number, to: number | null, signal: AbortSignal) =>
  json<{ from_version: number; to_version: number; files: FileDiff[] }>(
    `${sessionUrl(id)}/diff?from_version=${from}${to === null ? "" : `&to_version=${to}`}`,
    { signal },
  );

export const restoreVersion = (id: string, version: number, path: string | null) =>
  json<{ version: number | null; files: string[] }>(
    `${sessionUrl(id)}/restore`,
    post(path === null ? { version } : { version, path }),
  );

/** Goes back to before a phase and on from there. `phase_id` is the phase that begins now. */
export const retryPhase = (id: string, phase: string) =>
  json<{ discarded: string[]; version: number | null; phase_id: string | null }>(
    `${sessionUrl(id)}/phases/${encodeURIComponent(phase)}/retry`,
    post({}),
  );

export const forkSession = (id: string, version: number, key: string) =>
  json<{ id: string; url: string }>(`${sessionUrl(id)}/forks`, post({ version }, { "idempotency-key": key }));

export const checkSession = (id: string) => json<unknown>(`${sessionUrl(id)}/check`, post({}));
