// The built app, running. Its frame keeps living while another tab is shown, so that its state is not lost.

import { useMutation } from "@tanstack/react-query";
import {
  ExternalLink,
  Eye,
  Monitor,
  MousePointerClick,
  RotateCw,
  ServerCog,
  Smartphone,
  SquareTerminal,
  Tablet,
  TriangleAlert,
} from "lucide-react";
import { lazy, Suspense, useCallback, useEffect, useRef, useState, type MouseEvent } from "react";
import { asProblem, type Problem } from "../api/client";
import { controlPreview, getPreview } from "../api/previews";
import type { Preview } from "../api/types";
import { useSession } from "../state/session-context";
import { Button, buttonClass, Empty, IconButton, ProblemNote, Stitch, Tooltip } from "../ui/parts";
import { stateTone } from "../words";
import { currentPhase } from "../state/selectors";
import { useRights } from "./access";
import { useDraft } from "./draft";
import { useFrameTalk, type Picked } from "./frame-talk";
import { useView } from "./view";
import "./preview.css";

const PreviewConsole = lazy(() => import("./preview-console"));

const LOOK_EVERY_MS = 15_000;
const RENEW_EVERY_MS = 60_000;
const LATE_MS = 700;
const LATE_TRIES = 8;

type Width = "desktop" | "tablet" | "phone";

const widths: { name: Width; label: string; icon: typeof Monitor }[] = [
  { name: "desktop", label: "Full width", icon: Monitor },
  { name: "tablet", label: "Tablet width, 768 pixels", icon: Tablet },
  { name: "phone", label: "Phone width, 390 pixels", icon: Smartphone },
];

export function PreviewPanel({ narrow, hold }: { narrow: boolean; hold: () => void }) {
  const preview = useSession((session) => session.progress.preview);
  const session = useSession((one) => one.progress.session_id);
  const [width, setWidth] = useState<Width>("desktop");
  const [round, setRound] = useState(0);
  const [log, setLog] = useState(false);
  const frame = useRef<HTMLIFrameElement>(null);
  const [loaded, setLoaded] = useState("");
  const way = useEntrance(round, setRound);
  const takeIn = useTakeIn(narrow);
  const { may } = useRights();
  // A way in that was taken back, or ran out: a browser that refuses the preview's cookie would say so again and again.
  const renewed = useRef(-RENEW_EVERY_MS);
  const onClosed = useCallback(() => {
    if (performance.now() - renewed.current < RENEW_EVERY_MS) return;
    renewed.current = performance.now();
    setRound((now) => now + 1);
  }, []);
  const talk = useFrameTalk(frame, way.entrance ?? preview.url ?? "", takeIn, onClosed);
  const restart = useMutation({
    mutationFn: () => controlPreview(session, "restart"),
    onSuccess: () => setRound(round + 1),
  });

  // Clicks inside the frame are not seen here; that it takes the focus is.
  useEffect(() => {
    const onBlur = () => {
      if (document.activeElement && document.activeElement === frame.current) hold();
    };
    window.addEventListener("blur", onBlur);
    return () => window.removeEventListener("blur", onBlur);
  }, [hold]);

  if (!isOpen(preview)) return <NoPreview />;
  if (way.problem) {
    return (
      <Empty icon={<TriangleAlert size={26} aria-hidden />} title="The preview cannot be opened">
        <p>{way.problem.message}</p>
        <button type="button" className={buttonClass("plain")} onClick={() => setRound(round + 1)}>
          Try again
        </button>
      </Empty>
    );
  }
  const address = way.entrance ?? preview.url;
  const showing = `${preview.url} ${round}`;
  return (
    <div className="preview">
      <div className="bar">
        <IconButton small label="Reload the preview" onClick={() => setRound(round + 1)}>
          <RotateCw size={15} aria-hidden />
        </IconButton>
        {may("edit") && (
          <IconButton small label="Restart the preview’s server" disabled={restart.isPending} onClick={() => restart.mutate()}>
            <ServerCog size={15} aria-hidden className={restart.isPending ? "spin" : undefined} />
          </IconButton>
        )}
        <span className="preview-address" title={new URL(address).origin}>
          {new URL(address).host}
        </span>
        {!narrow && (
          <div className="segments" role="group" aria-label="Width of the preview">
            {widths.map(({ name, label, icon: Icon }) => (
              <IconButton small key={name} label={label} aria-pressed={width === name} onClick={() => setWidth(name)}>
                <Icon size={15} aria-hidden />
              </IconButton>
            ))}
          </div>
        )}
        {talk.answers && may("comment") && (
          <IconButton
            small
            label={talk.picking ? "Stop picking" : "Pick an element for the message"}
            aria-pressed={talk.picking}
            onClick={() => talk.setPicking(!talk.picking)}
          >
            <MousePointerClick size={15} aria-hidden />
          </IconButton>
        )}
        <IconButton small label="Console" aria-pressed={log} onClick={() => setLog(!log)}>
          <SquareTerminal size={15} aria-hidden />
        </IconButton>
        <Tooltip text="Open in a new tab">
          <a
            className={buttonClass("plain", true, true)}
            href={address}
            target="_blank"
            rel="noreferrer"
            aria-label="Open the preview in a new tab"
            onClick={(event) => openFresh(event, session, preview.url)}
          >
            <ExternalLink size={15} aria-hidden />
          </a>
        </Tooltip>
      </div>
      <div className="preview-body">
        {restart.error && (
          <div className="pad">
            <ProblemNote
              error={restart.error}
              action={
                <Button small onClick={() => restart.reset()}>
                  Close
                </Button>
              }
            />
          </div>
        )}
        {talk.picking && (
          <p className="preview-hint" role="status">
            Press an element of the app: its place in the code goes into your message. Escape ends it.
          </p>
        )}
        <div className="preview-stage" data-width={width} aria-busy={loaded !== showing}>
          {loaded !== showing && (
            <div className="preview-loading">
              <Stitch />
              <p>Loading the app</p>
            </div>
          )}
          {!way.loading && (
            <iframe
              ref={frame}
              key={showing}
              onLoad={() => {
                setLoaded(showing);
                talk.greet();
              }}
              title="Preview of the app"
              src={address}
              // Another origin than this page's, so these two permissions together do not let it out of its frame.
              // oxlint-disable-next-line react/iframe-missing-sandbox
              sandbox="allow-scripts allow-same-origin allow-forms allow-popups allow-modals allow-downloads"
            />
          )}
        </div>
        {log && (
          <Suspense>
            <PreviewConsole lines={talk.lines} clear={talk.clear} close={() => setLog(false)} />
          </Suspense>
        )}
      </div>
    </div>
  );
}

