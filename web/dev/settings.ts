// The scripted API beside the sessions: account, keys, models. Held in memory; cookies choose what is shown:
// `mock_accounts` (people have accounts), `mock_signed_out`.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { ApiKeyInfo, SignInInfo } from "../src/api/account";
import type { ActionRow, ActionSettings, CustomProvider, KeyInfo } from "../src/api/models";

const hours = (count: number): string => new Date(Date.now() - count * 3_600_000).toISOString();

const providers = [
  { id: "openai", title: "OpenAI", platform: false },
  { id: "anthropic", title: "Anthropic", platform: true },
  { id: "google", title: "Google AI Studio", platform: false },
  { id: "openrouter", title: "OpenRouter", platform: false },
];
const keys: KeyInfo[] = [
  {
    provider: "openai",
    title: "OpenAI",
    hint: "…4f2a",
    note: "",
    created_at: hours(300),
    checked_at: hours(2),
    last_used_at: hours(1),
  },
  {
    provider: "google",
    title: "Google AI Studio",
    hint: "…9k1B",
    note: "The key is valid, but its account has no credit left.",
    created_at: hours(90),
    checked_at: hours(30),
    last_used_at: null,
  },
];
const servers: CustomProvider[] = [];
const models = [
  ["anthropic/claude-sonnet-5", "Claude Sonnet 5", "3", "15", 200_000, true],
  ["openai/gpt-5", "GPT-5", "1.25", "10", 400_000, true],
  ["openai/gpt-5-mini", "GPT-5 mini", "0.25", "2", 400_000, true],
  ["google/gemini-3-pro", "Gemini 3 Pro", "2", "12", 1_048_576, false],
  ["cerebras/qwen-3-coder", "Qwen 3 Coder", null, null, 131_072, false],
].map(([name, title, input, output, window, available]) => ({
  name: String(name),
  title: String(title),
  providers: [String(name).split("/")[0], "openrouter"],
  usable_providers: available ? [String(name).split("/")[0]] : [],
  context_window: Number(window),
  output_limit: 64_000,
  abilities: ["tools", "images", "structured_output"],
  input_price: input,
  output_price: output,
  size: "large",
  available,
  reason: "",
  key: available ? "user" : "",
  actions: [],
}));
const actionNames = [
  "template_selection",
  "blueprint",
  "project_setup",
  "phase_generation",
  "first_phase_implementation",
  "phase_implementation",
  "code_review",
  "screenshot_analysis",
  "fast_code_fixer",
  "realtime_code_fixer",
  "conversation",
  "deep_debugger",
  "smart_builder",
  "readme",
];
const chosen = new Map<string, ActionSettings>([["code_review", { effort: "high" }]]);
const signIns: SignInInfo[] = [
  ["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36", true, 0.01, "browser", "password"],
  ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1", false, 5, "browser", "github"],
  ["stich/0.1.0", false, 60, "program", "password"],
].map(([agent, current, seen, client, means], index) => ({
  id: `in-${index}`,
  means: String(means),
  client: client as "browser" | "program",
  address: `192.0.2.${index + 7}`,
  user_agent: String(agent),
  created_at: hours(200),
  last_seen_at: hours(Number(seen)),
  current: Boolean(current),
}));
const apiKeys: ApiKeyInfo[] = [
  {
    id: "key-1",
    name: "Nightly builds",
    hint: "stk_3f2a",
    scopes: ["read", "sessions:write"],
    created_at: hours(400),
    expires_at: hours(-1_700),
    last_used_at: hours(9),
  },
];
let name = "Ada";

function actionRow(action: string): ActionRow {
  const standard = {
    model: action.includes("fixer") ? "openai/gpt-5-mini" : "anthropic/claude-sonnet-5",
    fallback: "openai/gpt-5",
    provider: null,
    effort: "low" as const,
    temperature: 0.2,
    max_output_tokens: 32_000,
    enabled: true,
  };
  const mine = chosen.get(action) ?? {};
  const set = Object.fromEntries(Object.entries(mine).filter(([, value]) => value !== null));
  return {
    action,
    effective: { ...standard, ...set },
    chosen: mine,
    default: standard,
    can_disable: ["code_review", "screenshot_analysis", "readme"].includes(action),
    allowed_models: models.map((model) => model.name),
    problem: "",
  };
}

