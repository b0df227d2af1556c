// The parts of what a model was sent, in plain words, the largest first.

export interface ContextPart {
  title: string;
  tokens: number;
}

const titles: Record<string, string> = {
  "stable prefix": "Instructions, always the same",
  system: "Instructions",
  user: "What is asked",
  assistant: "Its answers so far",
  tool: "Results of tools",
  tools: "Descriptions of tools",
  schema: "The form of the answer",
  file: "Files",
  paths: "Names of files",
  request: "Your request",
  "user message": "Your message",
  blueprint: "The plan of the application",
  phase: "Phases that are done",
  plan: "The phase's plan",
  issue: "Problems that were found",
  turn: "The conversation so far",
  situation: "Where the work stands",
  output: "Output of programs",
  pictures: "Pictures",
};

const SHARE = "of which ";

/** `parts` are tokens by part. Those named "of which ..." are shares of what is asked, and taken out of it. */
export function partsOf(parts: Record<string, number>): ContextPart[] {
  const named = Object.entries(parts);
  const shares = named.filter(([name]) => name.startsWith(SHARE)).reduce((sum, [, tokens]) => sum + tokens, 0);
  return named
    .map(([name, tokens]) => {
      const part = name.replace(SHARE, "");
      return { title: titles[part] ?? part, tokens: name === "user" ? Math.max(tokens - shares, 0) : tokens };
    })
    .filter((part) => part.tokens > 0)
    .toSorted((a, b) => b.tokens - a.tokens);
}
