// What is said to a session: sent, changed, taken back, with pictures.

import { json, post, request, sessionUrl } from "./client";
import type { ImageRef, MaskedSecret, QueuedMessage } from "./types";

export interface NewMessage {
  id: string;
  text: string;
  interrupt: boolean;
  image_ids: string[];
}

export const MAX_IMAGES = 2;
export const IMAGE_TYPES: readonly string[] = ["image/png", "image/jpeg", "image/webp"];

export const postMessage = (session: string, body: NewMessage) =>
  json<{ id: string; masked?: MaskedSecret[] }>(`${sessionUrl(session)}/messages`, post(body));

export const editMessage = (session: string, id: string, text: string, images: string[]) =>
  json<QueuedMessage>(`${sessionUrl(session)}/messages/${encodeURIComponent(id)}`, {
    ...post({ text, image_ids: images }),
    method: "PUT",
  });

export const withdrawMessage = (session: string, id: string) =>
  request(`${sessionUrl(session)}/messages/${encodeURIComponent(id)}`, { method: "DELETE" });

export const uploadImage = (file: Blob, signal?: AbortSignal) =>
  json<ImageRef>("/api/images", { method: "POST", headers: { "content-type": file.type }, body: file, signal: signal ?? null });

export const sessionImageUrl = (session: string, id: string) => `${sessionUrl(session)}/images/${id}`;
