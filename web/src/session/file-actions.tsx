// What can be done with a file as a whole: make, rename, delete it.

import { useMutation } from "@tanstack/react-query";
import { EllipsisVertical, FilePlus2, Pencil, Trash2 } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import { useCallback, useState, type FormEvent } from "react";
import { deleteFile, renameFile, writeFile } from "../api/edits";
import { useSession } from "../state/session-context";
import { Modal } from "../ui/modal";
import { Button, buttonClass, IconButton, ProblemNote } from "../ui/parts";
import { useView } from "./view";

export function FileMenu({ path }: { path: string }) {
  const [asked, setAsked] = useState<"rename" | "delete" | null>(null);
  const close = useCallback(() => setAsked(null), []);
  return (
    <>
      <DropdownMenu.Root modal={false}>
        <DropdownMenu.Trigger className={buttonClass("plain", true, true)} aria-label="More for this file">
          <EllipsisVertical size={15} aria-hidden />
        </DropdownMenu.Trigger>
        <DropdownMenu.Portal>
          <DropdownMenu.Content className="menu" align="end" sideOffset={6} collisionPadding={8}>
            <DropdownMenu.Item className="menu-item" onSelect={() => setAsked("rename")}>
              <Pencil size={15} aria-hidden /> Rename
            </DropdownMenu.Item>
            <DropdownMenu.Item className="menu-item" onSelect={() => setAsked("delete")}>
              <Trash2 size={15} aria-hidden /> Delete
            </DropdownMenu.Item>
          </DropdownMenu.Content>
        </DropdownMenu.Portal>
      </DropdownMenu.Root>
      {asked === "rename" && <RenameDialog path={path} close={close} />}
      {asked === "delete" && <DeleteDialog path={path} close={close} />}
    </>
  );
}

export function NewFileButton() {
  const [open, setOpen] = useState(false);
  const close = useCallback(() => setOpen(false), []);
  return (
    <>
      <IconButton small label="New file" onClick={() => setOpen(true)}>
        <FilePlus2 size={15} aria-hidden />
      </IconButton>
      {open && <NewFileDialog close={close} />}
    </>
  );
}

function NewFileDialog({ close }: { close: () => void }) {
  const session = useSession((one) => one.progress.session_id);
  const { openFile } = useView();
  const make = useMutation({
    mutationFn: (path: string) => writeFile(session, path, "", null),
    onSuccess: (_, path) => {
      close();
      openFile(path);
    },
  });
  return (
    <PathDialog title="New file" button="Make the file" initial="src/" pending={make.isPending} error={make.error} close={close}>
      {(path) => make.mutate(path)}
    </PathDialog>
  );
}

function RenameDialog({ path, close }: { path: string; close: () => void }) {
  const session = useSession((one) => one.progress.session_id);
  const file = useSession((one) => one.progress.files.find((other) => other.path === path));
  const { openFile } = useView();
  const rename = useMutation({
    mutationFn: (to: string) => renameFile(session, path, to, file?.sha256 ?? ""),
    onSuccess: (_, to) => {
      close();
      openFile(to);
    },
  });
  return (
    <PathDialog title="Rename the file" button="Rename" initial={path} pending={rename.isPending} error={rename.error} close={close}>
      {(to) => (to === path ? close() : rename.mutate(to))}
    </PathDialog>
  );
}

interface PathDialogProps {
  title: string;
  button: string;
  initial: string;
  pending: boolean;
  error: unknown;
  close: () => void;
  children: (path: string) => void;
}

function PathDialog({ title, button, initial, pending, error, close, children }: PathDialogProps) {
  const [path, setPath] = useState(initial);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const wanted = path.trim().replace(/^\/+/, "");
    if (wanted && !wanted.endsWith("/")) children(wanted);
  };
  return (
    <Modal className="sheet" label={title} close={close}>
      <form onSubmit={submit} className="sheet-form">
        <h2>{title}</h2>
        <label className="field">
          Path in the project
          <input className="input" value={path} spellCheck={false} onChange={(event) => setPath(event.target.value)} />
        </label>
        {Boolean(error) && <ProblemNote error={error} />}
        <footer className="sheet-foot">
          <Button look="plain" onClick={close}>
            Cancel
          </Button>
          <Button look="primary" type="submit" disabled={pending || !path.trim() || path.trim().endsWith("/")}>
            {button}
          </Button>
        </footer>
      </form>
    </Modal>
  );
}

function DeleteDialog({ path, close }: { path: string; close: () => void }) {
  const session = useSession((one) => one.progress.session_id);
  const file = useSession((one) => one.progress.files.find((other) => other.path === path));
  const { follow } = useView();
  const remove = useMutation({
    mutationFn: () => deleteFile(session, path, file?.sha256 ?? ""),
    onSuccess: () => {
      close();
      follow();
    },
  });
  return (
    <Modal className="sheet" label="Delete the file" close={close}>
      <h2>Delete {path.slice(path.lastIndexOf("/") + 1)}?</h2>
      <p>It leaves the project as a new version. The history keeps it, and can bring it back.</p>
      {remove.error && <ProblemNote error={remove.error} />}
      <footer className="sheet-foot">
        <Button look="plain" onClick={close}>
          Cancel
        </Button>
        <Button look="primary" disabled={remove.isPending} onClick={() => remove.mutate()}>
          Delete the file
        </Button>
      </footer>
    </Modal>
  );
}
