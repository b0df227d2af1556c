// The API for work on the page alone: sessions in memory, played by a script. Part of `vite`'s development server only.
//
// Words in the prompt choose what happens: "fail", "wait", "big" (a file of 5,000 lines), "slow", "ask" (a question with options), "choose" (candidates of
// the first phase), "signed out".

import { createHash, randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Plugin } from "vite";
import type { ChatMessage, Progress, SessionEvent, StateInfo, StateName } from "../src/api/types";
import { apply, fromSnapshot, type Session } from "../src/state/session.ts";
import { answerSettings } from "./settings.ts";
import { answer, bigFile, blueprint, content, issues, phases, templateFiles } from "./story.ts";

const now = () => new Date().toISOString();

class Stopped extends Error {}

class MockSession {
  readonly id = randomUUID().replaceAll("-", "").slice(0, 12);
  readonly log: { seq: number; at: string; event: SessionEvent }[] = [];
  readonly files = new Map<string, string>();
  readonly watchers = new Set<ServerResponse>();
  readonly updated = now();
  state: Session;
  archived = false;
  private stopped = false;
  private wake: (() => void) | null = null;
  private answered: (() => void) | null = null;
  private readonly inbox: string[] = [];
  private readonly speed: number;

  constructor(readonly prompt: string) {
    this.speed = prompt.includes("slow") ? 0.25 : prompt.includes("fast") ? 12 : 1;
    const progress: Progress = {
      session_id: this.id,
      title: prompt.slice(0, 60),
      prompt,
      mode: "deterministic",
      template: null,
      model: "demo/demo",
      demo: true,
      state: this.at("starting", "Preparing the workspace"),
      blueprint: null,
      phases: [],
      files: [],
      messages: [],
      operations: [],
      usage: { calls: 0, input_tokens: 0, cached_tokens: 0, output_tokens: 0, reasoning_tokens: 0, cost_usd: "0" },
      preview: { status: "none", url: null, detail: "" },
      deployments: [],
      candidates: [],
      question: null,
      images: [],
      missing: [],
      forked_from: null,
      created_at: now(),
      last_seq: 0,
    };
    this.state = fromSnapshot({ progress, conversation: [], conflicts: [], stale: null });
    void this.play();
  }

  emit(event: SessionEvent): void {
    const entry = { seq: this.log.length + 1, at: now(), event };
    this.log.push(entry);
    this.state = apply(this.state, entry);
    for (const watcher of this.watchers) writeEvent(watcher, entry);
  }

  snapshot(last: number) {
    return { progress: { ...this.state.progress, last_seq: last }, conversation: this.state.conversation, conflicts: this.state.conflicts, stale: null };
  }

  stop(): void {
    this.stopped = true;
    this.wake?.();
  }

