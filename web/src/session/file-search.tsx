// Search across the files of the project, in the browser: each stored version is fetched once.

import { useQueries } from "@tanstack/react-query";
import { useDeferredValue, useMemo } from "react";
import { useSession } from "../state/session-context";
import { ProblemNote } from "../ui/parts";
import { plural } from "../words";
import { fileQuery } from "./file-text";
import { findMatches } from "./search-text";

const MAX_FILES = 300;
const MAX_BYTES = 500_000;
const PER_FILE = 20;
const MAX_SHOWN = 200;

export function FileSearch({ query, pick }: { query: string; pick: (path: string, line?: number) => void }) {
  const id = useSession((session) => session.progress.session_id);
  const files = useSession((session) => session.progress.files);
  const needle = useDeferredValue(query);
  const searched = useMemo(() => files.filter((file) => file.size <= MAX_BYTES).slice(0, MAX_FILES), [files]);
  const texts = useQueries({
    queries: searched.map((file) => fileQuery(id, file)),
    combine: (results) => ({
      data: results.map((result) => result.data),
      loading: results.some((result) => result.isPending),
      error: results.find((result) => result.error)?.error ?? null,
    }),
  });

  const found = useMemo(() => {
    let left = MAX_SHOWN;
    const results = [];
    for (const [index, file] of searched.entries()) {
      if (left <= 0) break;
      const matches = findMatches(texts.data[index] ?? "", needle, Math.min(PER_FILE, left));
      const named = file.path.toLowerCase().includes(needle.toLowerCase());
      if (matches.length === 0 && !named) continue;
      left -= matches.length;
      results.push({ path: file.path, matches });
    }
    return results;
  }, [searched, texts.data, needle]);

  const total = found.reduce((sum, one) => sum + one.matches.length, 0);
  return (
    <div className="found">
      <p role="status" className="quiet found-count">
        {texts.loading
          ? "Searching"
          : found.length === 0
            ? `Nothing found for “${query}”.`
            : `${plural(total, "line")} in ${plural(found.length, "file")}${total >= MAX_SHOWN ? ", the first ones" : ""}`}
      </p>
      {texts.error && <ProblemNote error={texts.error} />}
      <ul>
        {found.map(({ path, matches }) => (
          <li key={path}>
            <button type="button" className="found-file" onClick={() => pick(path)} title={path}>
              {path}
            </button>
            <ul>
              {matches.map((match) => (
                <li key={match.line}>
                  <button type="button" className="found-line" onClick={() => pick(path, match.line)}>
                    <span className="quiet numeric">{match.line}</span>
                    <code>
                      {match.before}
                      <mark>{match.hit}</mark>
                      {match.after}
                    </code>
                  </button>
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
    </div>
  );
}
