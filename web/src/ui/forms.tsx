// Fields of forms: each with its label, what it is for, and what is wrong with it, tied together for screen readers.

import { LoaderCircle } from "lucide-react";
import { useId, useState, type ComponentProps, type ReactNode } from "react";
import { Modal } from "./modal";
import { Button, ProblemNote } from "./parts";
import "./forms.css";

interface FieldProps {
  label: string;
  hint?: ReactNode;
  error?: string | null;
  /** The label is read out but not shown. */
  bare?: boolean;
}

interface Ties {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": boolean | undefined;
}

export function Field({ label, hint, error, bare, children }: FieldProps & { children: (ties: Ties) => ReactNode }) {
  const id = useId();
  const told = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div className="field">
      <label htmlFor={id} className={bare ? "visually-hidden" : undefined}>
        {label}
      </label>
      {children({ id, "aria-describedby": told || undefined, "aria-invalid": error ? true : undefined })}
      {hint && (
        <p id={`${id}-hint`} className="field-hint">
          {hint}
        </p>
      )}
      {error && (
        <p id={`${id}-error`} className="field-error">
          {error}
        </p>
      )}
    </div>
  );
}

export function TextField({ label, hint, error, bare, ...rest }: FieldProps & ComponentProps<"input">) {
  return (
    <Field label={label} hint={hint} error={error} bare={bare}>
      {(ties) => <input className="input" type="text" {...ties} {...rest} />}
    </Field>
  );
}

export function SelectField({ label, hint, error, bare, children, ...rest }: FieldProps & ComponentProps<"select">) {
  return (
    <Field label={label} hint={hint} error={error} bare={bare}>
      {(ties) => (
        <select className="input" {...ties} {...rest}>
          {children}
        </select>
      )}
    </Field>
  );
}

export function CheckField({ label, hint, ...rest }: FieldProps & ComponentProps<"input">) {
  const id = useId();
  return (
    <div className="check">
      <input type="checkbox" id={id} aria-describedby={hint ? `${id}-hint` : undefined} {...rest} />
      <label htmlFor={id}>
        {label}
        {hint && (
          <span id={`${id}-hint`} className="field-hint">
            {hint}
          </span>
        )}
      </label>
    </div>
  );
}

/** A button that shows that it is at work, and cannot be pressed twice. */
export function BusyButton({ busy, disabled, children, ...rest }: ComponentProps<typeof Button> & { busy: boolean }) {
  return (
    <Button disabled={busy || disabled} {...rest}>
      {busy && <LoaderCircle size={15} className="spin" aria-hidden />}
      {children}
    </Button>
  );
}

interface ConfirmProps {
  /** What the button says, here and in the dialog. */
  action: string;
  title: string;
  children: ReactNode;
  run: () => Promise<unknown>;
  small?: boolean;
  look?: "framed" | "plain";
  label?: string;
  icon?: ReactNode;
}

/** A button for what cannot be taken back: it says what will happen and asks once. */
export function ConfirmButton({ action, title, children, run, small = true, look = "framed", label, icon }: ConfirmProps) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button small={small} look={look} aria-label={label} onClick={() => setOpen(true)}>
        {icon}
        {action}
      </Button>
      {open && (
        <ConfirmDialog action={action} title={title} run={run} close={() => setOpen(false)}>
          {children}
        </ConfirmDialog>
      )}
    </>
  );
}

interface DialogProps {
  action: string;
  title: string;
  children: ReactNode;
  run: () => Promise<unknown>;
  close: () => void;
}

export function ConfirmDialog({ action, title, children, run, close }: DialogProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const confirm = async () => {
    setBusy(true);
    setError(null);
    try {
      await run();
      close();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <Modal className="dialog" label={title} close={close}>
      <h2>{title}</h2>
      <div className="dialog-text">{children}</div>
      {error ? <ProblemNote error={error} /> : null}
      <div className="dialog-foot">
        <Button onClick={close}>Keep it</Button>
        <BusyButton look="primary" className="button--danger" busy={busy} onClick={() => void confirm()}>
          {action}
        </BusyButton>
      </div>
    </Modal>
  );
}
