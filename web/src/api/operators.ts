// What operators see and change. Mirrors schemas/overview.py and the users and audit log of schemas/accounts.py.

import { json } from "./client";
import type { Role } from "./account";
import { withMethod } from "./requests";
import type { Mode, Money, StateName } from "./types";

export interface OperatorSession {
  id: string;
  title: string;
  user_id: string;
  user_name: string;
  user_email: string | null;
  mode: Mode;
  demo: boolean;
  state: StateName;
  reason: string;
  since: string;
  cost_usd: Money;
  updated_at: string;
  temporal_url: string | null;
}

export interface Breaker {
  key: string;
  state: "closed" | "open" | "half_open";
  failures: number;
  last_error: string | null;
  opened_at: string | null;
  retry_at: string | null;
}

export interface ProviderHealth {
  id: string;
  title: string;
  platform: boolean;
  status: "well" | "failing" | "resting" | "quiet";
  calls: number;
  failed: number;
  first_token_seconds: number | null;
  errors: { code: string; count: number }[];
  breakers: Breaker[];
}

export interface UserInfo {
  id: string;
  email: string | null;
  name: string;
  role: Role;
  disabled: boolean;
  created_at: string;
}

export interface AuditEntry {
  id: number;
  at: string;
  act: string;
  outcome: "done" | "refused";
  actor: string | null;
  subject: string | null;
  address: string;
  request_id: string;
  detail: Record<string, unknown>;
}

export type ShownToOperators = "live" | "failed" | "all";

export const listAllSessions = (show: ShownToOperators) =>
  json<{ sessions: OperatorSession[]; counts: Partial<Record<StateName, number>> }>(`/api/operator/sessions?show=${show}`);
export const listProviderHealth = (hours: number) =>
  json<{ hours: number; providers: ProviderHealth[] }>(`/api/operator/providers?hours=${hours}`);
export const listUsers = (after?: string) =>
  json<{ users: UserInfo[]; next: string | null }>(`/api/users${after ? `?after=${encodeURIComponent(after)}` : ""}`);
export const changeUser = (id: string, change: { role?: Role; disabled?: boolean }) =>
  json<UserInfo>(`/api/users/${encodeURIComponent(id)}`, withMethod("PATCH", change));
export const listAudit = (before?: number) =>
  json<{ entries: AuditEntry[]; next: number | null }>(`/api/audit?limit=50${before ? `&before=${before}` : ""}`);
