// What the API sends and takes. Mirrors schemas/*.py; times are ISO 8601, money is a decimal in a string.

export type Mode = "deterministic" | "smart";
export type StateName =
  | "starting"
  | "planning"
  | "generating"
  | "reviewing"
  | "idle"
  | "stopped"
  | "waiting_for_capacity"
  | "waiting_for_budget"
  | "completed"
  | "failed";
export type Ability = "message" | "stop" | "resume";
export type Money = string | number | null;

export interface StateInfo {
  name: StateName;
  since: string;
  reason: string;
  can: Ability[];
  until: string | null;
  code: string | null;
}

export interface PlannedFile {
  path: string;
  purpose: string;
}

export interface PhasePlan {
  name: string;
  description: string;
  files: PlannedFile[];
  deletes: string[];
  install: string[];
  last: boolean;
}

export interface Blueprint {
  title: string;
  description: string;
  colour_palette: string[];
  views: { name: string; description: string }[];
  user_flow: string;
  data_flow: string;
  architecture: string;
  pitfalls: string[];
  dependencies: string[];
  phases_outline: string[];
  first_phase: PhasePlan;
}

export type MessageState = "queued" | "being_read" | "planned" | "done" | "withdrawn";

/** A picture that somebody sent along: size in bytes, width and height in pixels. */
export interface ImageRef {
  id: string;
  media_type: string;
  width: number;
  height: number;
  size: number;
}

export interface QueuedMessage {
  id: string;
  text: string;
  author: string;
  author_name?: string | null;
  at: string;
  state: MessageState;
  answered: boolean;
  wants_change: boolean;
  taken_up?: boolean;
  phase_id: string | null;
  images?: ImageRef[];
}

export interface ChatMessage {
  id: string;
  role: "user" | "assistant" | "notice";
  text: string;
  at: string;
  author: string | null;
  state: MessageState;
  /** Answers to choose from, where the message asks something. */
  options?: string[];
  author_name?: string | null;
  phase_id?: string | null;
  images?: ImageRef[];
}

/** What the builder wants to know before it goes on. */
export interface Question {
  id: string;
  text: string;
  options: string[];
  phase_id: string | null;
  at: string;
}

/** A plan ("blueprint") or a phase (its id), written beside others of its kind; one of them is chosen. */
export interface Candidate {
  id: string;
  subject: string;
  number: number;
  status: "writing" | "checking" | "ready" | "failed";
  title: string;
  files: number;
  errors: number | null;
  score: number | null;
  reason: string;
  chosen: boolean;
}

/** A user's edit and the session's change of the same lines. The session's text stands until the user chooses. */
export interface FileConflict {
  path: string;
  state: "open" | "resolved";
  base_sha256: string | null;
  mine_sha256: string | null;
  version: number;
  user_id: string;
  since: string;
  choice: string | null;
}

export interface Watcher {
  user_id: string;
  name: string;
  since: string;
}

export interface ForkOrigin {
  session_id: string;
  version: number;
}

export interface FileRef {
  path: string;
  sha256: string;
  size: number;
  version: number;
  phase_id: string | null;
  author: string;
}

export type PhaseStatus = "planned" | "generating" | "checking" | "fixing" | "completed" | "failed";

/** A picture of the app: the image by its hash, the window it was seen through, in CSS pixels. */
export interface ScreenshotRef {
  sha256: string;
  name: string;
  width: number;
  height: number;
  blank: boolean;
}

export interface PhaseProgress {
  id: string;
  plan: PhasePlan;
  status: PhaseStatus;
  files: string[];
  checks: CheckReport | null;
  screenshots: ScreenshotRef[];
  fix_rounds: number;
  message_ids: string[];
  started_at: string | null;
  finished_at: string | null;
  /** The last version that it stands in, once a retry took it back. */
  discarded_at?: number | null;
}

export interface UsageTotals {
  calls: number;
  input_tokens: number;
  cached_tokens: number;
  output_tokens: number;
  reasoning_tokens: number;
  cost_usd: Money;
}

export interface Operation {
  id: string;
  action: string;
  title: string;
  phase_id: string | null;
  since: string;
}

export interface Preview {
  status: "none" | "starting" | "ready" | "stopped" | "failed";
  url: string | null;
  detail: string;
}

/** How the preview is, and an address that lets this browser see it until `expires_at`. */
export interface PreviewInfo {
  preview: Preview;
  entrance: string | null;
  expires_at: string | null;
  server: "stopped" | "starting" | "ready" | "failed";
  detail: string;
  restarts: number;
}

export type DeploymentTarget = "local" | "cloudflare" | "netlify" | "vercel";

export interface Deployment {
  id: string;
  target: DeploymentTarget;
  status: "requested" | "building" | "uploading" | "live" | "withdrawing" | "withdrawn" | "failed";
  version: number | null;
  url: string | null;
  digest: string | null;
  files: number;
  size: number;
  detail: string;
  code: string | null;
  requested_at: string;
  changed_at: string;
}

export interface Progress {
  session_id: string;
  title: string;
  prompt: string;
  mode: Mode;
  template: string | null;
  model: string | null;
  demo: boolean;
  state: StateInfo;
  blueprint: Blueprint | null;
  phases: PhaseProgress[];
  files: FileRef[];
  messages: QueuedMessage[];
  operations: Operation[];
  usage: UsageTotals;
  preview: Preview;
  deployments: Deployment[];
  candidates: Candidate[];
  question: Question | null;
  images: ImageRef[];
  missing: { package: string; reason: string }[];
  forked_from: ForkOrigin | null;
  created_at: string;
  last_seq: number;
}

