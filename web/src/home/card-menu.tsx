// What can be done with an app from the list: put it away, take it out again, delete it.

import { useMutation, useQueryClient, type InfiniteData } from "@tanstack/react-query";
import { Archive, ArchiveRestore, Ellipsis, Trash2 } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import { useCallback, useState } from "react";
import { archiveSession, deleteSession, unarchiveSession } from "../api/session-life";
import type { SessionList } from "../api/types";
import { ConfirmDialog } from "../ui/forms";
import { buttonClass, ProblemNote } from "../ui/parts";

// Everything of a session is deleted behind the answer; by then it is out of the list.
const ERASED_MS = 5_000;

type Pages = InfiniteData<SessionList> | undefined;

const without = (id: string) => (data: Pages) =>
  data && {
    ...data,
    pages: data.pages.map((page) => ({ ...page, sessions: page.sessions.filter((one) => one.id !== id) })),
  };

export function CardMenu({ id, title, archived }: { id: string; title: string; archived: boolean }) {
  const queries = useQueryClient();
  const refresh = () => queries.invalidateQueries({ queryKey: ["sessions"] });
  const [deleting, setDeleting] = useState(false);
  const close = useCallback(() => setDeleting(false), []);
  const move = useMutation({
    mutationFn: () => (archived ? unarchiveSession(id) : archiveSession(id)),
    onSuccess: refresh,
  });
  return (
    <div className="card-menu">
      <DropdownMenu.Root modal={false}>
        <DropdownMenu.Trigger className={buttonClass("framed", true, true)} aria-label={`More about ${title}`}>
          <Ellipsis size={16} aria-hidden />
        </DropdownMenu.Trigger>
        <DropdownMenu.Portal>
          <DropdownMenu.Content className="menu" align="end" sideOffset={6} collisionPadding={8}>
            <DropdownMenu.Item className="menu-item" onSelect={() => move.mutate()}>
              {archived ? <ArchiveRestore size={16} aria-hidden /> : <Archive size={16} aria-hidden />}
              {archived ? "Take out of the archive" : "Put into the archive"}
            </DropdownMenu.Item>
            <DropdownMenu.Item className="menu-item" onSelect={() => setDeleting(true)}>
              <Trash2 size={16} aria-hidden /> Delete for good
            </DropdownMenu.Item>
          </DropdownMenu.Content>
        </DropdownMenu.Portal>
      </DropdownMenu.Root>
      {move.error && <ProblemNote error={move.error} />}
      {deleting && (
        <ConfirmDialog
          action="Delete for good"
          title={`Delete ${title}?`}
          close={close}
          run={async () => {
            await deleteSession(id);
            queries.setQueriesData({ queryKey: ["sessions", "recent"] }, without(id));
            setTimeout(() => void refresh(), ERASED_MS);
          }}
        >
          <p>
            Its work stops; files, versions, conversation and published sites go. It cannot be brought back. To keep it out
            of sight only, put it into the archive.
          </p>
        </ConfirmDialog>
      )}
    </div>
  );
}
