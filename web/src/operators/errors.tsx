// What calls of models failed with, by kind and place, over all users.

import { useQuery } from "@tanstack/react-query";
import { getErrors } from "../api/usage";
import { Section } from "../shell/shell";
import { useNow } from "../state/clock";
import { Button, ProblemNote } from "../ui/parts";
import { actionWords, ago } from "../words";

const DAYS = 7;

export function ErrorsSection() {
  const now = useNow();
  const errors = useQuery({ queryKey: ["operators", "errors"], queryFn: () => getErrors(DAYS), refetchInterval: 30_000 });
  return (
    <Section id="errors" title="Failed calls" lead="Of the last seven days, the most frequent first.">
      {errors.error && <ProblemNote error={errors.error} action={<Button onClick={() => void errors.refetch()}>Try again</Button>} />}
      {!errors.data && !errors.error && <div className="blank" />}
      {errors.data?.length === 0 && <p className="nothing">No call failed.</p>}
      {errors.data && errors.data.length > 0 && (
        // Scrolled by keyboard, so it can be reached by it.
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <div className="table-box table-box--tall" tabIndex={0} role="region" aria-label="Table of failures">
          <table className="table">
            <caption className="visually-hidden">Failures by kind and place</caption>
            <thead>
              <tr>
                <th scope="col">What</th>
                <th scope="col">Where</th>
                <th scope="col" className="number">
                  Times
                </th>
                <th scope="col" className="number">
                  Of all
                </th>
                <th scope="col" className="number">
                  Apps
                </th>
                <th scope="col">Actions</th>
                <th scope="col">Last</th>
              </tr>
            </thead>
            <tbody>
              {errors.data.map((one) => (
                <tr key={`${one.code} ${one.provider} ${one.model}`}>
                  <th scope="row">{actionWords(one.code)}</th>
                  <td>
                    {one.provider}
                    <br />
                    <code className="quiet">{one.model}</code>
                  </td>
                  <td className="number">{one.count}</td>
                  <td className="number">{(one.share * 100).toFixed(0)} %</td>
                  <td className="number">{one.sessions}</td>
                  <td>{one.actions.map(actionWords).join(", ")}</td>
                  <td className="when">{ago(one.last_at, now)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  );
}
