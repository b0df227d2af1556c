// Who did what that matters for safety: newest first.

import { useInfiniteQuery } from "@tanstack/react-query";
import { listAudit } from "../api/operators";
import { Section } from "../shell/shell";
import { Button, Pill, ProblemNote } from "../ui/parts";
import { actionWords } from "../words";

export function AuditSection() {
  const audit = useInfiniteQuery({
    queryKey: ["operators", "audit"],
    queryFn: ({ pageParam }) => listAudit(pageParam),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
  });
  const entries = audit.data?.pages.flatMap((page) => page.entries);
  return (
    <Section id="audit" title="Audit log" lead="Sign-ins, keys, roles, shares: who, when, from where, with what outcome.">
      {audit.error && <ProblemNote error={audit.error} action={<Button onClick={() => void audit.refetch()}>Try again</Button>} />}
      {!entries && !audit.error && <div className="blank" />}
      {entries?.length === 0 && <p className="nothing">Nothing has happened yet.</p>}
      {entries && entries.length > 0 && (
        // Scrolled by keyboard, so it can be reached by it.
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <div className="table-box table-box--tall" tabIndex={0} role="region" aria-label="Table of acts">
          <table className="table">
            <caption className="visually-hidden">Security-relevant acts</caption>
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">Act</th>
                <th scope="col">By</th>
                <th scope="col">About</th>
                <th scope="col">From</th>
              </tr>
            </thead>
            <tbody>
              {entries.map((entry) => (
                <tr key={entry.id}>
                  <td className="when">
                    <time dateTime={entry.at}>
                      {new Date(entry.at).toLocaleString("en", { dateStyle: "medium", timeStyle: "medium" })}
                    </time>
                  </td>
                  <th scope="row">
                    {actionWords(entry.act)} {entry.outcome === "refused" && <Pill tone="bad">Refused</Pill>}
                  </th>
                  <td>{entry.actor ?? "nobody signed in"}</td>
                  <td>{entry.subject ?? Object.values(entry.detail).join(", ")}</td>
                  <td>{entry.address}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {audit.hasNextPage && (
        <Button disabled={audit.isFetchingNextPage} onClick={() => void audit.fetchNextPage()}>
          Show older
        </Button>
      )}
    </Section>
  );
}
