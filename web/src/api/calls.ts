// The latest calls of models of a session. Mirrors schemas/analytics.py.

import { json, sessionUrl } from "./client";
import type { Money } from "./types";

export interface CallInfo {
  operation_id: string;
  action: string;
  model: string;
  outcome: string;
  started_at: string;
  input_tokens: number;
  cached_tokens: number;
  output_tokens: number;
  cost_usd: Money;
  context_window: number | null;
  /** Estimated tokens by part. */
  context_parts: Record<string, number>;
}

export const latestCalls = async (session: string, limit: number, signal: AbortSignal) =>
  (await json<{ calls: CallInfo[] }>(`${sessionUrl(session)}/calls?limit=${limit}`, { signal })).calls;
