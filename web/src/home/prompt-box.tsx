// What shall be built: the prompt with its pictures, and how to go about it.

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { ArrowRight, LoaderCircle, SlidersHorizontal } from "lucide-react";
import { useRef, useState, type RefObject } from "react";
import { useLocation } from "wouter";
import { createSession } from "../api/client";
import type { About, Mode } from "../api/types";
import { newId } from "../state/ids";
import { maskedPrompts } from "../state/masked";
import { Button, ProblemNote } from "../ui/parts";
import { modeWords } from "../words";
import { AddPictureButton, PictureRow, useAttachments } from "./attachments";
import { noChoices, requestOf, useDraft, type Draft } from "./draft";
import { costError, MoreChoicesFields } from "./more-choices";

const MAX_PROMPT = 20_000;
const modes: Mode[] = ["deterministic", "smart"];

export function PromptBox({ about }: { about: About | undefined }) {
  const [, navigate] = useLocation();
  const queries = useQueryClient();
  const { draft, change, clear } = useDraft();
  const [more, setMore] = useState(() => JSON.stringify(draft.more) !== JSON.stringify(noChoices));
  const field = useRef<HTMLTextAreaElement>(null);
  // One key per attempt at one text: pressing twice, or again after a lost answer, starts one session.
  const key = useRef({ of: "", value: "" });
  const attachments = useAttachments({
    images: draft.images,
    change: (edit) => change((before) => ({ images: edit(before.images) })),
  });

  const create = useMutation({
    mutationFn: () => {
      const body = requestOf(draft);
      const of = JSON.stringify(body);
      if (key.current.of !== of) key.current = { of, value: newId() };
      return createSession(body, key.current.value);
    },
    onSuccess: (created) => {
      if (created.masked.length > 0) maskedPrompts.set(created.id, { found: created.masked, text: draft.prompt });
      clear();
      void queries.invalidateQueries({ queryKey: ["sessions"] });
      navigate(`/s/${created.id}`);
    },
  });

  const length = draft.prompt.trim().length;
  const fits = length <= MAX_PROMPT && costError(draft.more.maxCost) === null && attachments.uploading === 0;
  const submit = () => {
    if (length === 0) field.current?.focus();
    else if (fits && !create.isPending) create.mutate();
  };

  return (
    <section aria-label="New app">
      {/* Pasting and dropping pictures has its button too. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <form
        className="pocket"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
        onPaste={attachments.onPaste}
        onDragOver={(event) => event.preventDefault()}
        onDrop={attachments.onDrop}
      >
        <PromptField field={field} draft={draft} change={change} submit={submit} />
        <PictureRow images={draft.images} attachments={attachments} />
        <div className="pocket-foot">
          <AddPictureButton attachments={attachments} />
          <label className="select">
            <span className="visually-hidden">Template</span>
            <select value={draft.template} onChange={(event) => change({ template: event.target.value })}>
              <option value="">Auto template</option>
              {about?.templates.map((one) => (
                <option key={one.name} value={one.name} title={one.description}>
                  {one.title}
                </option>
              ))}
            </select>
          </label>
          <label className="select">
            <span className="visually-hidden">Mode</span>
            <select value={draft.mode} onChange={(event) => change({ mode: event.target.value as Mode })}>
              {modes.map((one) => (
                <option key={one} value={one} title={modeWords[one].help}>
                  {modeWords[one].name}
                </option>
              ))}
            </select>
          </label>
          <Button look="plain" aria-expanded={more} aria-controls="more-choices" onClick={() => setMore(!more)}>
            <SlidersHorizontal size={16} aria-hidden />
            More
          </Button>
          <PromptHint length={length} />
          <Button type="submit" look="primary" disabled={create.isPending || !fits}>
            {create.isPending ? <LoaderCircle size={16} className="spin" aria-hidden /> : null}
            Build it
            {create.isPending ? null : <ArrowRight size={16} aria-hidden />}
          </Button>
        </div>
        <div id="more-choices" hidden={!more}>
          {more && <MoreChoicesFields mode={draft.mode} value={draft.more} change={(choices) => change({ more: choices })} />}
        </div>
      </form>
      {create.error && <ProblemNote error={create.error} />}
      <Examples
        examples={about?.examples}
        pick={(example) => {
          change({ prompt: example });
          field.current?.focus();
        }}
      />
    </section>
  );
}

interface FieldProps {
  field: RefObject<HTMLTextAreaElement | null>;
  draft: Draft;
  change: (change: Partial<Draft>) => void;
  submit: () => void;
}

export function PromptField({ field, draft, change, submit }: FieldProps) {
  return (
    <textarea
      ref={field}
      // The one thing to do on this page.
      // oxlint-disable-next-line jsx-a11y/no-autofocus
      autoFocus
      aria-label="Describe the app"
      aria-describedby="prompt-hint"
      aria-invalid={draft.prompt.trim().length > MAX_PROMPT}
      placeholder="Describe the app: what it is for, what one can do in it, how it should look…"
      rows={4}
      value={draft.prompt}
      onChange={(event) => change({ prompt: event.target.value })}
      onKeyDown={(event) => {
        if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
          event.preventDefault();
          submit();
        }
      }}
    />
  );
}

export function PromptHint({ length }: { length: number }) {
  const tooLong = length > MAX_PROMPT;
  return (
    <span id="prompt-hint" className={tooLong ? "pocket-hint pocket-hint--bad" : "pocket-hint"}>
      {tooLong ? `${(length - MAX_PROMPT).toLocaleString("en")} characters too many` : "Shift+Enter: new line"}
    </span>
  );
}

function Examples({ examples, pick }: { examples: string[] | undefined; pick: (example: string) => void }) {
  return (
    <ul className="examples" aria-label="Examples">
      {(examples ?? ["", ""]).map((example, index) =>
        example ? (
          <li key={example}>
            <button type="button" onClick={() => pick(example)}>
              {example}
            </button>
          </li>
        ) : (
          <li key={index} className="example-blank" aria-hidden />
        ),
      )}
    </ul>
  );
}
