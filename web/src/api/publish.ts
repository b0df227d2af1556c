// Publishing, and the choice among candidates.

import { json, post, sessionUrl } from "./client";
import type { Candidate, Deployment, DeploymentTarget } from "./types";

export const publish = (session: string, target: DeploymentTarget, id: string) =>
  json<Deployment>(`${sessionUrl(session)}/deployments`, post({ target, id }));

export const withdraw = (session: string, target: DeploymentTarget) =>
  json<Deployment>(`${sessionUrl(session)}/deployments/withdraw`, post({ target }));

export const chooseCandidate = (session: string, candidate: string) =>
  json<Candidate>(`${sessionUrl(session)}/candidates/choose`, post({ candidate_id: candidate }));
