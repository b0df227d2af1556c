// The conversation: the prompt, answers as they are written, notices, what waits in the queue, and what happens now.

import { CircleAlert } from "lucide-react";
import { useLayoutEffect, useMemo, useRef } from "react";
import { openQuestion, timeline, turns } from "../state/selectors";
import type { SessionError } from "../state/picture";
import { useSession } from "../state/session-context";
import { stateTone } from "../words";
import { Composer } from "./composer";
import { NowStrip } from "./now";
import { useOutbox } from "./outbox";
import { StepGroup } from "./steps";
import { ErrorTurn, OutgoingTurn, TurnView } from "./turn";

export function Chat() {
  return (
    <div className="chat">
      <Conversation />
      <NowStrip />
      <Composer />
    </div>
  );
}

function Conversation() {
  const conversation = useSession((session) => session.conversation);
  const drafts = useSession((session) => session.drafts);
  const phases = useSession((session) => session.progress.phases);
  const prompt = useSession((session) => session.progress.prompt);
  const images = useSession((session) => session.progress.images);
  const createdAt = useSession((session) => session.progress.created_at);
  const errors = useSession((session) => session.errors);
  const steps = useSession((session) => session.steps);
  const { waiting } = useOutbox();
  const wentOn = steps.at(-1)?.seq ?? 0;
  const shown = useMemo(
    () => turns(conversation, drafts, phases, { text: prompt, at: createdAt, images }),
    [conversation, drafts, phases, prompt, createdAt, images],
  );
  const items = useMemo(() => timeline(shown, errors, steps), [shown, errors, steps]);
  const question = openQuestion(conversation);

  const scroller = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  useLayoutEffect(() => {
    if (atEnd.current && scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
  }, [items, waiting]);

  return (
    <div
      ref={scroller}
      className="talk"
      role="log"
      aria-label="Conversation"
      // Scrollable areas are reached by keyboard.
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      onScroll={(event) => {
        const box = event.currentTarget;
        atEnd.current = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
      }}
    >
      <ul>
        {items.map((item) =>
          item.kind === "error" ? (
            <ErrorTurn key={`e${item.error.seq}`} error={item.error} over={item.error.seq < wentOn} />
          ) : item.kind === "steps" ? (
            <StepGroup key={`s${item.steps[0]?.id}`} steps={item.steps} />
          ) : (
            <TurnView key={item.turn.id} turn={item.turn} asks={item.turn.id === question && waiting.length === 0} />
          ),
        )}
        <StateNote errors={errors} />
        {waiting.map((message) => (
          <OutgoingTurn key={message.id} message={message} />
        ))}
      </ul>
    </div>
  );
}

/** Why the session does not go on, where no event of this page's time has said so already. */
function StateNote({ errors }: { errors: SessionError[] }) {
  const state = useSession((session) => session.progress.state);
  const tone = stateTone[state.name];
  if (tone !== "bad" || errors.some((error) => state.reason.includes(error.sentence))) return null;
  return (
    <li className="problem">
      <CircleAlert size={17} aria-hidden />
      <div>
        <p>
          <strong>{state.reason || "The session failed."}</strong>
        </p>
        {state.can.includes("resume") && <p>Resume tries again; a message asks for something else.</p>}
      </div>
    </li>
  );
}
