// The demo model cannot build this: a key, and the prompt goes to a model that can.

import { KeyRound } from "lucide-react";
import { lazy, Suspense, useCallback, useState } from "react";
import { useLocation } from "wouter";
import { keepForStart } from "../home/draft";
import { useSession } from "../state/session-context";
import { Button } from "../ui/parts";

const KeyDialog = lazy(() => import("../models/key-dialog"));

export function FromDemoToModel() {
  const prompt = useSession((session) => session.progress.prompt);
  const images = useSession((session) => session.progress.images);
  const [, navigate] = useLocation();
  const [adding, setAdding] = useState(false);
  const close = useCallback(() => setAdding(false), []);
  const startAnew = useCallback(() => {
    keepForStart(prompt, images ?? []);
    navigate("/");
  }, [prompt, images, navigate]);
  return (
    <p className="ways-out">
      <Button small look="primary" onClick={() => setAdding(true)}>
        <KeyRound size={14} aria-hidden /> Add a key
      </Button>
      <Button small onClick={startAnew}>
        Take the prompt to the start page
      </Button>
      {adding && (
        <Suspense>
          <KeyDialog close={close} goOn={startAnew} />
        </Suspense>
      )}
    </p>
  );
}
