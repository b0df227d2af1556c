export interface Match {
  line: number;
  before: string;
  hit: string;
  after: string;
}

const MARGIN = 40;

/** Where `query` stands in `text`, at most `limit` times, without regard to case; one match a line. */
export function findMatches(text: string, query: string, limit: number): Match[] {
  const matches: Match[] = [];
  if (query === "") return matches;
  const needle = query.toLowerCase();
  const lines = text.split("\n");
  for (const [index, line] of lines.entries()) {
    if (matches.length >= limit) break;
    const at = line.toLowerCase().indexOf(needle);
    if (at < 0) continue;
    const start = Math.max(0, at - MARGIN);
    matches.push({
      line: index + 1,
      before: (start > 0 ? "…" : "") + line.slice(start, at).trimStart(),
      hit: line.slice(at, at + needle.length),
      after: line.slice(at + needle.length, at + needle.length + 2 * MARGIN),
    });
  }
  return matches;
}
