// Several answers to one task: how each was judged, which one goes on, and another choice.

import { useMutation } from "@tanstack/react-query";
import { Check } from "lucide-react";
import { useMemo } from "react";
import { chooseCandidate } from "../api/publish";
import type { Candidate } from "../api/types";
import { candidatesOf } from "../state/selectors";
import { useSession } from "../state/session-context";
import { Button, Pill, ProblemNote } from "../ui/parts";
import { plural, stateTone, type Tone } from "../words";
import { useRights } from "./access";

const words: Record<Candidate["status"], { text: string; tone: Tone }> = {
  writing: { text: "Being written", tone: "work" },
  checking: { text: "Being checked", tone: "work" },
  ready: { text: "Ready", tone: "ok" },
  failed: { text: "Failed", tone: "bad" },
};

/** `subject` is "blueprint" or a phase's id. Nothing is shown where there was one answer only. */
export function Candidates({ subject }: { subject: string }) {
  const session = useSession((one) => one.progress.session_id);
  const all = useSession((one) => one.progress.candidates);
  const working = useSession((one) => stateTone[one.progress.state.name] === "work");
  const candidates = useMemo(() => candidatesOf(all, subject), [all, subject]);
  const { may } = useRights();
  const choose = useMutation({ mutationFn: (id: string) => chooseCandidate(session, id) });
  if (candidates.length === 0) return null;
  return (
    <section className="candidates" aria-label="Candidates">
      <ul>
        {candidates.map((candidate) => {
          const { text, tone } = words[candidate.status];
          return (
            <li key={candidate.id} aria-current={candidate.chosen ? "true" : undefined}>
              <header>
                <b>{candidate.title || `Candidate ${candidate.number}`}</b>
                {candidate.score !== null && <span className="numeric quiet">{candidate.score} of 100</span>}
                {candidate.chosen ? (
                  <Pill tone="ok">
                    <Check size={12} aria-hidden /> Goes on
                  </Pill>
                ) : (
                  candidate.status !== "ready" && (
                    <Pill tone={tone} dot={tone === "work"}>
                      {text}
                    </Pill>
                  )
                )}
              </header>
              {candidate.reason && <p>{candidate.reason}</p>}
              <footer>
                <span className="quiet">
                  {candidate.files > 0 && plural(candidate.files, "file")}
                  {candidate.errors !== null && `, ${candidate.errors === 0 ? "no errors" : plural(candidate.errors, "error")}`}
                </span>
                {may("edit") && !candidate.chosen && candidate.status === "ready" && (
                  <Button small disabled={working || choose.isPending} onClick={() => choose.mutate(candidate.id)}>
                    Go on with this one
                  </Button>
                )}
              </footer>
            </li>
          );
        })}
      </ul>
      {choose.error && <ProblemNote error={choose.error} />}
    </section>
  );
}