  resume(): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.emit({ type: "session_state", state: this.at("generating", "Going on with what is missing", ["message", "stop"]) });
    void this.play();
  }

  say(message: ChatMessage): void {
    this.emit({ type: "message", message });
    this.answered?.();
    this.inbox.push(message.id);
    void this.reply(message);
  }

  private async reply(message: ChatMessage): Promise<void> {
    await this.pause(900);
    this.emit({ type: "message", message: { ...message, state: "being_read" } });
    const id = randomUUID();
    for (let offset = 0; offset < answer.length; offset += 5) {
      const text = answer.slice(offset, offset + 5);
      this.emit({ type: "conversation_delta", operation_id: `talk-${id}`, message_id: id, offset, text });
      await this.pause(35);
    }
    this.emit({
      type: "message",
      message: { id, role: "assistant", text: answer, at: now(), author: null, state: "done" },
    });
    this.emit({ type: "message", message: { ...message, state: "planned" } });
  }

  private at(name: StateName, reason: string, can: StateInfo["can"] = ["message", "stop"]): StateInfo {
    return { name, since: now(), reason, can, until: null, code: null };
  }

  private async pause(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms / this.speed));
  }

  private async check(ms: number): Promise<void> {
    await this.pause(ms);
    if (this.stopped) throw new Stopped();
  }

  private async play(): Promise<void> {
    try {
      await this.build();
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
      for (const operation of this.state.progress.operations) {
        this.emit({ type: "operation_finished", operation_id: operation.id, outcome: "stopped" });
      }
      const kept = this.state.progress.files.length;
      const reason = `Stopped by you. ${kept} files are kept; the file that was being written is not.`;
      this.emit({ type: "session_state", state: this.at("stopped", reason, ["message", "resume"]) });
    }
  }

  private async build(): Promise<void> {
    await this.check(600);
    if (!this.state.progress.blueprint) await this.planning();
    if (this.prompt.includes("ask")) await this.ask();
    if (this.prompt.includes("choose")) this.offer();
    for (const [index, plan] of phases.entries()) {
      if (this.state.progress.phases[index]?.status !== "completed") await this.phase(index, plan.name);
      if (this.prompt.includes("fail") && index === 1) {
        this.emit({
          type: "error",
          operation_id: null,
          code: "provider_refused_key",
          sentence: "OpenAI refused the key.",
          next_action: "Set OPENAI_API_KEY to a valid key, restart stich and press Resume.",
        });
        this.emit({ type: "session_state", state: this.at("failed", "OpenAI refused the key.", ["resume"]) });
        return;
      }
    }
    this.emit({ type: "session_state", state: this.at("reviewing", "Looking over the whole app") });
    await this.check(1500);
    this.emit({
      type: "session_state",
      state: this.at("completed", "All three phases are built and the last checks found no error.", ["message"]),
    });
  }

  private async ask(): Promise<void> {
    const text = "Shall the cards be kept in this browser only, or in a file that you can open elsewhere?";
    const options = ["In this browser", "In a file", "Both: the browser keeps them, and they can be saved as a file"];
    const message: ChatMessage = { id: "q1", role: "assistant", text, at: now(), author: null, state: "done", options };
    this.emit({ type: "message", message });
    this.emit({ type: "session_state", state: this.at("idle", "The builder has a question.", ["message", "stop"]) });
    await new Promise<void>((resolve) => {
      this.answered = resolve;
    });
    this.answered = null;
  }

  private offer(): void {
    const reasons = [
      "Complete and calm, and it keeps its cards over a reload.",
      "Good to look at, but cards cannot be moved by keyboard.",
    ];
    for (const [index, reason] of reasons.entries()) {
      this.emit({
        type: "candidate",
        candidate: {
          id: `phase-1-candidate-${index + 1}`,
          subject: "phase-1",
          number: index + 1,
          status: "ready",
          title: "",
          files: 5,
          errors: index,
          score: 88 - index * 17,
          reason,
          chosen: index === 0,
        },
      });
    }
  }

  private async planning(): Promise<void> {
    for (const [path, text] of Object.entries(templateFiles)) this.store("op-setup", path, text, null, "template");
    this.emit({ type: "session_state", state: this.at("planning", "Writing the plan of the app") });
    this.start("plan", "Writing the blueprint", null);
    const text = JSON.stringify(blueprint, null, 1);
    for (let offset = 0; offset < text.length; offset += 12) {
      this.emit({ type: "blueprint_chunk", operation_id: "plan", offset, text: text.slice(offset, offset + 12) });
      await this.check(14);
    }
    this.emit({ type: "blueprint", blueprint });
    this.emit({
      type: "session_info",
      title: blueprint.title,
      template: "react-vite-tailwind",
      model: "demo/demo",
      demo: true,
    });
    this.finish("plan", 2400, 1900);
    this.emit({
      type: "message",
      message: {
        id: "n1",
        role: "notice",
        text: "The demo model plays a recorded session: a kanban board.",
        at: now(),
        author: null,
        state: "done",
      },
    });
  }

  private async phase(index: number, name: string): Promise<void> {
    const plan = phases[index];
    if (!plan) return;
    const id = `phase-${index + 1}`;
    const progress = (change: object) =>
      this.emit({
        type: "phase",
        phase: {
          id,
          plan,
          status: "generating",
          files: [],
          checks: null,
          screenshots: [],
          fix_rounds: 0,
          message_ids: [],
          started_at: now(),
          finished_at: null,
          ...this.state.progress.phases.find((phase) => phase.id === id),
          ...change,
        },
      });
    progress({ status: "generating" });
    this.emit({ type: "session_state", state: this.at("generating", `Building phase ${index + 1}: ${name}`) });
    const op = `write-${id}`;
    this.start(op, `Writing phase ${index + 1}: ${name}`, id);
    if (this.prompt.includes("wait") && index === 0) {
      const until = new Date(Date.now() + 20_000).toISOString();
      this.emit({
        type: "waiting",
        operation_id: op,
        code: "rate_limited",
        reason: "Anthropic answers that the rate limit is reached; the next attempt goes to Google.",
        until,
      });
      await this.check(20_000);
    }
    for (const file of plan.files) {
      const text = this.prompt.includes("big") && file.path === "src/types.ts" ? bigFile : (content[file.path] ?? "");
      await this.write(op, id, file.path, file.purpose, text);
      progress({ files: [...new Set([...(this.state.progress.phases[index]?.files ?? []), file.path])] });
    }
    this.finish(op, 5200, 3100);
    progress({ status: "checking" });
    this.command(`check-${id}`, "bun install", "Checked 214 installs across 301 packages (no changes) [61.00ms]");
    await this.check(900);
    if (index === 0) {
      this.emit({ type: "checks", phase_id: id, report: { issues, ran: ["typecheck", "lint", "browser"], seconds: 1.4 } });
      progress({ status: "fixing", fix_rounds: 1 });
      const fix = `fix-${id}`;
      this.start(fix, "Repairing src/components/Column.tsx", id);
      await this.write(fix, id, "src/components/Column.tsx", "Repair", content["src/components/Column.tsx"] ?? "", 40);
      this.finish(fix, 900, 400);
    }
    this.emit({
      type: "checks",
      phase_id: id,
      report: { issues: issues.slice(1, 2), ran: ["typecheck", "lint", "build", "browser"], seconds: 1.2 },
    });
    progress({ status: "completed", finished_at: now() });
    this.emit({
      type: "preview",
      preview: { status: "ready", url: `http://${this.id}.preview.localhost:5173/`, detail: "" },
    });
  }

  private async write(op: string, phase: string, path: string, purpose: string, text: string, size = 34): Promise<void> {
    this.emit({ type: "file_generating", operation_id: op, path, purpose, format: "full_content", phase_id: phase });
    // Most of a very long file arrives at once; its end is what shows whether the page stays smooth.
    const rush = text.length > 200_000 ? text.length - 100_000 : 0;
    for (let offset = 0; offset < text.length; ) {
      const piece = text.slice(offset, offset + (offset < rush ? 20_000 : size));
      this.emit({ type: "file_chunk", operation_id: op, path, offset, text: piece, format: "full_content" });
      offset += piece.length;
      await this.check(10);
    }
    this.store(op, path, text, phase, "model");
  }

  private store(op: string, path: string, text: string, phase: string | null, author: string): void {
    const version = (this.state.progress.files.find((file) => file.path === path)?.version ?? 0) + 1;
    this.files.set(path, text);
    const sha256 = createHash("sha256").update(text).digest("hex");
    const size = Buffer.byteLength(text);
    this.emit({ type: "file_generated", operation_id: op, file: { path, sha256, size, version, phase_id: phase, author } });
  }

  private start(id: string, title: string, phase: string | null): void {
    this.emit({
      type: "operation_started",
      operation: { id, action: id.split("-")[0] ?? id, title, phase_id: phase, since: now() },
    });
  }

  private finish(id: string, input: number, output: number): void {
    const before = this.state.progress.usage;
    this.emit({
      type: "usage",
      operation_id: id,
      action: id.split("-")[0] ?? id,
      model: "demo/demo",
      usage: {
        ...before,
        calls: before.calls + 1,
        input_tokens: before.input_tokens + input,
        output_tokens: before.output_tokens + output,
        cost_usd: (Number(before.cost_usd) + output / 100_000).toFixed(4),
      },
    });
    this.emit({ type: "operation_finished", operation_id: id, outcome: "done" });
  }

  private command(op: string, command: string, output: string): void {
    this.emit({ type: "command", operation_id: op, command, status: "running", output: "" });
    this.emit({ type: "command", operation_id: op, command, status: "done", output });
  }
}

