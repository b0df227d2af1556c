// One function per request of the page. Every failure is a `Problem` that says what happened and what to do.

import type { About, CreateSession, MaskedSecret, ProblemBody, SessionList, SessionSnapshot, Shown } from "./types";

export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly nextAction: string;
  readonly requestId: string;

  constructor(body: Omit<ProblemBody, "title">) {
    super(body.detail);
    this.name = "Problem";
    this.status = body.status;
    this.code = body.code;
    this.nextAction = body.next_action;
    this.requestId = body.request_id;
  }
}

/** Any thrown value as a problem, so that components show one kind of error. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem({
    status: 0,
    code: "unexpected",
    detail: error instanceof Error ? error.message : String(error),
    next_action: "Reload the page. If it happens again, look at the terminal that runs stich.",
    request_id: "",
  });
}

const unreachable = {
  status: 0,
  code: "unreachable",
  detail: "stich does not answer.",
  next_action: "Check that stich is still running in its terminal, then try again.",
  request_id: "",
};

export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(unreachable);
  }
  if (!response.ok) throw await readProblem(response);
  return response;
}

async function readProblem(response: Response): Promise<Problem> {
  const requestId = response.headers.get("x-request-id") ?? "";
  try {
    const body = (await response.json()) as Partial<ProblemBody>;
    if (typeof body.detail === "string") {
      return new Problem({
        status: response.status,
        code: body.code ?? "unknown",
        detail: body.detail,
        next_action: body.next_action ?? "",
        request_id: body.request_id ?? requestId,
      });
    }
  } catch {
    // Not JSON: something between the page and stich answered.
  }
  return new Problem({
    status: response.status,
    code: `http_${response.status}`,
    detail: `The server answered ${response.status} without saying why.`,
    next_action: "Try again in a moment.",
    request_id: requestId,
  });
}

export async function json<T>(path: string, init?: RequestInit): Promise<T> {
  return (await request(path, init)).json() as Promise<T>;
}

export function post(body: unknown, headers: Record<string, string> = {}): RequestInit {
  return {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  };
}

export const sessionUrl = (id: string) => `/api/sessions/${encodeURIComponent(id)}`;

export const eventsUrl = (id: string) => `${sessionUrl(id)}/events`;
export const exportUrl = (id: string) => `${sessionUrl(id)}/export.zip`;
export const screenshotUrl = (id: string, sha256: string) => `${sessionUrl(id)}/screenshots/${sha256}.png`;

export const getAbout = () => json<About>("/api/about");

/** A page of one's sessions; `q` is looked for in title and prompt. */
export function listSessions({ before, q, show }: { before?: string; q?: string; show?: Shown } = {}): Promise<SessionList> {
  const query = new URLSearchParams({ ...(before && { before }), ...(q && { q }), ...(show && show !== "all" && { show }) });
  return json<SessionList>(`/api/sessions${query.size > 0 ? `?${query}` : ""}`);
}
export const getSession = (id: string) => json<SessionSnapshot>(sessionUrl(id));

/** Starts a session. The same key starts it once, however often it is sent. */
export const createSession = (body: CreateSession, key: string) =>
  json<{ id: string; url: string; masked: MaskedSecret[] }>("/api/sessions", post(body, { "idempotency-key": key }));

export const stopSession = (id: string) => request(`${sessionUrl(id)}/stop`, post({}));
export const resumeSession = (id: string) => request(`${sessionUrl(id)}/resume`, post({}));

/** The text of a file as it stands, or as it stood at a version of the session. */
export async function readFile(id: string, path: string, version: number | null, signal: AbortSignal): Promise<string> {
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  const query = version === null ? "" : `?version=${version}`;
  return (await request(`${sessionUrl(id)}/files/${encoded}${query}`, { signal })).text();
}
