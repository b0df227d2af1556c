// The built app, running. Its frame keeps living while another tab is shown, so that its state is not lost.

import { ExternalLink, Eye, Monitor, RotateCw, Smartphone, Tablet, TriangleAlert } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useSession } from "../state/session-context";
import { buttonClass, Empty, IconButton, Stitch, Tooltip } from "../ui/parts";
import { stateTone } from "../words";
import { currentPhase } from "../state/selectors";

type Width = "desktop" | "tablet" | "phone";

const widths: { name: Width; label: string; icon: typeof Monitor }[] = [
  { name: "desktop", label: "Full width", icon: Monitor },
  { name: "tablet", label: "Tablet width, 768 pixels", icon: Tablet },
  { name: "phone", label: "Phone width, 390 pixels", icon: Smartphone },
];

export function PreviewPanel({ narrow, hold }: { narrow: boolean; hold: () => void }) {
  const preview = useSession((session) => session.progress.preview);
  const [width, setWidth] = useState<Width>("desktop");
  const [round, setRound] = useState(0);
  const frame = useRef<HTMLIFrameElement>(null);
  const [loaded, setLoaded] = useState("");

  // Clicks inside the frame are not seen here; that it takes the focus is.
  useEffect(() => {
    const onBlur = () => {
      if (document.activeElement && document.activeElement === frame.current) hold();
    };
    window.addEventListener("blur", onBlur);
    return () => window.removeEventListener("blur", onBlur);
  }, [hold]);

  if (preview.status !== "ready" || !preview.url) return <NoPreview />;
  const showing = `${preview.url} ${round}`;
  return (
    <div className="preview">
      <div className="bar">
        <IconButton small label="Reload the preview" onClick={() => setRound(round + 1)}>
          <RotateCw size={15} aria-hidden />
        </IconButton>
        <span className="preview-address" title={preview.url}>
          {preview.url.replace(/^https?:\/\//, "").replace(/\/$/, "")}
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
        <Tooltip text="Open in a new tab">
          <a
            className={buttonClass("plain", true, true)}
            href={preview.url}
            target="_blank"
            rel="noreferrer"
            aria-label="Open the preview in a new tab"
          >
            <ExternalLink size={15} aria-hidden />
          </a>
        </Tooltip>
      </div>
      <div className="preview-stage" data-width={width} aria-busy={loaded !== showing}>
        {loaded !== showing && (
          <div className="preview-loading">
            <Stitch />
            <p>Loading the app</p>
          </div>
        )}
        <iframe
          ref={frame}
          key={showing}
          onLoad={() => setLoaded(showing)}
          title="Preview of the app"
          src={preview.url}
          // Another origin than this page's, so these two permissions together do not let it out of its frame.
          // oxlint-disable-next-line react/iframe-missing-sandbox
          sandbox="allow-scripts allow-same-origin allow-forms allow-popups allow-modals allow-downloads"
        />
      </div>
    </div>
  );
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
