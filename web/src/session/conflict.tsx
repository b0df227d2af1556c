// A user's edit and the session's change of the same lines: mine, theirs, or a text made of both.

import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { readConflict, resolveConflict, type Choice } from "../api/edits";
import { useSession } from "../state/session-context";
import { Button, ProblemNote } from "../ui/parts";
import { Modal } from "../ui/modal";
import Editor from "./editor";

export default function ConflictDialog({ path, close }: { path: string; close: () => void }) {
  const session = useSession((one) => one.progress.session_id);
  const version = useSession((one) => one.conflicts.find((conflict) => conflict.path === path)?.version ?? 0);
  const texts = useQuery({
    queryKey: ["conflict", session, path, version],
    queryFn: ({ signal }) => readConflict(session, path, signal),
    gcTime: 0,
  });
  const [editing, setEditing] = useState(false);
  const [text, setText] = useState<string | null>(null);
  const choose = useMutation({
    mutationFn: ({ choice, own }: { choice: Choice; own: string | null }) => resolveConflict(session, path, choice, own),
    onSuccess: close,
  });
  const { mine, theirs, marked } = texts.data ?? { mine: null, theirs: null, marked: null };
  const shown = text ?? marked ?? "";
  return (
    <Modal className="sheet sheet--wide" label="Choose between two texts" close={close}>
      <header className="sheet-head">
        <h2>Two changes of {path.slice(path.lastIndexOf("/") + 1)}</h2>
        <p className="quiet">
          You and the session changed the same lines. The session’s text stands in the project until you choose; yours is kept.
        </p>
      </header>
      {texts.error && <ProblemNote error={texts.error} />}
      {choose.error && <ProblemNote error={choose.error} />}
      {texts.data && (
        <>
          <div className="segments" role="group" aria-label="View">
            <Button small look="plain" aria-pressed={!editing} onClick={() => setEditing(false)}>
              What differs
            </Button>
            {marked !== null && (
              <Button small look="plain" aria-pressed={editing} onClick={() => setEditing(true)}>
                Edit both into one
              </Button>
            )}
          </div>
          <div className="sheet-editor">
            {editing ? (
              <Editor path={path} text={shown} live={false} plain={false} line={null} before={null} onEdit={setText} />
            ) : (
              <Editor path={path} text={mine ?? ""} live={false} plain={false} line={null} before={theirs ?? ""} />
            )}
          </div>
          {!editing && (
            <p className="quiet">
              {mine === null ? "You deleted the file. " : theirs === null ? "The session deleted the file. " : ""}
              Red lines are the session’s, green lines are yours.
            </p>
          )}
          {editing && /^(<{7}|={7}|>{7})/m.test(shown) && (
            <p className="warn-text" role="status">
              The lines with &lt;&lt;&lt;&lt;&lt;&lt;&lt;, ======= and &gt;&gt;&gt;&gt;&gt;&gt;&gt; mark where both changed: leave
              what shall stay and take the marks out.
            </p>
          )}
          <footer className="sheet-foot">
            <Button look="plain" onClick={close}>
              Later
            </Button>
            <Button disabled={choose.isPending} onClick={() => choose.mutate({ choice: "theirs", own: null })}>
              Keep the session’s
            </Button>
            {editing ? (
              <Button look="primary" disabled={choose.isPending} onClick={() => choose.mutate({ choice: "text", own: shown })}>
                Save this text
              </Button>
            ) : (
              <Button look="primary" disabled={choose.isPending} onClick={() => choose.mutate({ choice: "mine", own: null })}>
                Keep mine
              </Button>
            )}
          </footer>
        </>
      )}
    </Modal>
  );
}
