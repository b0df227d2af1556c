// A dialog with a heading and a cross, above the session.

import { X } from "lucide-react";
import type { ReactNode } from "react";
import { Modal } from "../ui/modal";
import { IconButton } from "../ui/parts";

interface SheetProps {
  label: string;
  title: string;
  close: () => void;
  children: ReactNode;
}

export function SheetDialog({ label, title, close, children }: SheetProps) {
  return (
    <Modal className="sheet" label={label} close={close}>
      <div className="sheet-close">
        <IconButton label="Close" onClick={close}>
          <X size={17} aria-hidden />
        </IconButton>
      </div>
      <h2>{title}</h2>
      {children}
    </Modal>
  );
}
