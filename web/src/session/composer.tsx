// Where people talk to a running session: sent messages queue up, or interrupt the current step.

import { ImagePlus, KeyRound, SendHorizontal, X, Zap } from "lucide-react";
import { useRef, useState } from "react";
import { IMAGE_TYPES } from "../api/messages";
import { useSession } from "../state/session-context";
import { Button, IconButton } from "../ui/parts";
import { stateTone } from "../words";
import { useRights, Withheld } from "./access";
import { useDraft } from "./draft";
import { AttachmentList } from "./message-images";
import { useOutbox } from "./outbox";
import { VaultOffer } from "./vault-offer";

const MAX_MESSAGE = 20_000;

export function Composer() {
  const state = useSession((session) => session.progress.state);
  const { send } = useOutbox();
  const { text, setText, attachments } = useDraft();
  const [over, setOver] = useState(false);
  const picker = useRef<HTMLInputElement>(null);
  const { may } = useRights();
  const open = state.can.includes("message");
  const working = stateTone[state.name] === "work";
  const length = text.trim().length;
  const tooLong = length > MAX_MESSAGE;
  const ready = open && length > 0 && !tooLong && !attachments.uploading && !attachments.failed;

  const submit = (interrupt: boolean) => {
    if (!ready) return;
    send(text.trim(), { interrupt, images: attachments.ids });
    setText("");
    attachments.clear();
  };
  if (!may("comment")) return <Withheld what="write messages" />;
  const note = !open
    ? "This session takes no messages now."
    : tooLong
      ? `${(length - MAX_MESSAGE).toLocaleString("en")} characters too many`
      : attachments.failed
        ? "Remove the picture that was refused."
        : attachments.note;

  return (
    <>
      <RemovedKeys />
      {/* Dropping is one way among others: pasting and the button do the same by keyboard. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <form
        className="composer"
        data-over={over || undefined}
        onSubmit={(event) => {
          event.preventDefault();
          submit(false);
        }}
        onDragOver={(event) => {
          if (!event.dataTransfer.types.includes("Files")) return;
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          setOver(false);
          if (attachments.add(event.dataTransfer.files)) event.preventDefault();
        }}
      >
        <AttachmentList attachments={attachments} />
        <textarea
          id="message"
          aria-label="Message"
          rows={1}
          placeholder={
            state.name === "idle" ? "Answer, or ask for a change" : working ? "Ask for a change; it is read after this step" : "Ask for a change"
          }
          value={text}
          onChange={(event) => setText(event.target.value)}
          onPaste={(event) => {
            if (attachments.add(event.clipboardData.files)) event.preventDefault();
          }}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
              event.preventDefault();
              submit((event.ctrlKey || event.metaKey) && may("edit"));
            }
          }}
        />
        <div className="composer-foot">
          <IconButton small label="Add a picture" disabled={!open} onClick={() => picker.current?.click()}>
            <ImagePlus size={16} aria-hidden />
          </IconButton>
          <input
            ref={picker}
            type="file"
            aria-label="Pictures to add"
            accept={IMAGE_TYPES.join(",")}
            multiple
            hidden
            onChange={(event) => {
              attachments.add(event.target.files ?? []);
              event.target.value = "";
            }}
          />
          <span role="status" className={tooLong || attachments.note ? "bad" : "quiet"}>
            {note}
          </span>
          {working && length > 0 && may("edit") && (
            <Button small look="plain" disabled={!ready} onClick={() => submit(true)}>
              <Zap size={14} aria-hidden /> Interrupt
            </Button>
          )}
          <Button small look="primary" type="submit" disabled={!ready}>
            <SendHorizontal size={14} aria-hidden /> Send
          </Button>
        </div>
      </form>
    </>
  );
}

/** Keys that were pasted are taken out before anything else sees them; this says so. */
function RemovedKeys() {
  const { masked, forgetMasked } = useOutbox();
  if (masked === null) return null;
  return (
    <div className="removed-keys" role="status">
      <KeyRound size={15} aria-hidden />
      <div>
        <p>
          {masked.found.map((one) => `${one.kind}${one.hint ? ` ${one.hint}` : ""}`).join(", ")} was taken out of what
          you wrote before anything read it.
        </p>
        <VaultOffer found={masked.found} typed={masked.text} />
      </div>
      <button type="button" aria-label="Close" className="button button--plain button--icon button--small" onClick={forgetMasked}>
        <X size={14} aria-hidden />
      </button>
    </div>
  );
}