function writeEvent(response: ServerResponse, entry: { seq: number; at: string; event: SessionEvent }): void {
  const data = JSON.stringify({ ...entry.event, seq: entry.seq, at: entry.at });
  response.write(`id: ${entry.seq}\nevent: ${entry.event.type}\ndata: ${data}\n\n`);
}

function answerJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": status < 400 ? "application/json" : "application/problem+json" });
  response.end(JSON.stringify(body));
}

function problem(response: ServerResponse, status: number, code: string, detail: string, next: string): void {
  answerJson(response, status, { title: code, status, code, detail, next_action: next, request_id: randomUUID() });
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text ? (JSON.parse(text) as Record<string, unknown>) : {};
}

const previewPage = `<!doctype html><meta name=viewport content="width=device-width"><title>Threadboard</title>
<style>body{font:16px system-ui;margin:0;background:#f4f1ea;color:#1d2430}h1{font-size:20px;margin:24px}
main{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:16px;padding:0 24px}
section{background:#fff;border-radius:12px;padding:16px}p{background:#eef2fa;padding:12px;border-radius:8px}</style>
<h1>Threadboard</h1><main><section><b>To do</b><p>Pick a colour<p>Order thread</section>
<section><b>Doing</b><p>Sew the pocket</section><section><b>Done</b><p>Cut the cloth</section></main>`;

