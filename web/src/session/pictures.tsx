// What the app looked like after a phase: small pictures, and the large one when pressed.

import { ExternalLink, X } from "lucide-react";
import { useCallback, useState } from "react";
import { screenshotUrl } from "../api/client";
import type { PhaseProgress, ScreenshotRef } from "../api/types";
import { useSession } from "../state/session-context";
import { Button, buttonClass } from "../ui/parts";
import { Modal } from "../ui/modal";

const windowName = (shot: ScreenshotRef): string => shot.name.charAt(0).toUpperCase() + shot.name.slice(1);

export function PhasePictures({ phase }: { phase: PhaseProgress }) {
  const id = useSession((session) => session.progress.session_id);
  const [large, setLarge] = useState<string | null>(null);
  const close = useCallback(() => setLarge(null), []);
  const shown = phase.screenshots.find((shot) => shot.name === large);
  if (phase.screenshots.length === 0) return null;
  return (
    <>
      <ul className="pictures" aria-label="Pictures of the app">
        {phase.screenshots.map((shot) => (
          <li key={shot.name}>
            <button type="button" aria-haspopup="dialog" onClick={() => setLarge(shot.name)}>
              <img
                src={screenshotUrl(id, shot.sha256)}
                width={shot.width}
                height={shot.height}
                alt={`The app after “${phase.plan.name}”, ${shot.name}`}
                loading="lazy"
                decoding="async"
              />
            </button>
            <span className="quiet">
              {windowName(shot)}
              {shot.blank && ", blank"}
            </span>
          </li>
        ))}
      </ul>
      {shown && (
        <Modal className="picture-box" label={`The app after “${phase.plan.name}”`} close={close}>
          <header>
            <div className="segments" role="group" aria-label="Window">
              {phase.screenshots.map((shot) => (
                <Button small look="plain" key={shot.name} aria-pressed={shot === shown} onClick={() => setLarge(shot.name)}>
                  {windowName(shot)}
                </Button>
              ))}
            </div>
            <span className="quiet numeric">
              {shown.width} × {shown.height}
              {shown.blank && " · the page was blank"}
            </span>
            <a
              className={buttonClass("plain", false, true)}
              href={screenshotUrl(id, shown.sha256)}
              target="_blank"
              rel="noreferrer noopener"
              aria-label="Open the picture in a new tab"
            >
              <ExternalLink size={17} aria-hidden />
            </a>
            <button type="button" className={buttonClass("plain", false, true)} aria-label="Close" onClick={close}>
              <X size={18} aria-hidden />
            </button>
          </header>
          {/* Tall pictures are scrolled, also by keyboard. */}
          {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
          <div className="picture-large" role="group" aria-label="Picture" tabIndex={0}>
            <img
              key={shown.sha256}
              src={screenshotUrl(id, shown.sha256)}
              width={shown.width}
              height={shown.height}
              alt={`The app after “${phase.plan.name}”, ${shown.name}, ${shown.width} by ${shown.height} pixels`}
            />
          </div>
        </Modal>
      )}
    </>
  );
}
