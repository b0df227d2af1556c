// The conversation: the prompt, answers as they are written, notices, what waits in the queue, and what happens now.

import { CircleAlert, Info, LoaderCircle } from "lucide-react";
import { memo, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useNow } from "../state/clock";
import type { SessionError } from "../state/session";
import { turns, writingPath, type Turn } from "../state/selectors";
import { useSession } from "../state/session-context";
import { Markdown } from "../ui/markdown";
import { Button, Stitch } from "../ui/parts";
import { duration, messageWords, stateTone } from "../words";
import { Composer } from "./composer";
import { useOutbox, type Outgoing } from "./outbox";

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
  const createdAt = useSession((session) => session.progress.created_at);
  const errors = useSession((session) => session.errors);
  const { waiting } = useOutbox();
  const shown = useMemo(
    () => turns(conversation, drafts, phases, { text: prompt, at: createdAt }),
    [conversation, drafts, phases, prompt, createdAt],
  );
  const items = useMemo(() => interleave(shown, errors), [shown, errors]);

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
          "sentence" in item ? <ErrorTurn key={`e${item.seq}`} error={item} /> : <TurnView key={item.id} turn={item} />,
        )}
        <StateNote errors={errors} />
        {waiting.map((message) => (
          <OutgoingTurn key={message.id} message={message} />
        ))}
      </ul>
    </div>
  );
}

const time = (item: Turn | SessionError): number => (item.at === "" ? Number.MAX_SAFE_INTEGER : Date.parse(item.at));

/** Errors take their place in time among what was said; what is being written stays last. */
function interleave(shown: Turn[], errors: SessionError[]): (Turn | SessionError)[] {
  if (errors.length === 0) return shown;
  return [...shown, ...errors].toSorted((a, b) => time(a) - time(b));
}

const TurnView = memo(function TurnView({ turn }: { turn: Turn }) {
  if (turn.role === "notice") {
    return (
      <li className="notice">
        <Info size={15} aria-hidden />
        <Markdown text={turn.text} />
      </li>
    );
  }
  if (turn.role === "user") {
    const words = messageWords(turn.state, turn.phase);
    return (
      <li className="said said--user">
        <span className="visually-hidden">You: </span>
        <Saying text={turn.text} />
        {words && <small>{words}</small>}
      </li>
    );
  }
  return (
    <li className="said said--model" aria-busy={turn.streaming}>
      <span className="visually-hidden">stich: </span>
      <Markdown text={turn.text} />
    </li>
  );
});

const LONG_SAYING = 700;

/** What a person said, word for word; a very long text is folded. */
function Saying({ text }: { text: string }) {
  const [open, setOpen] = useState(false);
  if (text.length <= LONG_SAYING) return <p>{text}</p>;
  return (
    <>
      <p className={open ? undefined : "said-clamped"}>{text}</p>
      <button type="button" className="link" aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? "Show less" : "Show all"}
      </button>
    </>
  );
}

function ErrorTurn({ error }: { error: SessionError }) {
  return (
    <li className="problem">
      <CircleAlert size={17} aria-hidden />
      <div>
        <p>
          <strong>{error.sentence}</strong>
        </p>
        {error.nextAction && <p>{error.nextAction}</p>}
      </div>
    </li>
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

function OutgoingTurn({ message }: { message: Outgoing }) {
  const { retry, drop } = useOutbox();
  return (
    <li className="said said--user said--outgoing">
      <span className="visually-hidden">You: </span>
      <p>{message.text}</p>
      {message.problem ? (
        <div className="said-failed" role="alert">
          <span>
            Not sent. {message.problem.message} {message.problem.nextAction}
          </span>
          <Button small onClick={() => retry(message.id)}>
            Send again
          </Button>
          <Button small look="plain" onClick={() => drop(message.id)}>
            Discard
          </Button>
        </div>
      ) : (
        <small>Sending</small>
      )}
    </li>
  );
}

function NowStrip() {
  const operations = useSession((session) => session.progress.operations);
  const state = useSession((session) => session.progress.state);
  const waiting = useSession((session) => session.waiting);
  const path = useSession(writingPath);
  const now = useNow();
  const operation = operations.at(-1);
  const working = stateTone[state.name] === "work" || operation !== undefined;

  if (waiting) {
    const left = waiting.until ? Date.parse(waiting.until) - now : null;
    return (
      <div className="now now--waiting">
        <LoaderCircle size={15} className="spin" aria-hidden />
        <p>
          {waiting.reason}
          {left !== null && <span className="numeric"> {left > 0 ? `${duration(left)} left.` : "Any moment now."}</span>}
        </p>
      </div>
    );
  }
  if (!working) return null;
  return (
    <div className="now" aria-label="What happens now" role="group">
      <Stitch />
      <p>
        <span className="now-title">{operation?.title ?? state.reason}</span>
        {path && <code>{path}</code>}
      </p>
      <span className="quiet numeric">{duration(now - Date.parse(operation?.since ?? state.since))}</span>
    </div>
  );
}
