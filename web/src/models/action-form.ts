// The settings of one action as a form holds them: text, empty where the default is left.

import type { ActionSettings, Effort } from "../api/models";

export interface ActionForm {
  model: string;
  fallback: string;
  provider: string;
  effort: Effort | "";
  temperature: string;
  maxOutputTokens: string;
  enabled: boolean | null;
}

export const formOf = (chosen: ActionSettings): ActionForm => ({
  model: chosen.model ?? "",
  fallback: chosen.fallback ?? "",
  provider: chosen.provider ?? "",
  effort: chosen.effort ?? "",
  temperature: chosen.temperature?.toString() ?? "",
  maxOutputTokens: chosen.max_output_tokens?.toString() ?? "",
  enabled: chosen.enabled ?? null,
});

export function settingsOf(form: ActionForm): ActionSettings {
  return {
    model: form.model || null,
    fallback: form.fallback || null,
    provider: form.provider || null,
    effort: form.effort || null,
    temperature: form.temperature === "" ? null : Number(form.temperature),
    max_output_tokens: form.maxOutputTokens === "" ? null : Number(form.maxOutputTokens),
    enabled: form.enabled,
  };
}

export const isChanged = (chosen: ActionSettings): boolean =>
  Object.values(chosen).some((value) => value !== null && value !== undefined);
