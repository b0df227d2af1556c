// Texts that the user has changed and not saved yet, and saving them. They outlive tabs, other files and a reload.

import { useQueryClient } from "@tanstack/react-query";
import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { asProblem, type Problem } from "../api/client";
import { writeFile } from "../api/edits";
import type { FileRef } from "../api/types";
import { useSession } from "../state/session-context";
import { fileQuery } from "./file-text";

export interface Edit {
  text: string;
  /** Hash of the stored text that the edit began with. */
  base: string;
  saving: boolean;
  problem: Problem | null;
  /** Saved as this version, which the stream has not shown yet. */
  saved: number | null;
  merged: boolean;
}

interface Edits {
  of: Record<string, Edit>;
  change: (path: string, text: string, base: string) => void;
  discard: (path: string) => void;
  save: (path: string) => void;
}

const EditsContext = createContext<Edits | null>(null);

export function EditsProvider({ children }: { children: ReactNode }) {
  const session = useSession((one) => one.progress.session_id);
  const files = useSession((one) => one.progress.files);
  const queries = useQueryClient();
  const key = `edits ${session}`;
  const [edits, setEdits] = useState<Record<string, Edit>>(() => recalled(key));
  const current = useRef(edits);
  useEffect(() => {
    current.current = edits;
  }, [edits]);

  const set = useCallback((path: string, next: ((edit: Edit) => Edit | null) | Edit | null) => {
    setEdits(({ [path]: held, ...rest }) => {
      const value = typeof next === "function" ? (held ? next(held) : null) : next;
      return value ? { ...rest, [path]: value } : rest;
    });
  }, []);

  // A saved text gives way to the stored one as soon as the stream shows it.
  useEffect(() => {
    for (const [path, edit] of Object.entries(current.current)) {
      const file = files.find((one) => one.path === path);
      if (edit.saved !== null && file && file.version >= edit.saved) set(path, null);
    }
  }, [files, edits, set]);

  useEffect(() => {
    const unsaved = () => Object.entries(current.current).filter(([, edit]) => edit.saved === null);
    const onLeave = (event: BeforeUnloadEvent) => {
      if (unsaved().length > 0) event.preventDefault();
    };
    const onHide = () => remember(key, Object.fromEntries(unsaved()));
    window.addEventListener("beforeunload", onLeave);
    window.addEventListener("pagehide", onHide);
    return () => {
      onHide();
      window.removeEventListener("beforeunload", onLeave);
      window.removeEventListener("pagehide", onHide);
    };
  }, [key]);

  const change = useCallback(
    (path: string, text: string, base: string) =>
      setEdits((held) => {
        const before = held[path];
        const edit = before ?? { base, saving: false, problem: null, merged: false };
        return { ...held, [path]: { ...edit, text, saved: null } };
      }),
    [],
  );

  const save = useCallback(
    (path: string) => {
      const edit = current.current[path];
      if (!edit || edit.saving || edit.saved !== null) return;
      set(path, { ...edit, saving: true, problem: null });
      writeFile(session, path, edit.text, edit.base).then(
        (result) => {
          const { file, outcome } = result;
          if (file && outcome !== "merged" && outcome !== "conflict") keepText(file, edit.text);
          set(path, (held) => {
            const typedOn = held.text !== edit.text;
            if (outcome === "conflict") return typedOn ? { ...held, saving: false } : null;
            const base = outcome === "merged" ? held.base : (file?.sha256 ?? held.base);
            if (typedOn) return { ...held, base, saving: false };
            if (outcome === "unchanged" || !file) return null;
            return { ...held, base, saving: false, saved: file.version, merged: outcome === "merged" };
          });
        },
        (error: unknown) => set(path, (held) => ({ ...held, saving: false, problem: asProblem(error) })),
      );
      function keepText(file: FileRef, text: string) {
        queries.setQueryData(fileQuery(session, file).queryKey, text);
      }
    },
    [queries, session, set],
  );

  const discard = useCallback((path: string) => set(path, null), [set]);
  const value = useMemo(() => ({ of: edits, change, discard, save }), [edits, change, discard, save]);
  return <EditsContext.Provider value={value}>{children}</EditsContext.Provider>;
}

function recalled(key: string): Record<string, Edit> {
  try {
    const held = JSON.parse(sessionStorage.getItem(key) ?? "{}") as Record<string, { text: string; base: string }>;
    return Object.fromEntries(
      Object.entries(held).map(([path, { text, base }]) => [
        path,
        { text, base, saving: false, problem: null, saved: null, merged: false },
      ]),
    );
  } catch {
    return {};
  }
}

function remember(key: string, edits: Record<string, Edit>): void {
  try {
    const kept = Object.entries(edits).map(([path, { text, base }]) => [path, { text, base }]);
    if (kept.length > 0) sessionStorage.setItem(key, JSON.stringify(Object.fromEntries(kept)));
    else sessionStorage.removeItem(key);
  } catch {
    // Full or forbidden: the warning before leaving is all there is.
  }
}

export function useEdits(): Edits {
  const edits = useContext(EditsContext);
  if (!edits) throw new Error("a part of the session page stands outside its edits");
  return edits;
}