/** Part of a budget is used up: at least `percent` of it. */
export interface BudgetNotice {
  id: number;
  kind: "session" | "day" | "month" | "total";
  percent: number;
  limit_usd: Money;
  spent_usd: Money;
  at: string;
}

export interface Staleness {
  age: number;
  reason: string;
}

export interface SessionSnapshot {
  progress: Progress;
  conversation: ChatMessage[];
  conflicts: FileConflict[];
  stale: Staleness | null;
}

export type IssueSource =
  | "typecheck"
  | "lint"
  | "build"
  | "markup"
  | "server"
  | "browser"
  | "network"
  | "screenshot"
  | "review"
  | "sandbox";

export interface Issue {
  file: string | null;
  line: number | null;
  column: number | null;
  code: string;
  severity: "error" | "warning" | "info";
  source: IssueSource;
  message: string;
  count: number;
}

export interface CheckReport {
  issues: Issue[];
  ran: IssueSource[];
  seconds: number;
}

export type FileFormat = "full_content" | "unified_diff";
export type CommandStatus = "running" | "done" | "failed" | "refused";

export type SessionEvent =
  | { type: "session_state"; state: StateInfo }
  | { type: "session_info"; title: string; template: string | null; model: string | null; demo: boolean }
  | { type: "operation_started"; operation: Operation }
  | { type: "operation_finished"; operation_id: string; outcome: "done" | "failed" | "stopped" }
  | { type: "operation_reset"; operation_id: string; attempt: number; reason: string }
  | { type: "blueprint_chunk"; operation_id: string; offset: number; text: string }
  | { type: "blueprint"; blueprint: Blueprint }
  | { type: "phase"; phase: PhaseProgress }
  | {
      type: "file_generating";
      operation_id: string;
      path: string;
      purpose: string;
      format: FileFormat;
      phase_id: string | null;
    }
  | { type: "file_chunk"; operation_id: string; path: string; offset: number; text: string; format: FileFormat }
  | { type: "file_generated"; operation_id: string; file: FileRef }
  | { type: "file_deleted"; operation_id: string; path: string }
  | { type: "file_reset"; operation_id: string; path: string; reason: string }
  | { type: "file_conflict"; conflict: FileConflict }
  | {
      type: "file_fix";
      operation_id: string;
      path: string;
      status: "fixing" | "fixed" | "kept";
      by: "rule" | "model";
      problems: string[];
    }
  | { type: "candidate"; candidate: Candidate }
  /** Who is here now. Not part of the log: it has no number of its own. */
  | { type: "presence"; watchers: Watcher[] }
  | { type: "checks"; phase_id: string; report: CheckReport }
  | { type: "command"; operation_id: string; command: string; status: CommandStatus; output: string }
  | { type: "preview"; preview: Preview }
  | { type: "deployment"; deployment: Deployment }
  | { type: "message"; message: ChatMessage }
  | { type: "conversation_delta"; operation_id: string; message_id: string; offset: number; text: string }
  | { type: "usage"; operation_id: string; action: string; model: string; usage: UsageTotals }
  | { type: "budget"; notice: BudgetNotice }
  | { type: "waiting"; operation_id: string; code: string; reason: string; until: string | null }
  | { type: "error"; operation_id: string | null; code: string; sentence: string; next_action: string; secrets?: MaskedSecret[] };

/** A key that was found, and taken out where people paste or a model writes; `provider` is whose key it could be. */
export interface MaskedSecret {
  kind: string;
  provider: string | null;
  hint: string;
}

export const EVENT_TYPES: readonly SessionEvent["type"][] = [
  "session_state",
  "session_info",
  "operation_started",
  "operation_finished",
  "operation_reset",
  "blueprint_chunk",
  "blueprint",
  "phase",
  "file_generating",
  "file_chunk",
  "file_generated",
  "file_deleted",
  "file_reset",
  "file_conflict",
  "file_fix",
  "candidate",
  "presence",
  "checks",
  "command",
  "preview",
  "deployment",
  "message",
  "conversation_delta",
  "usage",
  "budget",
  "waiting",
  "error",
];

export interface SessionSummary {
  id: string;
  title: string;
  prompt: string;
  mode: Mode;
  template: string | null;
  state: StateName;
  demo: boolean;
  cost_usd: Money;
  /** The newest picture of the app, by its hash. */
  screenshot: string | null;
  created_at: string;
  updated_at: string;
}

/** Which sessions a list shows. */
export type Shown = "all" | "working" | "waiting" | "finished" | "failed" | "archived";

export interface SessionList {
  sessions: SessionSummary[];
  next: string | null;
}

export interface About {
  version: string;
  demo: boolean;
  models: string[];
  templates: { name: string; title: string; description: string; protected_files?: string[] }[];
  examples: string[];
  temporal_ui: string | null;
}

export interface CreateSession {
  prompt: string;
  mode?: Mode;
  template?: string | null;
  review_cycles?: number;
  max_phases?: number;
  complexity?: "simple" | "moderate" | "complex";
  parallel_calls?: number;
  blueprint_candidates?: number;
  phase_candidates?: number;
  max_cost_usd?: string | null;
  image_ids?: string[];
}

export interface ProblemBody {
  title: string;
  status: number;
  code: string;
  detail: string;
  next_action: string;
  request_id: string;
}
