// The session of the page, shared with its parts. Each part selects what it shows and renders only when that changes.

import { createContext, useContext, useSyncExternalStore, type ReactNode } from "react";
import type { Session } from "./picture";
import type { Connection, SessionStream } from "./stream";

const StreamContext = createContext<SessionStream | null>(null);

export function SessionProvider({ stream, children }: { stream: SessionStream; children: ReactNode }) {
  return <StreamContext.Provider value={stream}>{children}</StreamContext.Provider>;
}

function useStream(): SessionStream {
  const stream = useContext(StreamContext);
  if (!stream) throw new Error("a session component stands outside its provider");
  return stream;
}

/** `select` must return a value that is the same while nothing it shows has changed. */
export function useSession<T>(select: (session: Session) => T): T {
  const stream = useStream();
  return useSyncExternalStore(stream.subscribe, () => {
    const { session } = stream.getState();
    if (!session) throw new Error("a session component is shown before the snapshot");
    return select(session);
  });
}

export function useConnection(): Connection {
  const stream = useStream();
  return useSyncExternalStore(stream.subscribe, () => stream.getState().connection);
}

export const useReopen = (): (() => void) => useStream().reopen;
