// The plan as it is written, and the phases that carry it out.

import { Check, CircleAlert, CircleDashed, FileCode2, ListTree, LoaderCircle, Package, Trash2, Wrench } from "lucide-react";
import { useMemo } from "react";
import type { Blueprint, PhaseProgress, PhasePlan } from "../api/types";
import { useNow } from "../state/clock";
import { parsePartial } from "../state/partial-json";
import { useSession } from "../state/session-context";
import { Empty, Pill } from "../ui/parts";
import { duration, phaseWords, plural, sourcesWords, stateTone, type Tone } from "../words";
import { Candidates } from "./candidates";
import { PhasePictures } from "./pictures";
import { RetryPhase } from "./retry";
import { useView } from "./view";

type Draft = Partial<Blueprint>;

/** Nothing happens by itself in a state of this tone. */
const RESTING: ReadonlySet<Tone> = new Set<Tone>(["rest", "bad"]);

export function PlanPanel() {
  const ready = useSession((session) => session.progress.blueprint);
  const streamed = useSession((session) => session.blueprintText?.text ?? null);
  const phases = useSession((session) => session.progress.phases);
  const working = useSession((session) => !RESTING.has(stateTone[session.progress.state.name]));
  const draft = useMemo(() => (streamed === null ? null : readDraft(streamed)), [streamed]);
  // A new plan that is being written takes the place of the old one only once it is finished.
  const blueprint: Draft | null = ready ?? draft;

  if (!blueprint && phases.length === 0 && !working) {
    return (
      <Empty icon={<ListTree size={26} aria-hidden />} title="No plan yet">
        <p>The session ended before its plan was written. The conversation says why and what to do.</p>
      </Empty>
    );
  }
  if (!blueprint && phases.length === 0) {
    return (
      <Empty title="Planning the app" working>
        <p>The plan appears here word by word: what the app is, its views, its data, and the phases to build it in.</p>
      </Empty>
    );
  }
  return (
    <div className="plan">
      <Phases phases={phases} outline={blueprint?.phases_outline} first={blueprint?.first_phase} />
      <div>
        <Candidates subject="blueprint" />
        {blueprint && <BlueprintView blueprint={blueprint} writing={ready === null} />}
      </div>
    </div>
  );
}

/** Only fields of the right shape: what is still being written may be anything. */
function readDraft(text: string): Draft {
  const value = parsePartial(text);
  if (typeof value !== "object" || value === null) return {};
  const raw = value as Record<string, unknown>;
  const draft: Draft = {};
  for (const key of ["title", "description", "user_flow", "data_flow", "architecture"] as const) {
    if (typeof raw[key] === "string") draft[key] = raw[key];
  }
  for (const key of ["colour_palette", "pitfalls", "dependencies", "phases_outline"] as const) {
    const list = raw[key];
    if (Array.isArray(list)) draft[key] = list.filter((item) => typeof item === "string");
  }
  if (Array.isArray(raw.views)) {
    draft.views = raw.views.flatMap((view: unknown) => {
      const { name, description } = (view ?? {}) as Record<string, unknown>;
      return typeof name === "string" ? [{ name, description: typeof description === "string" ? description : "" }] : [];
    });
  }
  return draft;
}

