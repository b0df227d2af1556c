import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { IconButton } from "./parts";

const SHOWN_MS = 1_500;

/** Copies what `text` gives at the time of the press. */
export function CopyButton({ label, text }: { label: string; text: () => string | null }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [done]);
  return (
    <IconButton
      small
      label={done ? "Copied" : label}
      onClick={() => {
        const value = text();
        if (value !== null) void navigator.clipboard.writeText(value).then(() => setDone(true));
      }}
    >
      {done ? <Check size={15} aria-hidden /> : <Copy size={15} aria-hidden />}
    </IconButton>
  );
}

/** A line to be copied, an address or a command. */
export function CopyLine({ label, text }: { label: string; text: string }) {
  return (
    <div className="copy-line">
      {/* A long line is scrolled, also by keyboard. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <code tabIndex={0}>{text}</code>
      <CopyButton label={label} text={() => text} />
    </div>
  );
}