export function mockApi(): Plugin {
  const sessions = new Map<string, MockSession>();
  const keys = new Map<string, string>();

  async function route(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    if (request.headers.host?.includes(".preview.localhost")) {
      response.writeHead(200, { "content-type": "text/html" }).end(previewPage);
      return true;
    }
    const url = new URL(request.url ?? "/", "http://mock");
    if (!url.pathname.startsWith("/api/")) return false;
    if (url.pathname === "/api/auth") {
      const mode = request.headers.cookie?.includes("mock_accounts") ? "accounts" : "local";
      answerJson(response, 200, { mode, sign_up: true, providers: mode === "accounts" ? ["github", "google"] : [] });
      return true;
    }
    if (request.headers.cookie?.includes("mock_signed_out") && !url.pathname.startsWith("/api/auth/")) {
      problem(response, 401, "not_signed_in", "You are not signed in.", "Open the URL that `stich up` printed.");
      return true;
    }
    const [, , room, id, part, ...rest] = url.pathname.split("/").map(decodeURIComponent);
    if (room === "about") {
      answerJson(response, 200, {
        version: "0.1.0",
        demo: true,
        models: ["demo/demo"],
        templates: [
          { name: "react-vite-tailwind", title: "React app", description: "React, Vite, TypeScript and Tailwind" },
        ],
        examples: [
          "A kanban board with drag and drop that keeps its cards",
          "A personal budget tracker with charts by month and category",
        ],
        temporal_ui: "http://127.0.0.1:8233",
      });
      return true;
    }
    if (room && (await answerSettings(request, response, url))) return true;
    if (room !== "sessions") return false;
    if (!id && request.method === "POST") {
      const body = await readBody(request);
      const key = String(request.headers["idempotency-key"]);
      const prompt = String(body.prompt ?? "").trim();
      if (!prompt) problem(response, 422, "prompt_empty", "The prompt is empty.", "Describe the app in a sentence.");
      else {
        const made = sessions.get(keys.get(key) ?? "") ?? new MockSession(prompt);
        sessions.set(made.id, made);
        keys.set(key, made.id);
        answerJson(response, 201, { id: made.id, url: `/s/${made.id}` });
      }
      return true;
    }
    if (!id) {
      const list = [...sessions.values()].filter((one) => one.archived === (url.searchParams.get("show") === "archived")).toReversed().map((one) => ({
        ...one.state.progress,
        id: one.id,
        state: one.state.progress.state.name,
        cost_usd: one.state.progress.usage.cost_usd,
        screenshot: null,
        updated_at: one.log.at(-1)?.at ?? one.updated,
      }));
      answerJson(response, 200, { sessions: list, next: null });
      return true;
    }
    const session = sessions.get(id);
    if (!session) {
      problem(response, 404, "session_unknown", "There is no session with this id.", "Go home and pick one of yours.");
      return true;
    }
    if (!part && request.method === "DELETE") {
      sessions.delete(id);
      answerJson(response, 202, {});
    } else if (part === "archive" || part === "unarchive") {
      session.archived = part === "archive";
      response.writeHead(204).end();
    } else if (!part) answerJson(response, 200, session.snapshot(session.log.length));
    else if (part === "events") watch(session, request, response);
    else if (part === "stop") answerJson(response, 200, (session.stop(), {}));
    else if (part === "resume") answerJson(response, 200, (session.resume(), {}));
    else if (part === "messages") {
      const body = await readBody(request);
      const message = { id: String(body.id), role: "user" as const, text: String(body.text), at: now() };
      session.say({ ...message, author: "local", state: "queued" });
      answerJson(response, 202, { id: body.id });
    } else if (part === "files" && rest.length > 0) {
      const text = session.files.get(rest.join("/"));
      if (text === undefined) problem(response, 404, "file_unknown", "There is no such file.", "Pick another file.");
      else response.writeHead(200, { "content-type": "text/plain; charset=utf-8" }).end(text);
    } else if (part === "files") answerJson(response, 200, { files: session.state.progress.files });
    else return false;
    return true;
  }

  function watch(session: MockSession, request: IncomingMessage, response: ServerResponse): void {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    const after = new URL(request.url ?? "/", "http://mock").searchParams.get("after");
    const last = Number(request.headers["last-event-id"] ?? after ?? Number.NaN);
    // As the service does: what is still open is sent again from its start, so that a late watcher holds it whole.
    const open = Object.values(session.state.open)[0]?.path;
    const opened = session.log.findLast(({ event }) => event.type === "file_generating" && event.path === open)?.seq;
    const planning = session.state.blueprintText && !session.state.progress.blueprint ? 0 : undefined;
    const from = Number.isNaN(last) ? (planning ?? (opened ? opened - 1 : session.log.length)) : last;
    if (Number.isNaN(last)) {
      response.write(`id: ${from}\nevent: snapshot\ndata: ${JSON.stringify(session.snapshot(from))}\n\n`);
    }
    for (const entry of session.log.slice(from)) writeEvent(response, entry);
    session.watchers.add(response);
    request.on("close", () => session.watchers.delete(response));
  }

  return {
    name: "mock-api",
    apply: "serve",
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        route(request, response).then(
          (done) => (done ? undefined : next()),
          (error: unknown) => next(error),
        );
      });
    },
  };
}
