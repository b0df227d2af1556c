import { CircleAlert, CircleCheck } from "lucide-react";
import type { TryAnswer } from "../api/models";
import { money } from "../words";

/** What came of a small call: who answered and how fast, or why not and what to do. */
export function TryResult({ answer }: { answer: TryAnswer }) {
  const whose = answer.demo ? "the demo model" : answer.credential === "user" ? "your key" : "the platform's key";
  return (
    <div className={answer.ok ? "try try--ok" : "try"} role="status">
      {answer.ok ? <CircleCheck size={17} aria-hidden /> : <CircleAlert size={17} aria-hidden />}
      {answer.ok ? (
        <p>
          <strong>{answer.model}</strong> answered in {answer.seconds.toFixed(1)} s, through {answer.provider} with {whose}
          {answer.price === null ? "" : ` (${money(answer.price)})`}.
        </p>
      ) : (
        <p>
          <strong>{answer.sentence}</strong> {answer.next_action}
        </p>
      )}
    </div>
  );
}
