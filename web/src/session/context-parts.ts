// The parts of what a model was sent, in plain words, the largest first.

export interface ContextPart {
  title: string;
  tokens: number;
}

const titles: Record<string, string> = {
  "stable prefix": "Instructions, always the same",
  system: "Instructions",
  user: "What is asked, with files",
  assistant: "Its answers so far",
  tool: "Results of tools",
  tools: "Descriptions of tools",
  schema: "The form of the answer",
};

/** `parts` are tokens by part. Those named "of which ..." are shares of the others and left out. */
export function partsOf(parts: Record<string, number>): ContextPart[] {
  return Object.entries(parts)
    .filter(([name, tokens]) => tokens > 0 && !name.startsWith("of which "))
    .map(([name, tokens]) => ({ title: titles[name] ?? name, tokens }))
    .toSorted((a, b) => b.tokens - a.tokens);
}
