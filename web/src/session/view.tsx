// What the user looks at: tab, file, line. Kept in the address, so that a reload and a shared link show the same.

import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { liveTab, type TabName } from "../state/selectors";
import { useSession } from "../state/session-context";

export type ViewTab = TabName | "chat";
export type Sheet = "publish" | "share" | "github";

interface Place {
  path: string;
  line: number | null;
}

interface View {
  tab: ViewTab;
  setTab: (tab: ViewTab) => void;
  /** Stay on this tab also when the work moves on. */
  hold: () => void;
  /** The file picked by the user; null follows the file being written. */
  place: Place | null;
  openFile: (path: string, line?: number | null) => void;
  follow: () => void;
  /** The dialog that lies above everything. */
  sheet: Sheet | null;
  setSheet: (sheet: Sheet | null) => void;
}

const ViewContext = createContext<View | null>(null);
const TABS: ReadonlySet<string> = new Set(["preview", "code", "plan", "problems", "history", "chat"]);

export function ViewProvider({ narrow, children }: { narrow: boolean; children: ReactNode }) {
  const [picked, setPicked] = useState<ViewTab | null>(() => {
    const tab = new URLSearchParams(window.location.search).get("tab");
    return tab && TABS.has(tab) ? (tab as ViewTab) : null;
  });
  const [place, setPlace] = useState<Place | null>(() => {
    const path = new URLSearchParams(window.location.search).get("file");
    return path ? { path, line: null } : null;
  });
  const [sheet, setSheet] = useState<Sheet | null>(null);
  const live = useSession(liveTab);
  const tab = picked === null || (picked === "chat" && !narrow) ? live : picked;

  useEffect(() => {
    const query = new URLSearchParams();
    if (picked) query.set("tab", picked);
    if (place) query.set("file", place.path);
    const search = query.toString();
    window.history.replaceState(window.history.state, "", window.location.pathname + (search ? `?${search}` : ""));
  }, [picked, place]);

  const openFile = useCallback((path: string, line: number | null = null) => {
    setPicked("code");
    setPlace({ path, line });
  }, []);
  const follow = useCallback(() => setPlace(null), []);
  const view = useMemo(
    () => ({ tab, setTab: setPicked, hold: () => setPicked(tab), place, openFile, follow, sheet, setSheet }),
    [tab, place, openFile, follow, sheet],
  );
  return <ViewContext.Provider value={view}>{children}</ViewContext.Provider>;
}

export function useView(): View {
  const view = useContext(ViewContext);
  if (!view) throw new Error("a part of the session page stands outside its view");
  return view;
}
