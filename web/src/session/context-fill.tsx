// How full the model's window was at the last call, and of what.

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { latestCalls } from "../api/calls";
import { useSession } from "../state/session-context";
import { actionWords, tokens } from "../words";
import { partsOf } from "./context-parts";

export function ContextFill() {
  const session = useSession((one) => one.progress.session_id);
  const made = useSession((one) => one.progress.usage.calls);
  const found = useQuery({
    queryKey: ["calls", session, made],
    queryFn: ({ signal }) => latestCalls(session, 1, signal),
    placeholderData: keepPreviousData,
  });
  const call = found.data?.[0];
  if (!call) return null;
  const parts = partsOf(call.context_parts);
  const sum = parts.reduce((total, part) => total + part.tokens, 0);
  if (sum === 0) return null;
  return (
    <section className="usage-steps" aria-label="The last call">
      <strong>The last call</strong>
      <p className="quiet">
        {actionWords(call.action)}: about {tokens(sum)} tokens sent
        {call.context_window && `, ${share(sum, call.context_window)} of what ${call.model} can take in`}.
      </p>
      <table className="numeric">
        <thead className="visually-hidden">
          <tr>
            <th>Part</th>
            <th>Tokens</th>
            <th>Share</th>
          </tr>
        </thead>
        <tbody>
          {parts.map((part) => (
            <tr key={part.title}>
              <th scope="row">{part.title}</th>
              <td>{tokens(part.tokens)}</td>
              <td>{share(part.tokens, sum)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function share(part: number, whole: number): string {
  const percent = (100 * part) / whole;
  return percent > 0 && percent < 1 ? "under 1 %" : `${Math.round(percent)} %`;
}