const tried = {
  ok: true,
  model: "openai/gpt-5-mini",
  provider: "openai",
  credential: "user",
  demo: false,
  text: "ready",
  seconds: 0.8,
  input_tokens: 14,
  output_tokens: 3,
  price: "0.00002",
  code: "",
  sentence: "",
  next_action: "",
};

const operatorSessions = () => [
  {
    id: "session-k3v7q2m5x4h6w2ytdn3a", title: "Kanban board", user_id: "user-1", user_name: "Ada", user_email: "ada@example.org",
    mode: "deterministic", demo: false, state: "generating", reason: "Writing phase 2 of 4: drag and drop", since: hours(0.01),
    cost_usd: "0.4210", updated_at: hours(0), temporal_url: "http://127.0.0.1:8233/namespaces/default/workflows/k3v7",
  },
  {
    id: "session-m2w7q2m5x4h6w2ytdn3a", title: "Budget tracker with charts", user_id: "user-2", user_name: "Grace",
    user_email: "grace@example.org", mode: "smart", demo: false, state: "waiting_for_capacity",
    reason: "Anthropic is at its rate limit; tried again in 20 s.", since: hours(0.02), cost_usd: "1.2050", updated_at: hours(0.01),
    temporal_url: "http://127.0.0.1:8233/namespaces/default/workflows/m2w7",
  },
];
const health = () => [
  { id: "openai", title: "OpenAI", platform: true, status: "well", calls: 214, failed: 2, first_token_seconds: 0.8, errors: [{ code: "timeout", count: 2 }], breakers: [] },
  {
    id: "anthropic", title: "Anthropic", platform: true, status: "resting", calls: 57, failed: 12, first_token_seconds: 1.4,
    errors: [{ code: "rate_limited", count: 12 }],
    breakers: [{ key: "anthropic", state: "open", failures: 4, last_error: "rate_limited", opened_at: hours(0.01), retry_at: hours(-0.01) }],
  },
  { id: "google", title: "Google AI Studio", platform: false, status: "quiet", calls: 0, failed: 0, first_token_seconds: null, errors: [], breakers: [] },
];
const users = [
  { id: "local", email: "ada@example.org", name: "Ada", role: "operator", disabled: false, created_at: hours(4_000) },
  { id: "user-2", email: "grace@example.org", name: "Grace", role: "user", disabled: false, created_at: hours(800) },
  { id: "user-3", email: "mallory@example.org", name: "Mallory", role: "user", disabled: true, created_at: hours(90) },
];
const acts = () =>
  ["sign_in", "api_key_made", "provider_key_stored", "sign_in", "session_shared"].map((act, index) => ({
    id: 50 - index, at: hours(index * 3), act, outcome: index === 3 ? "refused" : "done", actor: index === 3 ? null : "user-2",
    subject: "user-2", address: "192.0.2.7", request_id: "5f2c7e1a90b34d68", detail: {},
  }));

