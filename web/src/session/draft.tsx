// The message being written: it outlives its box, which other tabs of a phone put away, and a reload of the page.

import { createContext, useCallback, useContext, useMemo, useState, type ReactNode } from "react";
import { useSession } from "../state/session-context";
import { useAttachments, type Attachments } from "./message-images";

interface MessageDraft {
  text: string;
  setText: (text: string) => void;
  /** Puts a passage below what is written already. */
  insert: (passage: string) => void;
  attachments: Attachments;
}

const DraftContext = createContext<MessageDraft | null>(null);

export function DraftProvider({ children }: { children: ReactNode }) {
  const key = `message ${useSession((session) => session.progress.session_id)}`;
  const [text, setState] = useState(() => sessionStorage.getItem(key) ?? "");
  const attachments = useAttachments();

  const setText = useCallback(
    (next: string) => {
      setState(next);
      keep(key, next);
    },
    [key],
  );
  const insert = useCallback(
    (passage: string) =>
      setState((held) => {
        const next = held.trim() ? `${held.trimEnd()}\n\n${passage}` : passage;
        keep(key, next);
        return next;
      }),
    [key],
  );
  const draft = useMemo(() => ({ text, setText, insert, attachments }), [text, setText, insert, attachments]);
  return <DraftContext.Provider value={draft}>{children}</DraftContext.Provider>;
}

/** A browser that keeps nothing loses the text at a reload, no more. */
function keep(key: string, text: string): void {
  try {
    if (text) sessionStorage.setItem(key, text);
    else sessionStorage.removeItem(key);
  } catch {
    // Full or forbidden.
  }
}

export function useDraft(): MessageDraft {
  const draft = useContext(DraftContext);
  if (!draft) throw new Error("a part of the session page stands outside its message draft");
  return draft;
}
