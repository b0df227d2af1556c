// Users' changes of files, and the choice where one met a change of the session.

import { json, post, sessionUrl } from "./client";
import type { FileConflict, FileRef } from "./types";

export interface EditResult {
  outcome: "saved" | "merged" | "unchanged" | "conflict" | "deleted";
  file: FileRef | null;
  conflict: FileConflict | null;
}

/** Both sides as texts (null: no file), and both in one with markers around the lines that differ. */
export interface ConflictTexts {
  conflict: FileConflict;
  base: string | null;
  mine: string | null;
  theirs: string | null;
  marked: string | null;
}

export type Choice = "mine" | "theirs" | "text";

const encoded = (path: string) => path.split("/").map(encodeURIComponent).join("/");
const put = (body: unknown): RequestInit => ({ ...post(body), method: "PUT" });

/** `base` is the hash of the text that the edit began with; null for a new file. */
export const writeFile = (id: string, path: string, content: string, base: string | null) =>
  json<EditResult>(`${sessionUrl(id)}/files/${encoded(path)}`, put({ content, base_sha256: base }));

export const deleteFile = (id: string, path: string, base: string) =>
  json<EditResult>(`${sessionUrl(id)}/files/${encoded(path)}?base_sha256=${base}`, { method: "DELETE" });

export const renameFile = (id: string, path: string, to: string, base: string) =>
  json<EditResult>(`${sessionUrl(id)}/rename`, post({ path, to, base_sha256: base }));

export const readConflict = (id: string, path: string, signal: AbortSignal) =>
  json<ConflictTexts>(`${sessionUrl(id)}/conflicts/${encoded(path)}`, { signal });

export const resolveConflict = (id: string, path: string, choice: Choice, text: string | null) =>
  json<EditResult>(`${sessionUrl(id)}/conflicts/${encoded(path)}`, post(text === null ? { choice } : { choice, text }));