const tally = (scale: number, calls: number) => ({
  calls, succeeded: calls - 1, failed: 1, stopped: 0, running: 0, success_rate: calls > 0 ? 1 - 1 / (calls + 3) : null,
  input_tokens: Math.round(scale * 410_000), cached_tokens: Math.round(scale * 240_000), output_tokens: Math.round(scale * 88_000),
  reasoning_tokens: Math.round(scale * 21_000), cost_usd: (scale * 1.31).toFixed(6), own_keys_usd: (scale * 0.4).toFixed(6),
  unpriced_calls: 0, cache_savings_usd: (scale * 0.5).toFixed(4),
  duration: { p50: 6.2 + scale, p95: 21 + scale * 3, p99: 44 }, first_token: { p50: 0.9, p95: 2.4, p99: 5 },
});
const analytics = (count: number) => ({
  since: hours(count * 24),
  totals: tally(14.2, 412),
  actions: ["phase_implementation", "first_phase_implementation", "blueprint", "fast_code_fixer", "conversation"].map((action, index) => ({ name: action, tally: tally(6 / (index + 1), 90 - index * 9) })),
  models: [...models].slice(0, 3).map((model, index) => ({ name: model.name, tally: tally(8 / (index + 1), 200 - index * 60) })),
  providers: ["anthropic", "openai"].map((provider, index) => ({ name: provider, tally: tally(8 / (index + 1), 200) })),
  days: Array.from({ length: Math.min(count, 24) }, (_, index) => ({
    name: hours(24 * index).slice(0, 10), tally: tally(Math.abs(Math.sin(index * 1.7)) * 1.4 + 0.05, 4 + (index % 9)),
  })).filter((_, index) => index % 5 !== 3).toReversed(),
  sessions: [{ name: "session-k3v7q2m5x4h6w2ytdn3a", tally: tally(3, 60) }], users: [], gateway: null, gateway_problem: null,
});
const limits: Record<string, unknown> = { session: "2", day: "5", month: "40" };
const budgets = () => ({
  user_id: "local", own_limits: limits, operator_limits: {}, cheaper_near_limit: false, notices: [{ id: 1, kind: "month", percent: 80, limit_usd: "40", session_id: "x", at: hours(7) }],
  budgets: ["session", "day", "month", "total"].map((kind, index) => ({
    kind, limit_usd: limits[kind] ?? null, source: limits[kind] ? "user" : null, spent_usd: ["0", "1.42", "33.9", "118.02"][index],
    reserved_usd: index === 1 ? "0.21" : "0", left_usd: null, percent: limits[kind] ? [0, 33, 85, 0][index] : null,
    own_keys_usd: index === 2 ? "6.10" : "0", unpriced_calls: 0, period_start: null, resets_at: index === 1 ? hours(-9) : index === 2 ? hours(-190) : null,
  })),
});
const errorPatterns = () => [
  { code: "rate_limited", provider: "anthropic", model: "anthropic/claude-sonnet-5", count: 12, share: 0.21, sessions: 4, actions: ["phase_implementation"], first_at: hours(20), last_at: hours(0.1) },
  { code: "timeout", provider: "openai", model: "openai/gpt-5", count: 2, share: 0.01, sessions: 2, actions: ["blueprint", "conversation"], first_at: hours(12), last_at: hours(3) },
];

type Body = Record<string, unknown>;
type Route = [method: string, path: RegExp, answer: (found: string[], body: Body) => [status: number, answer: unknown]];

const gone: [number, unknown] = [204, null];
const refused = (status: number, code: string, detail: string, next: string): [number, unknown] => [
  status,
  { title: code, status, code, detail, next_action: next, request_id: "mock" },
];

function remove<T>(list: T[], fits: (one: T) => boolean): [number, unknown] {
  list.splice(list.findIndex(fits), 1);
  return gone;
}

