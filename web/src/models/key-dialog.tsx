// Adding a key from wherever one is: what was typed there stays.

import { useState } from "react";
import type { KeyInfo } from "../api/models";
import "../shell/shell.css";
import { Modal } from "../ui/modal";
import { Button } from "../ui/parts";
import { KeyForm } from "./key-form";

interface Props {
  provider?: string;
  value?: string;
  close: () => void;
  /** What follows once a key is stored, where that is more than closing. */
  goOn?: () => void;
}

export default function KeyDialog({ provider, value, close, goOn = close }: Props) {
  const [stored, setStored] = useState<KeyInfo | null>(null);
  return (
    <Modal className="dialog dialog--wide" label="Add a key" close={close}>
      <h2>{stored ? `${stored.title} answers from now on` : "Add a key"}</h2>
      <div className="dialog-text">
        {stored ? (
          <p role="status">
            {stored.note || "The key works."} New apps are written by real models now. What you typed is still there.
          </p>
        ) : (
          <KeyForm
            {...(provider ? { start: provider } : {})}
            {...(value ? { value } : {})}
            stored={setStored}
            cancel={close}
          />
        )}
      </div>
      {stored && (
        <div className="dialog-foot">
          <Button look="primary" onClick={goOn}>
            Go on
          </Button>
        </div>
      )}
    </Modal>
  );
}
