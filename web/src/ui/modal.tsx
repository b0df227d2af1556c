// The browser's own dialog: it keeps the focus, closes on Escape and gives the focus back.

import { useLayoutEffect, useRef, type ReactNode } from "react";

interface ModalProps {
  label: string;
  className: string;
  close: () => void;
  children: ReactNode;
}

/** Open for as long as it is rendered; a press beside it or Escape asks to close it. What has `data-first` gets the focus. */
export function Modal({ label, className, close, children }: ModalProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const box = dialog.current;
    if (!box) return undefined;
    box.showModal();
    const first = box.querySelector<HTMLElement>("[data-first]");
    if (first) first.focus();
    // On a button with a tooltip the first Escape would close that alone.
    else if (document.activeElement?.closest(".sheet-close")) box.focus();
    // A press on the dialog itself, not on what it holds, is one beside the box.
    const onPress = (event: MouseEvent) => event.target === box && close();
    box.addEventListener("click", onPress);
    return () => {
      box.removeEventListener("click", onPress);
      box.close();
    };
  }, [close]);
  return (
    <dialog ref={dialog} tabIndex={-1} className={className} aria-label={label} onCancel={close}>
      {children}
    </dialog>
  );
}
