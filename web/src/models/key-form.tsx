// A key of a provider: tried with a small call before it is stored, shown to nobody afterwards.

import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { listKeys, putKey, type KeyInfo } from "../api/models";
import { BusyButton, SelectField, TextField } from "../ui/forms";
import { Button, ProblemNote } from "../ui/parts";
import { useModelsChanged } from "./refresh";

/** Where a provider hands out its keys. */
const sources: Record<string, string> = {
  openai: "https://platform.openai.com/api-keys",
  anthropic: "https://console.anthropic.com/settings/keys",
  google: "https://aistudio.google.com/apikey",
  cerebras: "https://cloud.cerebras.ai/",
  groq: "https://console.groq.com/keys",
  openrouter: "https://openrouter.ai/settings/keys",
  cloudflare: "https://dash.cloudflare.com/profile/api-tokens",
};

interface Props {
  /** A provider, and a key, to begin with. */
  start?: string;
  value?: string;
  stored: (key: KeyInfo) => void;
  cancel?: () => void;
}

export function KeyForm({ start, value: given = "", stored, cancel }: Props) {
  const keys = useQuery({ queryKey: ["models", "keys"], queryFn: listKeys });
  const changed = useModelsChanged();
  const [provider, setProvider] = useState(start ?? "");
  const [value, setValue] = useState(given);
  const guessed = provider || (guess(value) ?? "");
  const source = sources[guessed];
  const title = keys.data?.providers.find((one) => one.id === guessed)?.title ?? guessed;
  const put = useMutation({
    mutationFn: () => putKey(guessed, value.trim()),
    onSuccess: async (key) => {
      setValue("");
      await changed();
      stored(key);
    },
  });
  return (
    <form
      className="form"
      aria-label="Provider key"
      onSubmit={(event) => {
        event.preventDefault();
        put.mutate();
      }}
    >
      <div className="form-row">
        <SelectField label="Provider" required value={guessed} onChange={(event) => setProvider(event.target.value)}>
          <option value="">Choose a provider</option>
          {keys.data?.providers.map((one) => (
            <option key={one.id} value={one.id}>
              {one.title}
            </option>
          ))}
        </SelectField>
        <TextField
          label="Key"
          type="password"
          autoComplete="off"
          spellCheck={false}
          required
          minLength={4}
          value={value}
          onChange={(event) => setValue(event.target.value)}
        />
      </div>
      <p className="field-hint">
        {source && (
          <>
            <a href={source} target="_blank" rel="noreferrer noopener">
              Get a key of {title}
            </a>
            .{" "}
          </>
        )}
        It is tried with a small call, then kept encrypted for your sessions alone. Nobody is shown it again, you included.
      </p>
      {(put.error ?? keys.error) && <ProblemNote error={put.error ?? keys.error} />}
      <div className="form-foot">
        <BusyButton type="submit" look="primary" busy={put.isPending}>
          {put.isPending ? "Trying the key" : "Try and store the key"}
        </BusyButton>
        {cancel && <Button onClick={cancel}>Not now</Button>}
      </div>
    </form>
  );
}

const forms: [RegExp, string][] = [
  [/^sk-ant-/, "anthropic"],
  [/^sk-or-/, "openrouter"],
  [/^gsk_/, "groq"],
  [/^csk-/, "cerebras"],
  [/^AIza/, "google"],
  [/^sk-(proj|svcacct|admin)-/, "openai"],
];

/** The provider whose keys look like this, where a key's form tells. */
export function guess(key: string): string | undefined {
  return forms.find(([form]) => form.test(key.trim()))?.[1];
}
