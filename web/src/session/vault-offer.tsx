// A better place for a key that was found in a text or a file: under one's own keys, where nobody sees it.

import { KeyRound } from "lucide-react";
import { lazy, Suspense, useCallback, useState } from "react";
import type { MaskedSecret } from "../api/types";
import { Button } from "../ui/parts";
import { useRights } from "./access";
import { keyIn } from "./key-in";

const KeyDialog = lazy(() => import("../models/key-dialog"));

/** Offers to store the first key of a model provider. `typed` is what held it, where this page still has it. */
export function VaultOffer({ found, typed = "" }: { found: readonly MaskedSecret[]; typed?: string }) {
  const [open, setOpen] = useState(false);
  const close = useCallback(() => setOpen(false), []);
  const { may } = useRights();
  const key = found.find((one) => one.provider);
  if (!key?.provider || !may("comment")) return null;
  return (
    <>
      <Button small onClick={() => setOpen(true)}>
        <KeyRound size={14} aria-hidden /> Store it under your keys
      </Button>
      {open && (
        <Suspense>
          <KeyDialog provider={key.provider} value={keyIn(typed, key.hint)} close={close} />
        </Suspense>
      )}
    </>
  );
}
