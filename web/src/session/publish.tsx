// Publishing: where to, how far it is, the address, and taking it back.

import { useMutation } from "@tanstack/react-query";
import { CircleAlert, ExternalLink, Globe } from "lucide-react";
import { useState } from "react";
import { publish, withdraw } from "../api/publish";
import type { Deployment, DeploymentTarget } from "../api/types";
import { newId } from "../state/ids";
import { useNow } from "../state/clock";
import { useSession } from "../state/session-context";
import { CopyButton } from "../ui/copy";
import { Button, buttonClass, Pill, ProblemNote } from "../ui/parts";
import { ago, plural, size, type Tone } from "../words";
import { SheetDialog } from "./sheet";

const targets: Record<DeploymentTarget, string> = {
  local: "This service",
  cloudflare: "Cloudflare Pages",
  netlify: "Netlify",
  vercel: "Vercel",
};

const help: Record<DeploymentTarget, string> = {
  local: "An address of its own at this stich, at once and without an account anywhere.",
  cloudflare: "Needs an API token of Cloudflare among your keys.",
  netlify: "Needs an access token of Netlify among your keys.",
  vercel: "Needs an access token of Vercel among your keys.",
};

const words: Record<Deployment["status"], { text: string; tone: Tone }> = {
  requested: { text: "In line", tone: "work" },
  building: { text: "Building", tone: "work" },
  uploading: { text: "Uploading", tone: "work" },
  live: { text: "Live", tone: "ok" },
  withdrawing: { text: "Being withdrawn", tone: "work" },
  withdrawn: { text: "Withdrawn", tone: "rest" },
  failed: { text: "Failed", tone: "bad" },
};

export default function PublishDialog({ close }: { close: () => void }) {
  const session = useSession((one) => one.progress.session_id);
  const deployments = useSession((one) => one.progress.deployments);
  const files = useSession((one) => one.progress.files.length);
  const [target, setTarget] = useState<DeploymentTarget>("local");
  const start = useMutation({ mutationFn: () => publish(session, target, `d-${newId().replace(/[^A-Za-z0-9_-]/g, "").slice(0, 40)}`) });
  const shown = deployments.toReversed();
  const live = deployments.some((one) => one.target === target && one.status === "live");
  const busy = deployments.some((one) => one.target === target && words[one.status].tone === "work");
  return (
    <SheetDialog label="Publish" title="Publish the app" close={close}>
      <label className="field">
        Where to
        <select className="input" value={target} onChange={(event) => setTarget(event.target.value as DeploymentTarget)}>
          {Object.entries(targets).map(([name, title]) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <p className="quiet">{help[target]}</p>
      {start.error && <ProblemNote error={start.error} />}
      <Button look="primary" disabled={start.isPending || busy || files === 0} onClick={() => start.mutate()}>
        <Globe size={15} aria-hidden /> {busy ? "Publishing" : live ? "Publish again" : "Publish"}
      </Button>
      {files === 0 && <p className="quiet">There is nothing to publish yet.</p>}
      {shown.length > 0 && (
        <section aria-label="Published">
          <h3>Published</h3>
          <ul className="sheet-list">
            {shown.map((deployment) => (
              <DeploymentItem key={deployment.id} deployment={deployment} />
            ))}
          </ul>
        </section>
      )}
    </SheetDialog>
  );
}

function DeploymentItem({ deployment }: { deployment: Deployment }) {
  const session = useSession((one) => one.progress.session_id);
  const now = useNow();
  const { text, tone } = words[deployment.status];
  const back = useMutation({ mutationFn: () => withdraw(session, deployment.target) });
  const address = deployment.status === "live" ? deployment.url : null;
  return (
    <li>
      <Pill tone={tone} dot={tone === "work"}>
        {text}
      </Pill>
      <div className="grow">
        {address ? (
          <a href={address} target="_blank" rel="noreferrer noopener">
            {address.replace(/^https?:\/\//, "").replace(/\/$/, "")}
          </a>
        ) : (
          targets[deployment.target]
        )}
        <p className="quiet">
          {address && `${targets[deployment.target]} · ${plural(deployment.files, "file")}, ${size(deployment.size)} · `}
          {ago(deployment.changed_at, now)}
        </p>
        {deployment.detail && (
          <p className={tone === "bad" ? "bad" : "quiet"}>
            {tone === "bad" && <CircleAlert size={13} aria-hidden />} {deployment.detail}
          </p>
        )}
        {back.error && <ProblemNote error={back.error} />}
      </div>
      {address && (
        <>
          <CopyButton label="Copy the address" text={() => address} />
          <a
            className={buttonClass("plain", true, true)}
            href={address}
            target="_blank"
            rel="noreferrer noopener"
            aria-label="Open the published app"
          >
            <ExternalLink size={15} aria-hidden />
          </a>
          <Button small disabled={back.isPending} onClick={() => back.mutate()}>
            Withdraw
          </Button>
        </>
      )}
    </li>
  );
}
