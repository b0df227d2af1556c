// The user's token of GitHub, and pushing a session's repository there. Mirrors schemas/github.py.

import { json, post } from "./client";
import { done, withMethod } from "./requests";

export interface GithubAccount {
  stored: boolean;
  login: string;
  hint: string;
}

export interface GithubExport {
  url: string;
  repository: string;
  branch: string;
  pushed: number;
  created: boolean;
}

export const getGithub = () => json<GithubAccount>("/api/github");
export const putGithubToken = (token: string) => json<GithubAccount>("/api/github/token", withMethod("PUT", { token }));
export const deleteGithubToken = () => done("/api/github/token", withMethod("DELETE"));
export const pushToGithub = (session: string, body: { repository: string; branch: string; create: boolean; private: boolean }) =>
  json<GithubExport>(`/api/sessions/${encodeURIComponent(session)}/github`, post(body));
