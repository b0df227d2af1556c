// Without a key the demo model answers. Here is what that means, and the one step to change it.

import { FlaskConical, KeyRound } from "lucide-react";
import { lazy, Suspense, useCallback, useState } from "react";
import { Button } from "../ui/parts";

const KeyDialog = lazy(() => import("../models/key-dialog"));

export function DemoNote() {
  const [open, setOpen] = useState(false);
  const close = useCallback(() => setOpen(false), []);
  return (
    <aside className="demo-note" aria-label="Demo">
      <FlaskConical size={18} aria-hidden />
      <p>
        <strong>The demo model answers.</strong> It plays recorded sessions: the examples above and changes to them. For
        your own ideas, add a key of a model provider; what you have typed stays.
      </p>
      <Button look="primary" onClick={() => setOpen(true)}>
        <KeyRound size={15} aria-hidden /> Add a key
      </Button>
      {open && (
        <Suspense>
          <KeyDialog close={close} />
        </Suspense>
      )}
    </aside>
  );
}
