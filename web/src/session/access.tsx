// What the person at this page may do with the session. The service decides; the page leaves out what would be refused,
// and says why.

import { useQuery } from "@tanstack/react-query";
import { Users } from "lucide-react";
import { createContext, useContext, useMemo, type ReactNode } from "react";
import { getAccess, type Access } from "../api/sharing";
import { useSession } from "../state/session-context";
import { Tooltip } from "../ui/parts";

interface Rights {
  access: Access;
  owner: string;
  may: (need: Access) => boolean;
}

const order: readonly Access[] = ["view", "comment", "edit", "own"];
const RightsContext = createContext<Rights | null>(null);

export function AccessProvider({ children }: { children: ReactNode }) {
  const session = useSession((one) => one.progress.session_id);
  // Asked again when the window comes back, and when something was refused.
  const asked = useQuery({ queryKey: ["access", session], queryFn: ({ signal }) => getAccess(session, signal) });
  // Nearly every session is one's own: until the answer comes nothing is left out.
  const { access, owner } = asked.data ?? { access: "own" as const, owner: "" };
  const rights = useMemo(
    () => ({ access, owner, may: (need: Access) => order.indexOf(access) >= order.indexOf(need) }),
    [access, owner],
  );
  return <RightsContext.Provider value={rights}>{children}</RightsContext.Provider>;
}

export function useRights(): Rights {
  const rights = useContext(RightsContext);
  if (!rights) throw new Error("a part of the session page stands outside its access");
  return rights;
}

/** Whether a message would be taken now, and from this person. */
export function useMaySay(): boolean {
  const open = useSession((session) => session.progress.state.can.includes("message"));
  return useRights().may("comment") && open;
}

const words: Record<Exclude<Access, "own">, { name: string; text: string }> = {
  view: { name: "Looking on", text: "You may watch, read the code and take it home. To say or change something, ask for more." },
  comment: {
    name: "May write",
    text: "You may watch and write messages. To stop it, edit files or go back to a version, ask for the right to change it.",
  },
  edit: { name: "May change", text: "You may steer and change it. Sharing, publishing, its budget and deleting stay with its owner." },
};

/** Says on somebody else's session what one may do with it. */
export function AccessBadge() {
  const { access, owner } = useRights();
  if (access === "own") return null;
  const { name, text } = words[access];
  return (
    <Tooltip text={`A session of ${owner || "somebody else"}. ${text}`}>
      <button type="button" className="pill pill--info pill--button" aria-label={`${name}: a session of ${owner || "somebody else"}`}>
        <Users size={13} aria-hidden /> {name}
      </button>
    </Tooltip>
  );
}

/** Stands where something is left out; `what` completes "may not ...". */
export function Withheld({ what }: { what: string }) {
  const { owner } = useRights();
  return (
    <p className="withheld quiet">
      {owner || "Its owner"} shared this session with you without the right to {what}.
    </p>
  );
}
