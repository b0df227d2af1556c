// One turn of the conversation: what a person said (and may still change), an answer, a question with its options.

import { CircleAlert, Info, Pencil, Undo2 } from "lucide-react";
import { memo, useState } from "react";
import { asProblem, type Problem } from "../api/client";
import { editMessage, withdrawMessage } from "../api/messages";
import type { Turn } from "../state/selectors";
import type { SessionError } from "../state/picture";
import { useMe } from "../shell/me";
import { useSession } from "../state/session-context";
import { Markdown } from "../ui/markdown";
import { Button, IconButton } from "../ui/parts";
import { messageWords } from "../words";
import { useMaySay, useRights } from "./access";
import { FromDemoToModel } from "./from-demo";
import { SentImages } from "./message-images";
import { useOutbox, type Outgoing } from "./outbox";
import { VaultOffer } from "./vault-offer";

/** What the demo model says of a prompt that it has no recording of. */
const NO_RECORDING = "demo_no_recording";

export const TurnView = memo(function TurnView({ turn, asks }: { turn: Turn; asks: boolean }) {
  if (turn.role === "notice") {
    return (
      <li className="notice">
        <Info size={15} aria-hidden />
        <Markdown text={turn.text} />
      </li>
    );
  }
  if (turn.role === "user") return <UserTurn turn={turn} />;
  return (
    <li className="said said--model" aria-busy={turn.streaming}>
      <span className="visually-hidden">stich: </span>
      <Markdown text={turn.text} />
      {turn.options && turn.options.length > 0 && <Options options={turn.options} open={asks} />}
    </li>
  );
});

/** Answers to choose from; the message box takes any other one. */
function Options({ options, open }: { options: string[]; open: boolean }) {
  const { send } = useOutbox();
  const canSend = useMaySay();
  if (!open) return null;
  return (
    <div className="options" role="group" aria-label="Answers to choose from">
      {options.map((option) => (
        <Button key={option} small disabled={!canSend} onClick={() => send(option)}>
          {option}
        </Button>
      ))}
    </div>
  );
}

function UserTurn({ turn }: { turn: Turn }) {
  const [editing, setEditing] = useState(false);
  const { may } = useRights();
  const me = useMe();
  const taken = useSession((session) => session.progress.messages.some((one) => one.id === turn.id && one.taken_up));
  const words = messageWords(turn.state, turn.phase);
  const mine = may("edit") || (turn.author !== null && turn.author === me?.id);
  // While it is being read it cannot be changed either; what it asks for may be in line again afterwards.
  const open = mine && turn.state === "queued" && turn.id !== "prompt" && !taken;
  if (editing) return <Editing turn={turn} late={!open} close={() => setEditing(false)} />;
  return (
    <li className="said said--user" data-state={turn.state}>
      <span className="visually-hidden">{turn.author_name ? `${turn.author_name}: ` : "You: "}</span>
      <SentImages images={turn.images} />
      <Saying text={turn.text} />
      {(words || open) && (
        <small>
          {turn.author_name && `${turn.author_name} · `}
          {words}
          {open && <Change turn={turn} edit={() => setEditing(true)} />}
        </small>
      )}
    </li>
  );
}

function Change({ turn, edit }: { turn: Turn; edit: () => void }) {
  const session = useSession((one) => one.progress.session_id);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const withdraw = () => {
    setBusy(true);
    withdrawMessage(session, turn.id)
      .catch((error: unknown) => setProblem(asProblem(error)))
      .finally(() => setBusy(false));
  };
  return (
    <>
      <IconButton small label="Edit the message" onClick={edit}>
        <Pencil size={13} aria-hidden />
      </IconButton>
      <IconButton small label="Withdraw the message" disabled={busy} onClick={withdraw}>
        <Undo2 size={13} aria-hidden />
      </IconButton>
      {problem && (
        <span role="alert" className="bad">
          {problem.message}
        </span>
      )}
    </>
  );
}

/** `late`: the message was taken up while it was being changed, so that the change goes out as a message of its own. */
function Editing({ turn, late, close }: { turn: Turn; late: boolean; close: () => void }) {
  const session = useSession((one) => one.progress.session_id);
  const { send } = useOutbox();
  const [text, setText] = useState(turn.text);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const save = () => {
    if (!text.trim() || busy) return;
    const images = (turn.images ?? []).map((image) => image.id);
    if (late) {
      send(text.trim(), { images });
      return close();
    }
    setBusy(true);
    editMessage(session, turn.id, text.trim(), images)
      .then(close, (error: unknown) => setProblem(asProblem(error)))
      .finally(() => setBusy(false));
  };
  return (
    <li className="said said--user said--editing">
      <textarea
        aria-label="The message"
        value={text}
        // The press that opens the box is meant for it.
        // oxlint-disable-next-line jsx-a11y/no-autofocus
        autoFocus
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") close();
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
        }}
      />
      <div>
        <Button small look="plain" onClick={close}>
          Cancel
        </Button>
        <Button small look="primary" disabled={busy || !text.trim()} onClick={save}>
          {late ? "Send as a new message" : "Save the message"}
        </Button>
      </div>
      {late && <small role="status">The message is being read or was taken up, as it was.</small>}
      {problem && (
        <small role="alert" className="bad">
          {problem.message} {problem.nextAction}
        </small>
      )}
    </li>
  );
}

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

/** `over`: the work has gone on since, so that it is told without alarm. */
export function ErrorTurn({ error, over }: { error: SessionError; over: boolean }) {
  if (over && error.secrets.length === 0) {
    return (
      <li className="notice">
        <CircleAlert size={15} aria-hidden />
        <details>
          <summary>Something did not work here; the work went on.</summary>
          <p>{error.sentence}</p>
        </details>
      </li>
    );
  }
  return (
    <li className="problem">
      <CircleAlert size={17} aria-hidden />
      <div>
        <p>
          <strong>{error.sentence}</strong>
        </p>
        {error.nextAction && <p>{error.nextAction}</p>}
        <VaultOffer found={error.secrets} />
        {error.code === NO_RECORDING && <FromDemoToModel />}
      </div>
    </li>
  );
}

export function OutgoingTurn({ message }: { message: Outgoing }) {
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
