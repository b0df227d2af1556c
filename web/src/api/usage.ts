// What calls of models amounted to, and what they may cost. Mirrors schemas/analytics.py and schemas/budgets.py.

import { json } from "./client";
import { withMethod } from "./requests";
import type { Money } from "./types";

export interface Percentiles {
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

export interface Tally {
  calls: number;
  succeeded: number;
  failed: number;
  stopped: number;
  running: number;
  success_rate: number | null;
  input_tokens: number;
  cached_tokens: number;
  output_tokens: number;
  reasoning_tokens: number;
  cost_usd: Money;
  own_keys_usd: Money;
  unpriced_calls: number;
  cache_savings_usd: Money;
  duration: Percentiles;
  first_token: Percentiles;
}

export interface Part {
  name: string;
  tally: Tally;
}

export interface GatewayTotals {
  requests: number;
  cached_requests: number;
  failed_requests: number;
  input_tokens: number;
  output_tokens: number;
  cost_usd: Money;
}

export interface Analytics {
  since: string;
  totals: Tally;
  actions: Part[];
  models: Part[];
  providers: Part[];
  days: Part[];
  sessions: Part[];
  users: Part[];
  gateway: GatewayTotals | null;
  gateway_problem: string | null;
}

export interface ErrorPattern {
  code: string;
  provider: string;
  model: string;
  count: number;
  share: number;
  sessions: number;
  actions: string[];
  first_at: string;
  last_at: string;
}

export const budgetKinds = ["session", "day", "month", "total"] as const;
export type BudgetKind = (typeof budgetKinds)[number];

export interface BudgetStatus {
  kind: BudgetKind;
  limit_usd: Money;
  source: "user" | "operator" | "default" | null;
  spent_usd: Money;
  reserved_usd: Money;
  left_usd: Money;
  percent: number | null;
  own_keys_usd: Money;
  unpriced_calls: number;
  resets_at: string | null;
}

export type Limits = Partial<Record<BudgetKind, Money>>;

export interface Budgets {
  user_id: string;
  budgets: BudgetStatus[];
  own_limits: Limits;
  operator_limits: Limits;
  cheaper_near_limit: boolean;
  notices: BudgetNotice[];
}

/** Part of a budget was used up. */
export interface BudgetNotice {
  id: number;
  kind: BudgetKind;
  percent: number;
  limit_usd: Money;
  session_id: string;
  at: string;
}

const user = (id: string) => `/api/users/${encodeURIComponent(id)}/budgets`;

export const getAnalytics = (days: number) => json<Analytics>(`/api/analytics/me?days=${days}`);
export const getErrors = async (days: number) =>
  (await json<{ errors: ErrorPattern[] }>(`/api/analytics/errors?days=${days}`)).errors;

export const getBudgets = () => json<Budgets>("/api/budgets");
export const putBudgets = (change: Limits & { cheaper_near_limit?: boolean }) =>
  json<Budgets>("/api/budgets", withMethod("PUT", change));
export const getBudgetsOf = (id: string) => json<Budgets>(user(id));
export const putBudgetsOf = (id: string, change: Limits) => json<Budgets>(user(id), withMethod("PUT", change));
export const getDefaultBudgets = async () => (await json<{ limits: Limits }>("/api/budgets/defaults")).limits;
export const putDefaultBudgets = async (change: Limits) =>
  (await json<{ limits: Limits }>("/api/budgets/defaults", withMethod("PUT", change))).limits;
