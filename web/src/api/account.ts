// Who is signed in, how people sign in here, and what belongs to an account. Mirrors schemas/accounts.py and sharing.py.

import { json, post } from "./client";
import { done, withMethod } from "./requests";
import type { Access } from "./sharing";
import type { SessionSummary } from "./types";

export type Role = "user" | "operator";
export type KeyScope = "read" | "sessions:write" | "keys" | "operator";

export interface AuthOptions {
  mode: "local" | "accounts";
  sign_up: boolean;
  providers: string[];
}

export interface Me {
  id: string;
  name: string;
  email: string | null;
  role: Role;
  has_password: boolean;
  scopes: string[];
}

export interface SignInInfo {
  id: string;
  means: string;
  client: "browser" | "program";
  address: string;
  user_agent: string;
  created_at: string;
  last_seen_at: string;
  current: boolean;
}

export interface ApiKeyInfo {
  id: string;
  name: string;
  hint: string;
  scopes: string[];
  created_at: string;
  expires_at: string;
  last_used_at: string | null;
}

export interface Identity {
  provider: string;
  email: string;
  created_at: string;
}

export interface SharedSession {
  session: SessionSummary;
  owner: string;
  access: Access;
}

export const getAuth = () => json<AuthOptions>("/api/auth");
export const signUp = (body: { email: string; password: string; name: string }) =>
  done("/api/auth/sign-up", post(body));
export const verify = (token: string) => done("/api/auth/verify", post({ token }));
export const signIn = (body: { email: string; password: string }) => done("/api/auth/sign-in", post(body));
export const forgot = (email: string) => done("/api/auth/forgot", post({ email }));
export const reset = (token: string, password: string) => done("/api/auth/reset", post({ token, password }));
export const startOAuth = (provider: string, link: boolean) =>
  json<{ url: string }>(`/api/auth/oauth/${encodeURIComponent(provider)}`, post({ link }));
export const signOut = () => done("/api/sign-out", { method: "POST" });

export const getMe = () => json<Me>("/api/me");
export const changeName = (name: string) => json<Me>("/api/me", withMethod("PATCH", { name }));
export const changePassword = (old: string | null, next: string) =>
  done("/api/me/password", post(old === null ? { new: next } : { old, new: next }));

/** A zip of everything that is kept about oneself. */
export const ACCOUNT_EXPORT = "/api/account/export";

/** Ends the account; without a password of its own, by a recent sign-in. */
export const deleteAccount = (password: string | null) =>
  done("/api/account", withMethod("DELETE", password === null ? {} : { password }));

export const listSignIns = async () => (await json<{ sign_ins: SignInInfo[] }>("/api/me/sign-ins")).sign_ins;
export const endSignIn = (id: string) => done(`/api/me/sign-ins/${encodeURIComponent(id)}`, withMethod("DELETE"));
export const endOtherSignIns = () => done("/api/me/sign-ins", withMethod("DELETE"));

export const listIdentities = async () => (await json<{ identities: Identity[] }>("/api/me/identities")).identities;
export const unlinkIdentity = (provider: string) =>
  done(`/api/me/identities/${encodeURIComponent(provider)}`, withMethod("DELETE"));

export const listApiKeys = async () => (await json<{ api_keys: ApiKeyInfo[] }>("/api/me/api-keys")).api_keys;
export const createApiKey = (body: { name: string; scopes: KeyScope[]; expires_in_days: number }) =>
  json<{ key: string; info: ApiKeyInfo }>("/api/me/api-keys", post(body));
export const revokeApiKey = (id: string) => done(`/api/me/api-keys/${encodeURIComponent(id)}`, withMethod("DELETE"));

export const listShared = async () => (await json<{ sessions: SharedSession[] }>("/api/shared-sessions")).sessions;
/** Looks without an account, where the link allows it: the browser gets a cookie for it. */
export const openAsGuest = (token: string) => json<{ session_id: string }>("/api/guest", post({ token }));
export const acceptShare = (token: string) =>
  json<{ session_id: string; access: Access }>("/api/shared-sessions", post({ token }));
