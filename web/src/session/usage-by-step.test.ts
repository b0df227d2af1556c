import { describe, expect, it } from "vitest";
import { usageBySteps, type UsageEntry } from "./usage-by-step";

const started = (id: string, phase: string | null): UsageEntry => ({
  type: "operation_started",
  operation: { id, action: "a", title: "", phase_id: phase, since: "" },
});
const used = (operation: string, action: string, calls: number, tokens: number, cost: string | null): UsageEntry => ({
  type: "usage",
  operation_id: operation,
  action,
  model: "m",
  usage: {
    calls,
    input_tokens: tokens - 10,
    cached_tokens: 0,
    output_tokens: 10,
    reasoning_tokens: 0,
    cost_usd: cost,
  },
});

describe("usageBySteps", () => {
  it("sums what each call added, by phase or by action", () => {
    const steps = usageBySteps([
      started("plan", null),
      used("plan", "blueprint", 1, 100, "0.01"),
      started("p1/write", "p1"),
      used("p1/write", "phase_implementation", 2, 400, "0.05"),
      used("p1/write", "phase_implementation", 2, 400, "0.05"),
      started("p1/fix", "p1"),
      used("p1/fix", "fast_code_fixer", 3, 450, "0.06"),
      used("message-m1", "conversation", 4, 500, "0.06"),
    ]);
    expect(steps.map((step) => [step.phaseId, step.action, step.tokens, step.cost?.toFixed(2)])).toEqual([
      [null, "blueprint", 100, "0.01"],
      ["p1", "phase_implementation", 350, "0.05"],
      [null, "conversation", 50, "0.00"],
    ]);
    expect(steps.reduce((sum, step) => sum + step.tokens, 0)).toBe(500);
  });

  it("tells the answers to messages apart", () => {
    const steps = usageBySteps([
      used("message-m1", "conversation", 1, 100, "0.01"),
      used("message-m2", "conversation", 2, 250, "0.03"),
    ]);
    expect(steps.map((step) => [step.messageId, step.tokens])).toEqual([
      ["m1", 100],
      ["m2", 150],
    ]);
  });

  it("does not invent a cost that is unknown", () => {
    const steps = usageBySteps([used("a", "x", 1, 100, null), used("b", "y", 2, 200, "0.01")]);
    expect(steps.map((step) => step.cost)).toEqual([null, null]);
  });
});
