// Where people talk to a running session: sent messages queue up, or interrupt the current step.

import { SendHorizontal, Zap } from "lucide-react";
import { useState } from "react";
import { useSession } from "../state/session-context";
import { Button } from "../ui/parts";
import { stateTone } from "../words";
import { useOutbox } from "./outbox";

const MAX_MESSAGE = 20_000;

export function Composer() {
  const state = useSession((session) => session.progress.state);
  const { send } = useOutbox();
  const [text, setText] = useState("");
  const open = state.can.includes("message");
  const working = stateTone[state.name] === "work";
  const length = text.trim().length;
  const tooLong = length > MAX_MESSAGE;

  const submit = (interrupt: boolean) => {
    if (!open || length === 0 || tooLong) return;
    send(text.trim(), interrupt);
    setText("");
  };

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit(false);
      }}
    >
      <textarea
        id="message"
        aria-label="Message"
        rows={1}
        placeholder={working ? "Ask for a change; it is read after this step" : "Ask for a change"}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
            event.preventDefault();
            submit(event.ctrlKey || event.metaKey);
          }
        }}
      />
      <div className="composer-foot">
        <span className={tooLong ? "bad" : "quiet"}>
          {!open
            ? "This session takes no messages now."
            : tooLong
              ? `${(length - MAX_MESSAGE).toLocaleString("en")} characters too many`
              : ""}
        </span>
        {working && length > 0 && (
          <Button small look="plain" disabled={!open || tooLong} onClick={() => submit(true)}>
            <Zap size={14} aria-hidden /> Interrupt
          </Button>
        )}
        <Button small look="primary" type="submit" disabled={!open || length === 0 || tooLong}>
          <SendHorizontal size={14} aria-hidden /> Send
        </Button>
      </div>
    </form>
  );
}
