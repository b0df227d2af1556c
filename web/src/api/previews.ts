// The preview's development server: how it is, steering it, and what it and its pages say.

import { json, post, sessionUrl } from "./client";
import type { Issue, Preview, PreviewInfo } from "./types";

export interface PreviewLogs {
  server: string[];
  issues: Issue[];
  seen_at: string | null;
}

export const getPreview = (id: string, signal?: AbortSignal) =>
  json<PreviewInfo>(`${sessionUrl(id)}/preview`, signal ? { signal } : {});

export const controlPreview = (id: string, action: "start" | "restart" | "stop") =>
  json<Preview>(`${sessionUrl(id)}/preview`, post({ action }));

export const previewLogs = (id: string, signal: AbortSignal) =>
  json<PreviewLogs>(`${sessionUrl(id)}/preview/logs`, { signal });
