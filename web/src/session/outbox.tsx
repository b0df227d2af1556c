// Messages on their way to the session. They leave this list when the stream shows them; a failed one can be sent again.

import { createContext, useCallback, useContext, useMemo, useState, type ReactNode } from "react";
import { asProblem, type Problem } from "../api/client";
import { postMessage } from "../api/messages";
import { newId } from "../state/ids";
import { maskedPrompts, type Masked } from "../state/masked";
import { useSession } from "../state/session-context";

export interface Outgoing {
  id: string;
  text: string;
  interrupt: boolean;
  images: string[];
  problem: Problem | null;
}

interface Outbox {
  waiting: Outgoing[];
  masked: Masked | null;
  forgetMasked: () => void;
  send: (text: string, options?: { interrupt?: boolean; images?: string[] }) => void;
  retry: (id: string) => void;
  drop: (id: string) => void;
}

const OutboxContext = createContext<Outbox | null>(null);

export function OutboxProvider({ children }: { children: ReactNode }) {
  const session = useSession((one) => one.progress.session_id);
  const conversation = useSession((one) => one.conversation);
  const [outgoing, setOutgoing] = useState<Outgoing[]>([]);
  const [masked, setMasked] = useState<Masked | null>(() => maskedPrompts.get(session) ?? null);

  const arrived = useMemo(() => new Set(conversation.map((message) => message.id)), [conversation]);
  const waiting = useMemo(() => outgoing.filter((message) => !arrived.has(message.id)), [outgoing, arrived]);

  const post = useCallback(
    (message: Outgoing) => {
      const { id, text, interrupt, images } = message;
      postMessage(session, { id, text, interrupt, image_ids: images }).then(
        (accepted) => {
          if (accepted.masked?.length) setMasked({ found: accepted.masked, text });
        },
        (error: unknown) => {
          const problem = asProblem(error);
          setOutgoing((list) => list.map((one) => (one.id === id ? { ...one, problem } : one)));
        },
      );
    },
    [session],
  );

  const send = useCallback<Outbox["send"]>(
    (text, { interrupt = false, images = [] } = {}) => {
      const message = { id: newId(), text, interrupt, images, problem: null };
      setOutgoing((list) => [...list, message]);
      post(message);
    },
    [post],
  );

  const retry = useCallback(
    (id: string) => {
      const message = waiting.find((one) => one.id === id);
      if (!message) return;
      // The same id: sending again what did arrive changes nothing.
      setOutgoing((list) => list.map((one) => (one.id === id ? { ...one, problem: null } : one)));
      post(message);
    },
    [post, waiting],
  );

  const drop = useCallback((id: string) => setOutgoing((list) => list.filter((one) => one.id !== id)), []);
  const forgetMasked = useCallback(() => {
    maskedPrompts.delete(session);
    setMasked(null);
  }, [session]);

  const outbox = useMemo(
    () => ({ waiting, masked, forgetMasked, send, retry, drop }),
    [waiting, masked, forgetMasked, send, retry, drop],
  );
  return <OutboxContext.Provider value={outbox}>{children}</OutboxContext.Provider>;
}

export function useOutbox(): Outbox {
  const outbox = useContext(OutboxContext);
  if (!outbox) throw new Error("a part of the session page stands outside its outbox");
  return outbox;
}