const routes: Route[] = [
  ["GET", /^me$/, () => [200, { id: "local", name, email: "ada@example.org", role: "operator", has_password: true, scopes: [] }]],
  ["PATCH", /^me$/, (_, body) => [200, { id: "local", name: (name = String(body.name)), email: null, role: "operator", has_password: true, scopes: [] }]],
  ["POST", /^me\/password$/, () => gone],
  ["GET", /^me\/sign-ins$/, () => [200, { sign_ins: signIns }]],
  ["DELETE", /^me\/sign-ins$/, () => (signIns.splice(1), gone)],
  ["DELETE", /^me\/sign-ins\/(.+)$/, ([id]) => remove(signIns, (one) => one.id === id)],
  ["GET", /^me\/identities$/, () => [200, { identities: [{ provider: "github", email: "ada@example.org", created_at: hours(900) }] }]],
  ["GET", /^me\/api-keys$/, () => [200, { api_keys: apiKeys }]],
  [
    "POST",
    /^me\/api-keys$/,
    (_, body) => {
      const info = { ...apiKeys[0], ...body, id: `key-${Date.now()}`, created_at: hours(0), expires_at: hours(-2_160), last_used_at: null };
      apiKeys.push(info as ApiKeyInfo);
      return [201, { key: "stk_3f2a9c0d4b1e7f68aa01c5d2e8f39b74", info }];
    },
  ],
  ["DELETE", /^me\/api-keys\/(.+)$/, ([id]) => remove(apiKeys, (one) => one.id === id)],
  ["GET", /^shared-sessions$/, () => [200, { sessions: [] }]],
  ["POST", /^sign-out$/, () => gone],
  ["POST", /^auth\/sign-in$/, (_, body) =>
    String(body.password).startsWith("wrong")
      ? refused(401, "wrong_password", "The e-mail address or the password is wrong.", "Try again, or ask for a link to set a new password.")
      : [200, {}]],
  ["POST", /^auth\/(sign-up|forgot|verify|reset)$/, () => [202, null]],
  ["GET", /^operator\/sessions$/, () => [200, { sessions: operatorSessions(), counts: { generating: 1, waiting_for_capacity: 1, completed: 41, failed: 2 } }]],
  ["GET", /^operator\/providers$/, () => [200, { hours: 1, providers: health() }]],
  ["GET", /^users$/, () => [200, { users, next: null }]],
  ["GET", /^audit$/, () => [200, { entries: acts(), next: null }]],
  ["GET", /^analytics\/me$/, () => [200, analytics(30)]],
  ["GET", /^analytics\/errors$/, () => [200, { since: hours(24), errors: errorPatterns() }]],
  ["GET", /^budgets$/, () => [200, budgets()]],
  ["PUT", /^budgets$/, (_, body) => (Object.assign(limits, body), [200, budgets()])],
  ["GET", /^budgets\/defaults$/, () => [200, { limits: { day: "20" } }]],
  ["PUT", /^budgets\/defaults$/, (_, body) => [200, { limits: body }]],
  ["GET", /^users\/([^/]+)\/budgets$/, () => [200, budgets()]],
  ["PUT", /^users\/([^/]+)\/budgets$/, () => [200, budgets()]],
  ["GET", /^keys$/, () => [200, { keys, providers }]],
  [
    "PUT",
    /^keys\/([^/]+)$/,
    ([provider = ""], body) => {
      const value = String(body.key);
      if (value.includes("bad")) {
        return refused(422, "key_not_accepted", "The provider does not accept this key. It was not stored.", "Copy the key again from the provider's page.");
      }
      const title = providers.find((one) => one.id === provider)?.title ?? provider;
      const info = { provider, title, hint: `…${value.slice(-4)}`, note: "", created_at: hours(0), checked_at: hours(0), last_used_at: null };
      keys.splice(0, keys.length, ...keys.filter((one) => one.provider !== provider), info);
      return [200, info];
    },
  ],
  ["POST", /^(?:keys|providers|settings\/models)\/([^/]+)\/test$/, () => [200, tried]],
  ["DELETE", /^keys\/([^/]+)$/, ([provider]) => remove(keys, (one) => one.provider === provider)],
  ["GET", /^providers$/, () => [200, { providers: servers }]],
  ["PUT", /^providers\/([^/]+)$/, ([id = ""], body) => {
    const server = { ...body, id, key: null } as unknown as CustomProvider;
    servers.splice(0, servers.length, ...servers.filter((one) => one.id !== id), server);
    return [200, server];
  }],
  ["DELETE", /^providers\/([^/]+)$/, ([id]) => remove(servers, (one) => one.id === id)],
  ["GET", /^models$/, () => [200, { models, demo: false }]],
  ["GET", /^settings\/models$/, () => [200, { actions: actionNames.map(actionRow) }]],
  ["DELETE", /^settings\/models$/, () => (chosen.clear(), gone)],
  ["PUT", /^settings\/models\/([^/]+)$/, ([action = ""], body) => (chosen.set(action, body), [200, actionRow(action)])],
  ["DELETE", /^settings\/models\/([^/]+)$/, ([action = ""]) => (chosen.delete(action), gone)],
];

/** Answers what is about settings; false where the request is about something else. */
export async function answerSettings(request: IncomingMessage, response: ServerResponse, url: URL): Promise<boolean> {
  const path = url.pathname.replace("/api/", "");
  for (const [method, form, answer] of routes) {
    const found = method === request.method ? form.exec(path) : null;
    if (!found) continue;
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const [status, body] = answer(found.slice(1).map(decodeURIComponent), text ? (JSON.parse(text) as Body) : {});
    response.writeHead(status, { "content-type": status < 400 ? "application/json" : "application/problem+json" });
    response.end(body === null ? undefined : JSON.stringify(body));
    return true;
  }
  return false;
}
