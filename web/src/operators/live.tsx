// Sessions of everybody: for whom, how far, at what cost, and the way to their workflow.

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { ExternalLink } from "lucide-react";
import { useState } from "react";
import { listAllSessions, type ShownToOperators } from "../api/operators";
import { Section } from "../shell/shell";
import { useNow } from "../state/clock";
import { SelectField } from "../ui/forms";
import { Button, Pill, ProblemNote } from "../ui/parts";
import { duration, money, stateTone, stateWords } from "../words";

export function LiveSection() {
  const [show, setShow] = useState<ShownToOperators>("live");
  const now = useNow();
  const sessions = useQuery({
    queryKey: ["operators", "sessions", show],
    queryFn: () => listAllSessions(show),
    refetchInterval: 5_000,
    placeholderData: keepPreviousData,
  });
  const counts = Object.entries(sessions.data?.counts ?? {}) as [keyof typeof stateWords, number][];
  return (
    <Section
      id="live"
      title="Sessions"
      lead={
        sessions.data
          ? counts.map(([state, count]) => `${count} ${stateWords[state].toLowerCase()}`).join(", ") || "None yet."
          : "Counting…"
      }
      tools={
        <SelectField label="Show sessions" bare value={show} onChange={(event) => setShow(event.target.value as ShownToOperators)}>
          <option value="live">At work or waiting</option>
          <option value="failed">Failed</option>
          <option value="all">All</option>
        </SelectField>
      }
    >
      {sessions.error && (
        <ProblemNote error={sessions.error} action={<Button onClick={() => void sessions.refetch()}>Try again</Button>} />
      )}
      {!sessions.data && !sessions.error && <div className="blank" />}
      {sessions.data?.sessions.length === 0 && (
        <p className="nothing">{show === "live" ? "Nobody builds anything right now." : "None."}</p>
      )}
      {sessions.data && sessions.data.sessions.length > 0 && (
        // Scrolled by keyboard, so it can be reached by it.
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <div className="table-box" tabIndex={0} role="region" aria-label="Table of sessions">
          <table className="table">
            <caption className="visually-hidden">Sessions of everybody</caption>
            <thead>
              <tr>
                <th scope="col">App</th>
                <th scope="col">User</th>
                <th scope="col">State</th>
                <th scope="col">For</th>
                <th scope="col" className="number">
                  Cost
                </th>
                <th scope="col">Workflow</th>
              </tr>
            </thead>
            <tbody>
              {sessions.data.sessions.map((one) => (
                <tr key={one.id}>
                  <th scope="row">{one.title}</th>
                  <td>{one.user_email ?? (one.user_name || one.user_id)}</td>
                  <td>
                    <Pill tone={stateTone[one.state]}>{stateWords[one.state]}</Pill>
                    <p className="quiet reason">{one.reason}</p>
                  </td>
                  <td className="number">{duration(now - Date.parse(one.since))}</td>
                  <td className="number">{one.demo ? "demo" : money(one.cost_usd)}</td>
                  <td>
                    {one.temporal_url ? (
                      <a href={one.temporal_url} target="_blank" rel="noreferrer noopener" aria-label={`Open the workflow of ${one.title}`}>
                        Open <ExternalLink size={13} aria-hidden />
                      </a>
                    ) : (
                      <code>{one.id}</code>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  );
}
