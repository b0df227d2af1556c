// Issues as messages to the session.

import type { Issue } from "../api/types";

const MAX_LISTED = 20;

function placeOf(issue: Issue): string {
  if (!issue.file) return "";
  return issue.line ? ` in ${issue.file}, line ${issue.line}` : ` in ${issue.file}`;
}

export function fixOne(issue: Issue): string {
  return `Please fix this problem${placeOf(issue)}: [${issue.code}] ${issue.message}`;
}

export function fixAll(issues: Issue[]): string {
  if (issues.length === 1 && issues[0]) return fixOne(issues[0]);
  const listed = issues.slice(0, MAX_LISTED).map((issue) => `- [${issue.code}]${placeOf(issue)}: ${issue.message}`);
  const more = issues.length > MAX_LISTED ? `\nand ${issues.length - MAX_LISTED} more.` : "";
  return `Please fix these problems:\n${listed.join("\n")}${more}`;
}
