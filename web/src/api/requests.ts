// The small shapes that requests with a body, or without an answer, have in common.

import { post, request } from "./client";

export const withMethod = (method: "PUT" | "PATCH" | "DELETE", body?: unknown): RequestInit =>
  body === undefined ? { method } : { ...post(body), method };

/** For answers without a body. */
export async function done(path: string, init: RequestInit): Promise<void> {
  await request(path, init);
}
