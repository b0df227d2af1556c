// The text of a file: as it is being written, or as it is stored.

import { queryOptions, useQuery } from "@tanstack/react-query";
import { Problem, readFile } from "../api/client";
import type { FileRef } from "../api/types";
import { useSession } from "../state/session-context";

export interface FileText {
  text: string | null;
  live: boolean;
  /** A change that is being written as a diff, not as the whole file. */
  diff: boolean;
  error: unknown;
}

/** A stored version never changes, so it is fetched once. */
export const fileQuery = (session: string, file: FileRef) =>
  queryOptions({
    queryKey: ["file", session, file.path, file.sha256],
    queryFn: ({ signal }) => readFile(session, file.path, file.version, signal),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 5 * 60_000,
  });

/** The file as it stood before its last change; null when that change made it. */
const beforeQuery = (session: string, file: FileRef) =>
  queryOptions({
    queryKey: ["before", session, file.path, file.sha256, file.version],
    queryFn: async ({ signal }) => {
      if (file.version <= 1) return null;
      try {
        return await readFile(session, file.path, file.version - 1, signal);
      } catch (error) {
        if (error instanceof Problem && error.status === 404) return null;
        throw error;
      }
    },
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 5 * 60_000,
  });

const NO_FILE: FileRef = { path: "", sha256: "", size: 0, version: 0, phase_id: null, author: "" };

export function useFileText(path: string | null): FileText {
  const id = useSession((session) => session.progress.session_id);
  const file = useSession((session) => session.progress.files.find((one) => one.path === path));
  const open = useSession((session) => (path === null ? undefined : session.open[path]));
  const streamed = useSession((session) => (path === null ? undefined : session.streamed[path]));
  const stored = useQuery({
    ...fileQuery(id, file ?? NO_FILE),
    enabled: file !== undefined && open === undefined,
    placeholderData: file && streamed?.version === file.version ? streamed.text : undefined,
  });
  if (open) return { text: open.text, live: true, diff: open.format === "unified_diff", error: null };
  return { text: stored.data ?? null, live: false, diff: false, error: stored.error };
}

/** The text before the file's last change; asked for only when it is wanted. */
export function useBefore(path: string, enabled: boolean) {
  const id = useSession((session) => session.progress.session_id);
  const file = useSession((session) => session.progress.files.find((one) => one.path === path));
  return useQuery({ ...beforeQuery(id, file ?? NO_FILE), enabled: enabled && file !== undefined });
}
