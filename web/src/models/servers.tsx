// Servers of one's own that speak the OpenAI protocol: Ollama, vLLM, LM Studio, a company's gateway.

import { useMutation, useQuery } from "@tanstack/react-query";
import { Server } from "lucide-react";
import { useState } from "react";
import { deleteServer, listServers, putServer, tryServer, type CustomProvider } from "../api/models";
import { Section } from "../shell/shell";
import { BusyButton, CheckField, ConfirmButton, Field, TextField } from "../ui/forms";
import { Button, ProblemNote } from "../ui/parts";
import { plural } from "../words";
import { useModelsChanged } from "./refresh";
import { TryResult } from "./try-result";

export function ServersSection() {
  const servers = useQuery({ queryKey: ["models", "servers"], queryFn: listServers });
  const [editing, setEditing] = useState<CustomProvider | "new" | null>(null);
  return (
    <Section
      id="servers"
      title="Your own servers"
      lead="Any server that speaks the OpenAI protocol: Ollama, vLLM, LM Studio, a gateway of your company."
      tools={
        !editing && (
          <Button onClick={() => setEditing("new")}>
            <Server size={15} aria-hidden /> Add a server
          </Button>
        )
      }
    >
      {servers.error && (
        <ProblemNote error={servers.error} action={<Button onClick={() => void servers.refetch()}>Try again</Button>} />
      )}
      {servers.data?.length === 0 && !editing && (
        <p className="nothing">None yet. Its models appear in every choice of models above, named after the server.</p>
      )}
      {servers.data && servers.data.length > 0 && (
        <ul className="rows" aria-label="Your servers">
          {servers.data.map((one) => (
            <ServerRow key={one.id} server={one} edit={() => setEditing(one)} />
          ))}
        </ul>
      )}
      {editing && (
        <ServerForm
          key={editing === "new" ? "new" : editing.id}
          before={editing === "new" ? null : editing}
          close={() => setEditing(null)}
        />
      )}
    </Section>
  );
}

function ServerRow({ server, edit }: { server: CustomProvider; edit: () => void }) {
  const changed = useModelsChanged();
  const check = useMutation({ mutationFn: () => tryServer(server.id) });
  return (
    <li>
      <div className="row-main">
        <strong>{server.title}</strong>
        <span>
          {server.base_url} · {plural(server.models.length, "model")} · {server.key ? `key ${server.key.hint}` : "no key"}
        </span>
      </div>
      <div className="row-tools">
        <BusyButton small busy={check.isPending} aria-label={`Test ${server.title}`} onClick={() => check.mutate()}>
          Test
        </BusyButton>
        <Button small aria-label={`Change ${server.title}`} onClick={edit}>
          Change
        </Button>
        <ConfirmButton
          action="Delete"
          label={`Delete ${server.title}`}
          title={`Delete ${server.title}?`}
          run={async () => {
            await deleteServer(server.id);
            await changed();
          }}
        >
          <p>Its key is forgotten with it. Actions that use one of its models go back to their defaults.</p>
        </ConfirmButton>
      </div>
      {check.data && <TryResult answer={check.data} />}
      {check.error && <ProblemNote error={check.error} />}
    </li>
  );
}

function ServerForm({ before, close }: { before: CustomProvider | null; close: () => void }) {
  const changed = useModelsChanged();
  const [title, setTitle] = useState(before?.title ?? "");
  const [url, setUrl] = useState(before?.base_url ?? "");
  const [models, setModels] = useState(before?.models.map((model) => model.id).join("\n") ?? "");
  const [key, setKey] = useState("");
  const first = before?.models[0];
  const [window, setWindow] = useState(String(first?.context_window ?? 32_768));
  const [output, setOutput] = useState(String(first?.output_limit ?? 8_192));
  const [tools, setTools] = useState(first?.tools ?? true);
  const [images, setImages] = useState(first?.images ?? false);
  const put = useMutation({
    mutationFn: () =>
      putServer(before?.id ?? slug(title), {
        title,
        base_url: url.trim(),
        models: lines(models).map((id) => ({
          ...before?.models.find((model) => model.id === id),
          id,
          context_window: Number(window),
          output_limit: Number(output),
          tools,
          images,
        })),
        ...(key && { key }),
      }),
    onSuccess: async () => {
      await changed();
      close();
    },
  });
  return (
    <form
      className="form"
      aria-label="Server"
      onSubmit={(event) => {
        event.preventDefault();
        put.mutate();
      }}
    >
      <div className="form-row">
        <TextField label="Name" placeholder="Ollama" maxLength={60} required value={title} onChange={(event) => setTitle(event.target.value)} />
        <TextField label="Address" type="url" placeholder="http://127.0.0.1:11434/v1" required value={url} onChange={(event) => setUrl(event.target.value)} />
        <TextField
          label="Key"
          type="password"
          autoComplete="off"
          placeholder={before?.key ? `Stored: ${before.key.hint}` : "If it needs one"}
          value={key}
          onChange={(event) => setKey(event.target.value)}
        />
      </div>
      <Field label="Models" hint="One per line, named as the server names them.">
        {(ties) => (
          <textarea className="input" rows={3} required {...ties} value={models} onChange={(event) => setModels(event.target.value)} />
        )}
      </Field>
      <div className="form-row">
        <TextField label="Context window, tokens" type="number" min={1024} max={10_000_000} required value={window} onChange={(event) => setWindow(event.target.value)} />
        <TextField label="Longest answer, tokens" type="number" min={256} max={1_000_000} required value={output} onChange={(event) => setOutput(event.target.value)} />
      </div>
      <div className="form-row">
        <CheckField label="They call tools" checked={tools} onChange={(event) => setTools(event.target.checked)} />
        <CheckField label="They see pictures" checked={images} onChange={(event) => setImages(event.target.checked)} />
      </div>
      {put.error && <ProblemNote error={put.error} />}
      <div className="form-foot">
        <BusyButton type="submit" look="primary" busy={put.isPending}>
          Store the server
        </BusyButton>
        <Button onClick={close}>Cancel</Button>
      </div>
    </form>
  );
}

const lines = (text: string): string[] => [
  ...new Set(
    text
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean),
  ),
];

/** The name that stands before the model: lower-case letters, digits and hyphens. */
export function slug(title: string): string {
  const plain = title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^[^a-z]+|-+$/g, "")
    .slice(0, 31);
  return plain.length < 2 ? `my-${plain || "server"}` : plain;
}
