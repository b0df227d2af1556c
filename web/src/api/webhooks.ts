// Addresses of programs that are told what happens. Mirrors schemas/webhooks.py.

import { json, post } from "./client";
import { done, withMethod } from "./requests";

export interface Webhook {
  id: string;
  url: string;
  events: string[];
  enabled: boolean;
  failing_since: string | null;
  disabled_reason: string;
}

export interface WebhookDelivery {
  id: string;
  event: string;
  session_id: string | null;
  created_at: string;
  tries: number;
  next_at: string | null;
  status: "waiting" | "delivered" | "given_up";
  answer_status: number | null;
  error: string;
}

const at = (id: string) => `/api/webhooks/${encodeURIComponent(id)}`;

export const listWebhooks = async () => (await json<{ webhooks: Webhook[] }>("/api/webhooks")).webhooks;
/** The secret signs what is sent and is told this once. */
export const createWebhook = (url: string, events: string[]) =>
  json<{ secret: string; webhook: Webhook }>("/api/webhooks", post({ url, events }));
export const changeWebhook = (id: string, events: string[]) => json<Webhook>(at(id), withMethod("PATCH", { events }));
export const listDeliveries = async (id: string) =>
  (await json<{ deliveries: WebhookDelivery[] }>(`${at(id)}/deliveries?limit=20`)).deliveries;
export const enableWebhook = (id: string) => json<Webhook>(at(id), withMethod("PATCH", { enabled: true }));
export const deleteWebhook = (id: string) => done(at(id), withMethod("DELETE"));
export const tryWebhook = (id: string) => json<WebhookDelivery>(`${at(id)}/test`, { method: "POST" });
