// A key or a server changes which models there are, who answers, and what each action can use.

import { useQueryClient } from "@tanstack/react-query";

export function useModelsChanged(): () => Promise<void> {
  const queries = useQueryClient();
  return () =>
    queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === "models" || queryKey[0] === "about" });
}
