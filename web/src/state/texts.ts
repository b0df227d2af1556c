// Texts while they are written: files, answers and the blueprint, by their offsets, and the gaps where a piece is missing.

import type { SessionEvent } from "../api/types";
import { keep, upsertBy, without, withProgress, type OpenFile, type Session } from "./picture";

export const BLUEPRINT = "\0blueprint";

/** What a chunk at `offset` adds to `held`; null when text in between is missing. */
export function tail(held: string, offset: number, text: string): string | null {
  if (offset > held.length) return null;
  return text.slice(held.length - offset);
}

export function blueprintChunk(session: Session, event: Extract<SessionEvent, { type: "blueprint_chunk" }>): Session {
  const before = session.blueprintText;
  const held = before?.operationId === event.operation_id ? before.text : "";
  const added = tail(held, event.offset, event.text);
  if (added === null) return withGap(session, BLUEPRINT);
  if (added === "") return session;
  return {
    ...resume(session, event.operation_id),
    blueprintText: { operationId: event.operation_id, text: held + added },
  };
}

export function fileChunk(session: Session, event: Extract<SessionEvent, { type: "file_chunk" }>): Session {
  const before = session.open[event.path];
  const same = before?.operationId === event.operation_id;
  const held = same ? before.text : "";
  const added = tail(held, event.offset, event.text);
  if (added === null) return withGap(session, event.path);
  if (added === "") return session;
  const file: OpenFile = same
    ? { ...before, text: held + added }
    : {
        operationId: event.operation_id,
        path: event.path,
        purpose: "",
        format: event.format,
        phaseId: null,
        text: added,
      };
  return { ...resume(session, event.operation_id), open: { ...session.open, [event.path]: file } };
}

export function fileGenerated(
  session: Session,
  operationId: string,
  file: Extract<SessionEvent, { type: "file_generated" }>["file"],
): Session {
  const known = session.progress.files.find((other) => other.path === file.path);
  const live = session.open[file.path];
  const closes = live?.operationId === operationId;
  const next = {
    ...closeGap(session, file.path),
    open: closes ? without(session.open, file.path) : session.open,
    streamed:
      closes && live.format === "full_content"
        ? { ...session.streamed, [file.path]: { version: file.version, text: live.text } }
        : session.streamed,
  };
  if (known && known.version > file.version) return next;
  return withProgress(next, { files: upsertBy(session.progress.files, file, "path") });
}

export function conversationDelta(session: Session, event: Extract<SessionEvent, { type: "conversation_delta" }>): Session {
  const draft = session.drafts[event.message_id];
  const stored = session.conversation.find((message) => message.id === event.message_id);
  const held = draft?.operationId === event.operation_id ? draft.text : (stored?.text ?? "");
  const added = tail(held, event.offset, event.text);
  if (added === null) return withGap(session, event.message_id);
  if (added === "") return session;
  return {
    ...resume(session, event.operation_id),
    drafts: { ...session.drafts, [event.message_id]: { operationId: event.operation_id, text: held + added } },
  };
}

export function forget(session: Session, operationId: string): Session {
  return {
    ...forgetFiles({ ...session, gaps: [] }, operationId),
    blueprintText: session.blueprintText?.operationId === operationId ? null : session.blueprintText,
    drafts: keep(session.drafts, (draft) => draft.operationId !== operationId),
  };
}

export function forgetFiles(session: Session, operationId: string): Session {
  return { ...session, open: keep(session.open, (file) => file.operationId !== operationId) };
}

function withGap(session: Session, text: string): Session {
  return session.gaps.includes(text) ? session : { ...session, gaps: [...session.gaps, text] };
}

export function closeGap(session: Session, text: string): Session {
  return session.gaps.includes(text) ? { ...session, gaps: session.gaps.filter((one) => one !== text) } : session;
}

/** A step that shows a sign of life is no longer waiting. */
export function resume(session: Session, operationId: string): Session {
  return session.waiting?.operationId === operationId ? { ...session, waiting: null } : session;
}
