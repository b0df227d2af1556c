// A secret that the service tells this one time.

import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { Button } from "../ui/parts";

/** `what` names it: "key" makes "The new key" and "Copy the key". */
export function ShownOnce({ what, value, close }: { what: string; value: string; close: () => void }) {
  const [copied, setCopied] = useState(false);
  return (
    <div className="made-key" role="status" aria-label={`The new ${what}`}>
      <p>
        <strong>Copy the {what} now: it is shown only this once.</strong>
      </p>
      <code>{value}</code>
      <div className="form-foot">
        <Button
          look="primary"
          onClick={() => {
            void navigator.clipboard.writeText(value).then(() => setCopied(true));
          }}
        >
          {copied ? <Check size={15} aria-hidden /> : <Copy size={15} aria-hidden />} {copied ? "Copied" : `Copy the ${what}`}
        </Button>
        <Button onClick={close}>I have it</Button>
      </div>
    </div>
  );
}
