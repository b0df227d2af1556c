import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { Tooltip } from "radix-ui";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Problem } from "./api/client";
import { App } from "./app";
import { watchInputKind } from "./ui/input-kind";
import "./styles/tokens.css";
import "./styles/base.css";

// A sign-in that ended while the page was open: asking again who is there shows the way back in.
const onError = (error: Error) => {
  if (!(error instanceof Problem)) return;
  if (error.code === "not_signed_in") void queries.invalidateQueries({ queryKey: ["about"] });
  // What was shared with this person may have become less.
  if (error.code === "not_allowed") void queries.invalidateQueries({ queryKey: ["access"] });
};

const queries = new QueryClient({
  queryCache: new QueryCache({ onError: (error, query) => query.queryKey[0] !== "about" && onError(error) }),
  mutationCache: new MutationCache({ onError }),
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // An answer that says no stays no; silence is worth asking again.
      retry: (count, error) => count < 3 && !(error instanceof Problem && error.status >= 400 && error.status < 500),
    },
  },
});

watchInputKind();

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");

createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <Tooltip.Provider delayDuration={450}>
        <App />
      </Tooltip.Provider>
    </QueryClientProvider>
  </StrictMode>,
);
