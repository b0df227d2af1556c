// What the last checks found, what to do about it, and what the sandbox's commands said.

import { CircleAlert, CircleCheck, ChevronRight, Info, ShieldQuestion, TriangleAlert, Wrench } from "lucide-react";
import { useMemo, useState } from "react";
import type { Issue } from "../api/types";
import type { Command } from "../state/picture";
import { lastChecks } from "../state/selectors";
import { useSession } from "../state/session-context";
import { Button, Empty, Pill } from "../ui/parts";
import { plural, sourcesWords, sourceWords, type Tone } from "../words";
import { useMaySay } from "./access";
import { useOutbox } from "./outbox";
import { fixAll, fixOne } from "./problem-text";
import { useView } from "./view";

const icons = { error: CircleAlert, warning: TriangleAlert, info: Info };

export function ProblemsPanel() {
  const phases = useSession((session) => session.progress.phases);
  const commands = useSession((session) => session.commands);
  const canSend = useMaySay();
  const { send } = useOutbox();
  const last = useMemo(() => lastChecks(phases), [phases]);
  const groups = useMemo(() => byFile(last?.report.issues ?? []), [last]);

  if (!last) {
    return (
      <>
        <Empty icon={<ShieldQuestion size={26} aria-hidden />} title="Nothing checked yet">
          <p>After each phase the app is type-checked, linted, built and opened in a browser. What that finds is listed here.</p>
        </Empty>
        <Commands commands={commands} />
      </>
    );
  }
  const issues = last.report.issues;
  const errors = issues.filter((issue) => issue.severity === "error");
  return (
    <div className="problems">
      <header className="problems-head">
        <div>
          <h2>
            {errors.length > 0
              ? `${plural(errors.length, "error")} after “${last.phase.plan.name}”`
              : `No errors after “${last.phase.plan.name}”`}
          </h2>
          <p className="quiet">
            {last.report.ran.length > 0
              ? `Checked: ${sourcesWords(last.report.ran)}, in ${last.report.seconds.toFixed(1)} s`
              : "No check came to its end."}
          </p>
        </div>
        {issues.length > 0 && (
          <Button
            look={errors.length > 0 ? "primary" : "framed"}
            disabled={!canSend}
            onClick={() => send(fixAll(errors.length > 0 ? errors : issues))}
          >
            <Wrench size={15} aria-hidden /> Fix all
          </Button>
        )}
      </header>
      {issues.length === 0 ? (
        <Empty icon={<CircleCheck size={26} aria-hidden className="good" />} title="Nothing to fix">
          <p>The last checks found neither errors nor warnings.</p>
        </Empty>
      ) : (
        groups.map(([file, list]) => (
          <section key={file} className="problem-group" aria-label={file || "The whole app"}>
            <h3>{file || "The whole app"}</h3>
            <ul>
              {list.map((issue, index) => (
                <IssueItem key={index} issue={issue} fix={canSend ? () => send(fixOne(issue)) : null} />
              ))}
            </ul>
          </section>
        ))
      )}
      <Commands commands={commands} />
    </div>
  );
}

function IssueItem({ issue, fix }: { issue: Issue; fix: (() => void) | null }) {
  const { openFile } = useView();
  const Icon = icons[issue.severity];
  const file = issue.file;
  return (
    <li className="issue" data-severity={issue.severity}>
      <Icon size={16} aria-hidden />
      <div>
        <p className="issue-text">
          <span className="visually-hidden">{issue.severity}: </span>
          {issue.message}
        </p>
        <p className="issue-meta">
          {file && (
            <button type="button" className="link" onClick={() => openFile(file, issue.line)}>
              {issue.line ? `Line ${issue.line}${issue.column ? `:${issue.column}` : ""}` : "Open the file"}
            </button>
          )}
          <span>
            {sourceWords[issue.source]} · <code>{issue.code}</code>
            {issue.count > 1 && ` · seen ${issue.count} times`}
          </span>
        </p>
      </div>
      <Button small disabled={fix === null} onClick={fix ?? undefined}>
        Fix this
      </Button>
    </li>
  );
}

const weight = (list: Issue[]): number => list.filter((issue) => issue.severity === "error").length;

/** Issues by file, files with errors first; those of no file come first of all. */
function byFile(issues: Issue[]): [string, Issue[]][] {
  const groups = Map.groupBy(issues, (issue) => issue.file ?? "");
  return [...groups].toSorted(([a, left], [b, right]) =>
    a === "" ? -1 : b === "" ? 1 : weight(right) - weight(left) || a.localeCompare(b),
  );
}

const commandTones: Record<Command["status"], Tone> = { running: "work", done: "ok", failed: "bad", refused: "warn" };
const commandWords: Record<Command["status"], string> = {
  running: "Running",
  done: "Done",
  failed: "Failed",
  refused: "Refused",
};

function Commands({ commands }: { commands: Command[] }) {
  return (
    <section className="commands" aria-label="Commands in the sandbox">
      <h3>Commands in the sandbox</h3>
      {commands.length === 0 && (
        <p className="quiet">None so far besides the checks. What is installed or run, and what it says, appears here.</p>
      )}
      <ul>
        {commands.map((command) => (
          <CommandItem key={`${command.operationId} ${command.command}`} command={command} />
        ))}
      </ul>
    </section>
  );
}

function CommandItem({ command }: { command: Command }) {
  const [picked, setPicked] = useState<boolean | null>(null);
  const open = picked ?? command.status === "failed";
  const hasOutput = command.output.trim() !== "";
  return (
    <li>
      <button
        type="button"
        className="command"
        aria-expanded={hasOutput ? open : undefined}
        disabled={!hasOutput}
        onClick={() => setPicked(!open)}
      >
        <ChevronRight size={14} aria-hidden className="tree-arrow" />
        <code>{command.command}</code>
        <Pill tone={commandTones[command.status]} dot={command.status === "running"}>
          {commandWords[command.status]}
        </Pill>
      </button>
      {open && hasOutput && <pre className="command-output">{command.output}</pre>}
    </li>
  );
}
