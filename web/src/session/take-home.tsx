// Out of stich and on: publish it, share it, take the code home.

import { Download, GitBranch, Globe, UserPlus } from "lucide-react";
import { Popover } from "radix-ui";
import { lazy, Suspense, useCallback } from "react";
import { exportUrl } from "../api/client";
import { useSession } from "../state/session-context";
import { CopyLine } from "../ui/copy";
import { Button, buttonClass, IconButton } from "../ui/parts";
import { useRights } from "./access";
import { useView } from "./view";

const PublishDialog = lazy(() => import("./publish"));
const ShareDialog = lazy(() => import("./share"));
const GithubDialog = lazy(() => import("./to-github"));

export function TakeHome({ narrow }: { narrow: boolean }) {
  const live = useSession((session) => session.progress.deployments.some((one) => one.status === "live"));
  const { setSheet } = useView();
  const { may } = useRights();
  if (!may("own")) return <GetTheCode />;
  return (
    <>
      <GetTheCode />
      <IconButton label="Share" onClick={() => setSheet("share")}>
        <UserPlus size={17} aria-hidden />
      </IconButton>
      {narrow ? (
        <IconButton label="Publish" onClick={() => setSheet("publish")}>
          <Globe size={17} aria-hidden />
        </IconButton>
      ) : (
        <Button onClick={() => setSheet("publish")}>
          <Globe size={15} aria-hidden className={live ? "good" : undefined} /> Publish
        </Button>
      )}
    </>
  );
}

/** The dialogs of the two. They outlast the change from a wide page to a narrow one. */
export function Sheets() {
  const { sheet, setSheet } = useView();
  const close = useCallback(() => setSheet(null), [setSheet]);
  return (
    <Suspense>
      {sheet === "publish" && <PublishDialog close={close} />}
      {sheet === "share" && <ShareDialog close={close} />}
      {sheet === "github" && <GithubDialog close={close} />}
    </Suspense>
  );
}

function GetTheCode() {
  const id = useSession((session) => session.progress.session_id);
  const { setSheet } = useView();
  const { may } = useRights();
  return (
    <Popover.Root>
      <Popover.Trigger className={buttonClass("plain", false, true)} aria-label="Get the code">
        <Download size={17} aria-hidden />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="popover" aria-label="Get the code" align="end" sideOffset={8} collisionPadding={12}>
          <a className={buttonClass("framed")} href={exportUrl(id)} download>
            <Download size={15} aria-hidden /> Download zip
          </a>
          {may("own") && (
            <Popover.Close asChild>
              <Button onClick={() => setSheet("github")}>
                <GitBranch size={15} aria-hidden /> Push to GitHub
              </Button>
            </Popover.Close>
          )}
          <p>Or with git, every version as a commit. What you push comes back as an edit.</p>
          <CopyLine label="Copy the command" text={`git clone ${window.location.origin}/git/${id}.git`} />
          <p className="quiet">As password git takes an API key of your account, or the token that stich up printed.</p>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** Who else has the session open. */
export function Company() {
  const watchers = useSession((session) => session.watchers);
  if (watchers.length < 2) return null;
  const shown = watchers.slice(0, 4);
  const names = watchers.map((watcher) => watcher.name || "Somebody");
  return (
    <ul className="company" aria-label={`Here now: ${names.join(", ")}`}>
      {shown.map((watcher) => (
        <li key={watcher.user_id} title={watcher.name || "Somebody"} data-hue={hueOf(watcher.user_id)}>
          {(watcher.name || "?").slice(0, 1).toUpperCase()}
        </li>
      ))}
      {watchers.length > shown.length && <li>+{watchers.length - shown.length}</li>}
    </ul>
  );
}

const HUES = 4;

/** The same colour for the same person, everywhere. */
function hueOf(id: string): number {
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + letter.charCodeAt(0)) % 997;
  return sum % HUES;
}
