// What a session may cost: every budget that bounds it, its own first.

import { json, post, sessionUrl } from "./client";

export interface SessionBudget {
  budgets: {
    kind: "session" | "day" | "month" | "total";
    limit_usd: string | null;
    spent_usd: string;
    left_usd: string | null;
    percent: number | null;
  }[];
}

export const getSessionBudget = (id: string, signal: AbortSignal) =>
  json<SessionBudget>(`${sessionUrl(id)}/budget`, { signal });

/** Null takes the session's own limit away. */
export const setSessionBudget = (id: string, limit: string | null) =>
  json<SessionBudget>(`${sessionUrl(id)}/budget`, { ...post({ limit_usd: limit }), method: "PUT" });
