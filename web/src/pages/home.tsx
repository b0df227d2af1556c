// Start page: what shall be built, and what was built before.

import type { About } from "../api/types";
import { DemoNote } from "../home/demo-note";
import { PromptBox } from "../home/prompt-box";
import { RecentSessions } from "../home/recent";
import { Shell } from "../shell/shell";
import { ProblemNote } from "../ui/parts";
import "./pages.css";
import "./recent.css";
import "./home.css";

export function HomePage({ about, aboutError }: { about: About | undefined; aboutError: unknown }) {
  return (
    <Shell title="">
      <main className="home-main" id="main" tabIndex={-1}>
        <h1>What shall we make?</h1>
        <PromptBox about={about} />
        {aboutError ? <ProblemNote error={aboutError} /> : null}
        {about?.demo && <DemoNote />}
        {/* Not before the note above it is known, so that nothing moves. */}
        {about !== undefined || aboutError ? <RecentSessions /> : null}
      </main>
      <footer className="home-foot">
        {about ? `stich ${about.version}` : "stich"}
        {about?.temporal_ui && (
          <a href={about.temporal_ui} target="_blank" rel="noreferrer noopener">
            Workflows
          </a>
        )}
      </footer>
    </Shell>
  );
}
