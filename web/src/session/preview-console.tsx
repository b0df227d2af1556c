// What the app says while it runs: the console of the page in the frame, what went wrong in pages, the server's log.

import { useQuery } from "@tanstack/react-query";
import { MessageSquarePlus, Trash2, X } from "lucide-react";
import { Tabs } from "radix-ui";
import { useLayoutEffect, useRef } from "react";
import { previewLogs } from "../api/previews";
import { useSession } from "../state/session-context";
import { IconButton, ProblemNote } from "../ui/parts";
import { sourceWords } from "../words";
import { useDraft } from "./draft";
import type { ConsoleLine } from "./frame-talk";

const POLL_MS = 3_000;

interface PreviewConsoleProps {
  lines: ConsoleLine[];
  clear: () => void;
  close: () => void;
}

export default function PreviewConsole({ lines, clear, close }: PreviewConsoleProps) {
  const id = useSession((session) => session.progress.session_id);
  const logs = useQuery({
    queryKey: ["preview-logs", id],
    queryFn: ({ signal }) => previewLogs(id, signal),
    refetchInterval: POLL_MS,
  });
  const { insert } = useDraft();
  const issues = logs.data?.issues ?? [];
  const ask = (text: string) => {
    insert(`The running app says:\n\`\`\`\n${text}\n\`\`\``);
    document.getElementById("message")?.focus();
  };
  return (
    <Tabs.Root className="console" defaultValue="page" aria-label="Console">
      <div className="bar">
        <Tabs.List className="console-tabs" aria-label="Console">
          <Tabs.Trigger value="page">Console</Tabs.Trigger>
          <Tabs.Trigger value="issues">Found{issues.length > 0 && ` (${issues.length})`}</Tabs.Trigger>
          <Tabs.Trigger value="server">Server log</Tabs.Trigger>
        </Tabs.List>
        <IconButton small label="Clear the console" onClick={clear}>
          <Trash2 size={14} aria-hidden />
        </IconButton>
        <IconButton small label="Close the console" onClick={close}>
          <X size={15} aria-hidden />
        </IconButton>
      </div>
      <Tabs.Content value="page" className="console-lines">
        <End of={lines.length} />
        {lines.length === 0 && <p className="quiet">What the app writes to its console appears here.</p>}
        <ol>
          {lines.map((line) => (
            <li key={line.id} data-level={line.level}>
              <pre>{line.text}</pre>
              {line.level === "error" && <AskButton ask={() => ask(line.text)} />}
            </li>
          ))}
        </ol>
      </Tabs.Content>
      <Tabs.Content value="issues" className="console-lines">
        {logs.error && <ProblemNote error={logs.error} />}
        {issues.length === 0 && !logs.error && <p className="quiet">Nothing went wrong in the pages that were looked at.</p>}
        <ol>
          {issues.map((issue, index) => (
            <li key={index} data-level={issue.severity === "error" ? "error" : "warn"}>
              <pre>
                {sourceWords[issue.source] ?? issue.source}: {issue.message}
                {issue.count > 1 && ` (${issue.count} times)`}
              </pre>
              <AskButton ask={() => ask(issue.message)} />
            </li>
          ))}
        </ol>
      </Tabs.Content>
      <Tabs.Content value="server" className="console-lines">
        <End of={logs.data?.server.length ?? 0} />
        {logs.error && <ProblemNote error={logs.error} />}
        {logs.data?.server.length === 0 && <p className="quiet">The server has said nothing yet.</p>}
        <pre>{logs.data?.server.join("\n")}</pre>
      </Tabs.Content>
    </Tabs.Root>
  );
}

function AskButton({ ask }: { ask: () => void }) {
  return (
    <IconButton small label="Put this into the message" onClick={ask}>
      <MessageSquarePlus size={14} aria-hidden />
    </IconButton>
  );
}

/** Keeps the end in view as lines come. */
function End({ of }: { of: number }) {
  const here = useRef<HTMLSpanElement>(null);
  useLayoutEffect(() => {
    const box = here.current?.parentElement;
    if (box) box.scrollTop = box.scrollHeight;
  }, [of]);
  return <span ref={here} hidden />;
}