function BlueprintView({ blueprint, writing }: { blueprint: Draft; writing: boolean }) {
  const prose: [string, string | undefined][] = [
    ["How it is used", blueprint.user_flow],
    ["Data", blueprint.data_flow],
    ["Architecture", blueprint.architecture],
  ];
  return (
    <section className="blueprint" aria-label="Blueprint" aria-busy={writing}>
      <h2>{blueprint.title ?? "Writing the plan"}</h2>
      {blueprint.description && <p className="blueprint-lead">{blueprint.description}</p>}
      {blueprint.colour_palette && blueprint.colour_palette.length > 0 && (
        <ul className="palette" aria-label="Colours">
          {blueprint.colour_palette.map((colour) => (
            <li key={colour}>
              <Swatch colour={colour} />
              <code>{colour}</code>
            </li>
          ))}
        </ul>
      )}
      {blueprint.views && blueprint.views.length > 0 && (
        <>
          <h3>Views</h3>
          <dl className="views">
            {blueprint.views.map((view) => (
              <div key={view.name}>
                <dt>{view.name}</dt>
                <dd>{view.description}</dd>
              </div>
            ))}
          </dl>
        </>
      )}
      {prose.map(([title, text]) =>
        text ? (
          <div key={title}>
            <h3>{title}</h3>
            <p>{text}</p>
          </div>
        ) : null,
      )}
      {blueprint.pitfalls && blueprint.pitfalls.length > 0 && (
        <>
          <h3>To watch out for</h3>
          <ul className="dots">
            {blueprint.pitfalls.map((pitfall) => (
              <li key={pitfall}>{pitfall}</li>
            ))}
          </ul>
        </>
      )}
      {blueprint.dependencies && blueprint.dependencies.length > 0 && (
        <>
          <h3>Packages</h3>
          <ul className="chips">
            {blueprint.dependencies.map((name) => (
              <li key={name}>
                <code>{name}</code>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

/** The first colour named in the text; models write "#2d4a86 (denim)" as well as the bare value. */
function Swatch({ colour }: { colour: string }) {
  const value = /#[0-9a-f]{3,8}\b|\b(?:rgb|hsl|oklch)a?\([^)]*\)/i.exec(colour)?.[0] ?? colour;
  return <i style={{ backgroundColor: CSS.supports("color", value) ? value : "transparent" }} aria-hidden />;
}

interface PhasesProps {
  phases: PhaseProgress[];
  outline: string[] | undefined;
  first: PhasePlan | undefined;
}

function Phases({ phases, outline, first }: PhasesProps) {
  // What is still to come is known only in outline; a last phase, or as many as were outlined, ends it.
  const ended = phases.some((phase) => phase.plan.last);
  const coming = ended ? [] : (outline ?? (first ? [first.name] : [])).slice(phases.length);
  return (
    <section className="phases" aria-label="Phases">
      <h2>Phases</h2>
      {phases.length === 0 && coming.length === 0 && <p className="quiet">They follow from the plan.</p>}
      <ol>
        {phases.map((phase, index) => (
          <PhaseItem key={phase.id} phase={phase} number={index + 1} />
        ))}
        {coming.map((text, index) => (
          <li key={text} className="phase phase--coming">
            <span className="phase-mark" aria-hidden>
              {phases.length + index + 1}
            </span>
            <div className="phase-body">
              <p className="quiet">{text}</p>
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}

const tones: Record<PhaseProgress["status"], Tone> = {
  planned: "rest",
  generating: "work",
  checking: "work",
  fixing: "work",
  completed: "ok",
  failed: "bad",
};

function PhaseItem({ phase, number }: { phase: PhaseProgress; number: number }) {
  const resting = useSession((session) => RESTING.has(stateTone[session.progress.state.name]));
  const unfinished = tones[phase.status] === "work";
  const working = unfinished && !resting;
  return (
    <li className="phase" data-status={unfinished && resting ? "paused" : phase.status} aria-current={working ? "step" : undefined}>
      <span className="phase-mark" aria-hidden>
        {phase.status === "completed" ? <Check size={14} /> : phase.status === "failed" ? <CircleAlert size={14} /> : number}
      </span>
      <div className="phase-body">
        <div className="phase-head">
          <h3>{phase.plan.name}</h3>
          <Pill tone={unfinished && resting ? "rest" : tones[phase.status]} dot={working}>
            {unfinished && resting ? "Not finished" : phaseWords[phase.status]}
          </Pill>
          <span className="phase-tools">
            {!(unfinished && resting) && <PhaseTime phase={phase} />}
            <RetryPhase phase={phase} />
          </span>
        </div>
        {phase.plan.description && <p className="phase-text">{phase.plan.description}</p>}
        <PhaseFiles phase={phase} />
        {phase.plan.install.length > 0 && (
          <p className="phase-line">
            <Package size={14} aria-hidden /> {phase.plan.install.join(", ")}
          </p>
        )}
        {phase.plan.deletes.length > 0 && (
          <p className="phase-line">
            <Trash2 size={14} aria-hidden /> {phase.plan.deletes.join(", ")}
          </p>
        )}
        <PhaseChecks phase={phase} />
        <Candidates subject={phase.id} />
        <PhasePictures phase={phase} />
      </div>
    </li>
  );
}

function PhaseTime({ phase }: { phase: PhaseProgress }) {
  const now = useNow();
  if (!phase.started_at) return null;
  const end = phase.finished_at ? Date.parse(phase.finished_at) : now;
  return <span className="quiet numeric phase-time">{duration(end - Date.parse(phase.started_at))}</span>;
}

function PhaseFiles({ phase }: { phase: PhaseProgress }) {
  const { openFile, follow, setTab } = useView();
  const writing = useSession((session) => Object.keys(session.open).join("\n")).split("\n");
  const files = useSession((session) => session.progress.files);
  // The phase lists its files once it is done; until then the files say which phase wrote them.
  const written = new Set([...phase.files, ...files.filter((file) => file.phase_id === phase.id).map((file) => file.path)]);
  const planned = phase.plan.files.map((file) => file.path);
  const purposes = new Map(phase.plan.files.map((file) => [file.path, file.purpose]));
  const paths = [...new Set([...planned, ...written])];
  const active = tones[phase.status] === "work";
  if (paths.length === 0) return null;
  return (
    <ul className="phase-files">
      {paths.map((path) => {
        const live = active && writing.includes(path);
        const done = written.has(path);
        const state = live ? "being written" : done ? "written" : "to be written";
        const Icon = live ? LoaderCircle : done ? FileCode2 : CircleDashed;
        return (
          <li key={path} data-state={live ? "live" : done ? "done" : "coming"}>
            <Icon size={14} className={live ? "spin" : undefined} aria-hidden />
            {live || done ? (
              <button
                type="button"
                onClick={() => {
                  if (!live) return openFile(path);
                  follow();
                  return setTab("code");
                }}
              >
                {path}
              </button>
            ) : (
              <span className="phase-path">{path}</span>
            )}
            <span className="visually-hidden">, {state}</span>
            {purposes.get(path) && <span className="phase-purpose">{purposes.get(path)}</span>}
          </li>
        );
      })}
    </ul>
  );
}

function PhaseChecks({ phase }: { phase: PhaseProgress }) {
  const { setTab } = useView();
  const report = phase.checks;
  if (!report) return null;
  const errors = report.issues.filter((issue) => issue.severity === "error").length;
  const warnings = report.issues.filter((issue) => issue.severity === "warning").length;
  const ran = sourcesWords(report.ran);
  return (
    <>
      <p className="phase-line">
        {errors > 0 ? (
          <CircleAlert size={14} aria-hidden className="bad" />
        ) : (
          <Check size={14} aria-hidden className="good" />
        )}
        <span>
          {errors > 0 ? plural(errors, "error") : "No errors"}
          {warnings > 0 && `, ${plural(warnings, "warning")}`}
          {ran && <span className="quiet"> · {ran}</span>}
        </span>
        {errors + warnings > 0 && (
          <button type="button" className="link" onClick={() => setTab("problems")}>
            Show
          </button>
        )}
      </p>
      {phase.fix_rounds > 0 && (
        <p className="phase-line">
          <Wrench size={14} aria-hidden /> {plural(phase.fix_rounds, "round")} of repair
        </p>
      )}
    </>
  );
}