/** Puts a picked element into the message box, and the cursor behind it. */
function useTakeIn(narrow: boolean): (picked: Picked) => void {
  const { insert } = useDraft();
  const { setTab } = useView();
  return useCallback(
    ({ file, line, html }: Picked) => {
      const place = file ? `In \`${file}\`, line ${line}: ` : "";
      insert(`${place}\`${html.replaceAll("`", "'").replace(/\s+/g, " ")}\`\n`);
      if (narrow) setTab("chat");
      requestAnimationFrame(() => {
        const box = document.getElementById("message");
        if (!(box instanceof HTMLTextAreaElement)) return;
        box.focus();
        box.setSelectionRange(box.value.length, box.value.length);
      });
    },
    [insert, narrow, setTab],
  );
}

/** A way in of its own for the new tab: the one of the frame may have been taken back. */
function openFresh(event: MouseEvent, session: string, fallback: string): void {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  const opened = window.open("", "_blank");
  if (!opened) return;
  event.preventDefault();
  opened.opener = null;
  getPreview(session).then(
    (info) => opened.location.replace(info.entrance ?? fallback),
    () => opened.location.replace(fallback),
  );
}

/** A server that is stopped starts by itself when its preview is opened. */
function isOpen(preview: Preview): preview is Preview & { url: string } {
  return (preview.status === "ready" || preview.status === "stopped") && preview.url !== null;
}

interface Way {
  round: number;
  loading: boolean;
  entrance: string | null;
  problem: Problem | null;
}

/** The address that lets this browser see the preview, fetched anew for every round and when it has run out. */
function useEntrance(round: number, setRound: (round: number) => void): Way {
  const id = useSession((session) => session.progress.session_id);
  const open = useSession((session) => isOpen(session.progress.preview));
  const [way, setWay] = useState<Way>({ round: -1, loading: true, entrance: null, problem: null });
  useEffect(() => {
    if (!open) return;
    const gone = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = (tries: number) => {
      getPreview(id, gone.signal).then(
        (info) => {
          // Asked at the very moment the preview became ready, the answer may still be the one from before.
          if (info.preview.url === null && tries > 0) {
            timer = setTimeout(() => ask(tries - 1), LATE_MS);
            return;
          }
          setWay({ round, loading: false, entrance: info.entrance, problem: null });
          // Looked at by the clock: a timer of hours stands still while the machine sleeps.
          const until = info.expires_at ? Date.parse(info.expires_at) : 0;
          if (until > Date.now()) timer = setInterval(() => until <= Date.now() && setRound(round + 1), LOOK_EVERY_MS);
        },
        (error: unknown) => {
          if (!gone.signal.aborted) setWay({ round, loading: false, entrance: null, problem: asProblem(error) });
        },
      );
    };
    ask(LATE_TRIES);
    return () => {
      gone.abort();
      clearTimeout(timer);
    };
  }, [id, open, round, setRound]);
  return way.round === round ? way : { round, loading: true, entrance: null, problem: null };
}

function NoPreview() {
  const preview = useSession((session) => session.progress.preview);
  const state = useSession((session) => session.progress.state);
  const phases = useSession((session) => session.progress.phases);
  const phase = currentPhase(phases);
  const working = stateTone[state.name] === "work";
  if (preview.status === "failed") {
    return (
      <Empty icon={<TriangleAlert size={26} aria-hidden />} title="The preview did not start">
        <p>{preview.detail || "The app could not be built."}</p>
        <p>The Problems tab shows what the checks found.</p>
      </Empty>
    );
  }
  if (preview.status === "starting") {
    return (
      <Empty title="Starting the preview" working>
        <p>{preview.detail}</p>
      </Empty>
    );
  }
  if (!working) {
    return (
      <Empty icon={<Eye size={26} aria-hidden />} title="No preview yet">
        <p>
          {state.name === "stopped"
            ? "The session is stopped before its first phase was done. Resume goes on with what is missing."
            : "The app appears here after its first phase is built and checked."}
        </p>
      </Empty>
    );
  }
  return (
    <Empty title={phase ? `Building “${phase.plan.name}”` : "Planning the app"} working>
      <p>The app appears here as soon as its first phase is built and checked.</p>
    </Empty>
  );
}
