// Who is signed in and how people sign in here: asked once, shared by every page.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getAuth, getMe, signOut, type AuthOptions, type Me } from "../api/account";
import { clearDraft } from "../home/draft";

export const useMe = (): Me | undefined =>
  useQuery({ queryKey: ["me"], queryFn: getMe, staleTime: 60_000, retry: false }).data;

export const useAuth = (): AuthOptions | undefined =>
  useQuery({ queryKey: ["auth"], queryFn: getAuth, staleTime: Number.POSITIVE_INFINITY }).data;

/** Ends the sign-in and leaves nothing of the account in this browser. */
export function useSignOut(): () => Promise<void> {
  const queries = useQueryClient();
  return async () => {
    await signOut();
    clearDraft();
    queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== "auth" && queryKey[0] !== "about" });
    await queries.resetQueries({ queryKey: ["about"] });
  };
}
