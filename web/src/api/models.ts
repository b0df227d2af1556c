// Keys of providers, servers of one's own, the models there are and which each action uses. Mirrors
// schemas/model_settings.py.

import { json, post } from "./client";
import { done, withMethod } from "./requests";
import type { Money } from "./types";

export type Effort = "none" | "low" | "medium" | "high";

export interface KeyInfo {
  provider: string;
  title: string;
  hint: string;
  note: string;
  created_at: string;
  checked_at: string | null;
  last_used_at: string | null;
  calls_per_minute: number | null;
  tokens_per_minute: number | null;
}

export interface KeyProvider {
  id: string;
  title: string;
  platform: boolean;
}

export interface TryAnswer {
  ok: boolean;
  model: string;
  provider: string;
  credential: string;
  demo: boolean;
  text: string;
  seconds: number;
  input_tokens: number;
  output_tokens: number;
  price: Money;
  code: string;
  sentence: string;
  next_action: string;
}

export interface CustomModel {
  id: string;
  context_window: number;
  output_limit: number;
  tools: boolean;
  images: boolean;
  reasoning: boolean;
  structured_output: boolean;
}

export interface CustomProvider {
  id: string;
  title: string;
  base_url: string;
  models: CustomModel[];
  key: KeyInfo | null;
}

export interface ActionSettings {
  model?: string | null;
  fallback?: string | null;
  provider?: string | null;
  effort?: Effort | null;
  temperature?: number | null;
  max_output_tokens?: number | null;
  enabled?: boolean | null;
}

export interface EffectiveSettings {
  model: string;
  fallback: string | null;
  provider: string | null;
  effort: Effort;
  temperature: number;
  max_output_tokens: number;
  enabled: boolean;
}

export interface ActionRow {
  action: string;
  effective: EffectiveSettings;
  chosen: ActionSettings;
  default: EffectiveSettings;
  can_disable: boolean;
  allowed_models: string[];
  problem: string;
}

export interface CatalogueModel {
  name: string;
  title: string;
  providers: string[];
  usable_providers: string[];
  context_window: number;
  output_limit: number;
  abilities: string[];
  input_price: Money;
  output_price: Money;
  size: "lite" | "regular" | "large";
  available: boolean;
  reason: string;
  key: string;
  actions: string[];
}

const key = (provider: string) => `/api/keys/${encodeURIComponent(provider)}`;
const server = (id: string) => `/api/providers/${encodeURIComponent(id)}`;
const action = (name: string) => `/api/settings/models/${encodeURIComponent(name)}`;

export const listKeys = () => json<{ keys: KeyInfo[]; providers: KeyProvider[] }>("/api/keys");
export const putKey = (provider: string, value: string) =>
  json<KeyInfo>(key(provider), withMethod("PUT", { key: value }));
export const tryKey = (provider: string) => json<TryAnswer>(`${key(provider)}/test`, { method: "POST" });
export const limitKey = (provider: string, calls: number | null, tokens: number | null) =>
  json<KeyInfo>(`${key(provider)}/limits`, withMethod("PUT", { calls_per_minute: calls, tokens_per_minute: tokens }));
export const deleteKey = (provider: string) => done(key(provider), withMethod("DELETE"));

export const listServers = async () => (await json<{ providers: CustomProvider[] }>("/api/providers")).providers;
export const putServer = (
  id: string,
  body: { title: string; base_url: string; models: Partial<CustomModel>[]; key?: string },
) => json<CustomProvider>(server(id), withMethod("PUT", body));
export const tryServer = (id: string) => json<TryAnswer>(`${server(id)}/test`, { method: "POST" });
export const deleteServer = (id: string) => done(server(id), withMethod("DELETE"));

export const listModels = () => json<{ models: CatalogueModel[]; demo: boolean }>("/api/models");
export const listActions = async () => (await json<{ actions: ActionRow[] }>("/api/settings/models")).actions;
export const putAction = (name: string, settings: ActionSettings) =>
  json<ActionRow>(action(name), withMethod("PUT", settings));
export const tryAction = (name: string, settings: ActionSettings) =>
  json<TryAnswer>(`${action(name)}/test`, post(settings));
export const resetAction = (name: string) => done(action(name), withMethod("DELETE"));
export const resetAllActions = () => done("/api/settings/models", withMethod("DELETE"));
