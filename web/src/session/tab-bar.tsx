import { Code2, Eye, History, ListTree, MessageSquare, TriangleAlert } from "lucide-react";
import { Tabs } from "radix-ui";
import { lastChecks } from "../state/selectors";
import { useSession } from "../state/session-context";

export function TabBar({ narrow }: { narrow: boolean }) {
  const phases = useSession((session) => session.progress.phases);
  const ready = useSession((session) => session.progress.preview.status === "ready");
  const writing = useSession((session) => Object.keys(session.open).length > 0);
  const errors = lastChecks(phases)?.report.issues.filter((issue) => issue.severity === "error").length ?? 0;
  const size = narrow ? 20 : 16;
  return (
    <Tabs.List className="tabs" aria-label="Views of the app">
      {narrow && (
        <Tabs.Trigger className="tab" value="chat">
          <MessageSquare size={size} aria-hidden />
          Chat
        </Tabs.Trigger>
      )}
      <Tabs.Trigger className="tab" value="preview">
        <Eye size={size} aria-hidden />
        Preview
        {ready && <i className="tab-dot tab-dot--ok" aria-hidden />}
      </Tabs.Trigger>
      <Tabs.Trigger className="tab" value="code">
        <Code2 size={size} aria-hidden />
        Code
        {writing && <i className="tab-dot tab-dot--work" aria-hidden />}
      </Tabs.Trigger>
      <Tabs.Trigger className="tab" value="plan">
        <ListTree size={size} aria-hidden />
        Plan
      </Tabs.Trigger>
      <Tabs.Trigger className="tab" value="problems">
        <TriangleAlert size={size} aria-hidden />
        Problems
        {errors > 0 && <span className="tab-count">{errors}</span>}
      </Tabs.Trigger>
      <Tabs.Trigger className="tab" value="history">
        <History size={size} aria-hidden />
        History
      </Tabs.Trigger>
    </Tabs.List>
  );
}
