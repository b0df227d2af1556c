// Tokens for places where apps are published. Mirrors schemas/deployments.py.

import { json } from "./client";
import { done, withMethod } from "./requests";
import type { DeploymentTarget } from "./types";

export type TokenTarget = Exclude<DeploymentTarget, "local">;

export interface DeploymentAccount {
  target: TokenTarget;
  title: string;
  owner: string;
  hint: string;
  created_at: string;
  last_used_at: string | null;
}

const account = (target: TokenTarget) => `/api/deployment-accounts/${target}`;

export const listAccounts = async () =>
  (await json<{ accounts: DeploymentAccount[] }>("/api/deployment-accounts")).accounts;
export const putAccount = (target: TokenTarget, token: string, owner: string) =>
  json<DeploymentAccount>(account(target), withMethod("PUT", { token, owner }));
export const deleteAccount = (target: TokenTarget) => done(account(target), withMethod("DELETE"));
