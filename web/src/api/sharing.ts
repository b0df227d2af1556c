// Who else may use a session: people and links.

import { json, post, request, sessionUrl } from "./client";

export type SharedAccess = "view" | "comment" | "edit";

export interface ShareList {
  shares: { user_id: string; name: string; access: SharedAccess; link_id: string | null; created_at: string }[];
  links: { id: string; access: SharedAccess; anonymous: boolean; created_at: string; expires_at: string }[];
}

/** What one may do with a session, each including those before it. */
export type Access = SharedAccess | "own";

export interface SessionAccess {
  access: Access;
  /** The name of whose session it is. */
  owner: string;
}

export const getAccess = (id: string, signal: AbortSignal) => json<SessionAccess>(`${sessionUrl(id)}/access`, { signal });

export const listShares = (id: string, signal: AbortSignal) => json<ShareList>(`${sessionUrl(id)}/shares`, { signal });

export const shareWith = (id: string, email: string, access: SharedAccess) =>
  json<ShareList>(`${sessionUrl(id)}/shares`, post({ email, access }));

export const unshare = (id: string, user: string) =>
  request(`${sessionUrl(id)}/shares/${encodeURIComponent(user)}`, { method: "DELETE" });

/** The address is shown this once. */
export const createShareLink = (id: string, access: SharedAccess, anonymous: boolean) =>
  json<{ url: string; link: { anonymous: boolean } }>(`${sessionUrl(id)}/share-links`, post({ access, anonymous }));

export const revokeShareLink = (id: string, link: string) =>
  request(`${sessionUrl(id)}/share-links/${encodeURIComponent(link)}`, { method: "DELETE" });
