// What each phase and each answer to a message cost. The log says the totals after every model call, and which step made it; the rest is subtraction.

import type { SessionEvent } from "../api/types";

export interface StepUsage {
  key: string;
  /** The phase it was spent on; null for planning and talk. */
  phaseId: string | null;
  /** The message it was spent on answering. */
  messageId: string | null;
  action: string;
  tokens: number;
  cost: number | null;
}

export const USAGE_TYPES = ["operation_started", "usage"] as const;
export type UsageEntry = Extract<SessionEvent, { type: (typeof USAGE_TYPES)[number] }>;

const ANSWER = "message-";

/** What each model call added to the totals, summed by phase, by message, and by action where it belongs to neither. */
export function usageBySteps(log: UsageEntry[]): StepUsage[] {
  const phases = new Map<string, string | null>();
  const steps = new Map<string, StepUsage>();
  let calls = 0;
  let tokens = 0;
  let cost: number | null = 0;
  for (const entry of log) {
    if (entry.type === "operation_started") {
      phases.set(entry.operation.id, entry.operation.phase_id);
      continue;
    }
    const { usage } = entry;
    if (usage.calls <= calls) continue;
    const newTokens = usage.input_tokens + usage.output_tokens;
    const newCost = usage.cost_usd === null ? null : Number(usage.cost_usd);
    const phaseId = phases.get(entry.operation_id) ?? null;
    const { operation_id: operation } = entry;
    const messageId = phaseId === null && operation.startsWith(ANSWER) ? operation.slice(ANSWER.length) : null;
    const key = phaseId ?? (messageId ? operation : `action ${entry.action}`);
    const step = steps.get(key) ?? { key, phaseId, messageId, action: entry.action, tokens: 0, cost: 0 };
    step.tokens += newTokens - tokens;
    step.cost = step.cost === null || newCost === null || cost === null ? null : step.cost + newCost - cost;
    steps.set(key, step);
    calls = usage.calls;
    tokens = newTokens;
    cost = newCost;
  }
  return [...steps.values()];
}
