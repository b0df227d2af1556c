// Which model does what: one row per action, opened to change it, try it, or go back to the default.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import {
  listActions,
  listModels,
  putAction,
  resetAction,
  resetAllActions,
  tryAction,
  type ActionRow,
  type ActionSettings,
  type CatalogueModel,
  type Effort,
} from "../api/models";
import { Section } from "../shell/shell";
import { BusyButton, CheckField, ConfirmButton, SelectField, TextField } from "../ui/forms";
import { Button, Pill, ProblemNote } from "../ui/parts";
import { actionWords } from "../words";
import { isChanged, settingsOf, type ActionForm, formOf } from "./action-form";
import { TryResult } from "./try-result";

const purposes: Record<string, string> = {
  template_selection: "Picks what the project starts from.",
  blueprint: "Plans the whole app.",
  project_setup: "Chooses packages and commands.",
  phase_generation: "Plans the next phase.",
  first_phase_implementation: "Writes the first phase.",
  phase_implementation: "Writes every phase after it.",
  code_review: "Looks over the whole app.",
  file_regeneration: "Writes a broken file anew.",
  screenshot_analysis: "Looks at pictures of the app.",
  fast_code_fixer: "Repairs what the checks found.",
  realtime_code_fixer: "Repairs files while the next one is written.",
  conversation: "Answers your messages.",
  deep_debugger: "Hunts what others could not repair.",
  smart_builder: "Builds freely, with tools.",
  readme: "Describes the finished project.",
};

export function ActionsSection() {
  const actions = useQuery({ queryKey: ["models", "actions"], queryFn: listActions });
  const catalogue = useQuery({ queryKey: ["models", "catalogue"], queryFn: listModels });
  const queries = useQueryClient();
  const [open, setOpen] = useState<string | null>(null);
  const changed = actions.data?.filter((row) => isChanged(row.chosen)).length ?? 0;
  return (
    <Section
      id="actions"
      title="Model per action"
      lead="Every step of a session has its own model. Sessions that run keep what they began with."
      tools={
        changed > 0 && (
          <ConfirmButton
            action="Reset all"
            small={false}
            title="Reset every action?"
            run={async () => {
              await resetAllActions();
              await queries.invalidateQueries({ queryKey: ["models", "actions"] });
            }}
          >
            <p>What you changed for {changed} of the actions is forgotten; the defaults count again.</p>
          </ConfirmButton>
        )
      }
    >
      {actions.error && (
        <ProblemNote error={actions.error} action={<Button onClick={() => void actions.refetch()}>Try again</Button>} />
      )}
      {!actions.data && !actions.error && <div className="blank blank--tall" />}
      {catalogue.data?.demo && (
        <p className="nothing">Without a key the demo model answers for all of them; these are asked once there is one.</p>
      )}
      <ul className="rows" aria-label="Actions">
        {actions.data?.map((row) => (
          <ActionLine
            key={row.action}
            row={row}
            models={catalogue.data?.models}
            open={open === row.action}
            toggle={() => setOpen(open === row.action ? null : row.action)}
          />
        ))}
      </ul>
    </Section>
  );
}

interface LineProps {
  row: ActionRow;
  models: CatalogueModel[] | undefined;
  open: boolean;
  toggle: () => void;
}

function ActionLine({ row, models, open, toggle }: LineProps) {
  const name = actionWords(row.action);
  const { effective } = row;
  return (
    <li className="action">
      <div className="row-main">
        <strong>{name}</strong>
        <span>{purposes[row.action]}</span>
      </div>
      <div className="row-tools action-facts">
        {row.problem && <Pill tone="bad">Cannot be called</Pill>}
        {!effective.enabled && <Pill tone="rest">Off</Pill>}
        {isChanged(row.chosen) && <Pill tone="info">Changed</Pill>}
        <code>{effective.model}</code>
        <Button small aria-expanded={open} aria-label={`Change ${name}`} onClick={toggle}>
          {open ? "Close" : "Change"}
        </Button>
      </div>
      {row.problem && !open && <p className="outcome outcome--bad">{row.problem}</p>}
      {open && <ActionEditor key={JSON.stringify(row.chosen)} row={row} models={models} close={toggle} />}
    </li>
  );
}

const efforts: [Effort, string][] = [
  ["none", "No thinking"],
  ["low", "A little"],
  ["medium", "Some"],
  ["high", "Much"],
];

function ActionEditor({ row, models, close }: { row: ActionRow; models: CatalogueModel[] | undefined; close: () => void }) {
  const queries = useQueryClient();
  const [form, setForm] = useState(() => formOf(row.chosen));
  const change = (part: Partial<ActionForm>) => setForm((before) => ({ ...before, ...part }));
  const refresh = () => queries.invalidateQueries({ queryKey: ["models", "actions"] });
  const save = useMutation({
    mutationFn: (settings: ActionSettings) => putAction(row.action, settings),
    onSuccess: refresh,
  });
  const again = useMutation({ mutationFn: () => resetAction(row.action), onSuccess: refresh });
  const check = useMutation({ mutationFn: () => tryAction(row.action, settingsOf(form)) });
  const titled = (name: string) => {
    const model = models?.find((one) => one.name === name);
    return model ? `${model.title}${model.available ? "" : " (needs a key)"}` : name;
  };
  const choice = models?.find((one) => one.name === (form.model || row.effective.model));
  return (
    <form
      className="form action-form"
      aria-label={actionWords(row.action)}
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate(settingsOf(form));
      }}
    >
      <div className="form-row">
        <SelectField label="Model" value={form.model} onChange={(event) => change({ model: event.target.value, provider: "" })}>
          <option value="">Default: {row.default.model}</option>
          {row.allowed_models.map((name) => (
            <option key={name} value={name}>
              {titled(name)}
            </option>
          ))}
        </SelectField>
        <SelectField label="Fallback" hint="Called where the model cannot be." value={form.fallback} onChange={(event) => change({ fallback: event.target.value })}>
          <option value="">Default: {row.default.fallback ?? "none"}</option>
          {row.allowed_models.map((name) => (
            <option key={name} value={name}>
              {titled(name)}
            </option>
          ))}
        </SelectField>
        <SelectField label="Provider" value={form.provider} onChange={(event) => change({ provider: event.target.value })}>
          <option value="">The first that can</option>
          {(choice?.providers ?? []).map((name) => (
            <option key={name}>{name}</option>
          ))}
        </SelectField>
      </div>
      <div className="form-row">
        <SelectField label="Thinking" value={form.effort} onChange={(event) => change({ effort: event.target.value as Effort | "" })}>
          <option value="">Default: {efforts.find(([value]) => value === row.default.effort)?.[1]}</option>
          {efforts.map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </SelectField>
        <TextField
          label="Temperature"
          hint="0 is steady, 2 is wild."
          type="number"
          min={0}
          max={2}
          step={0.1}
          placeholder={`Default: ${row.default.temperature}`}
          value={form.temperature}
          onChange={(event) => change({ temperature: event.target.value })}
        />
        <TextField
          label="Longest answer, tokens"
          type="number"
          min={256}
          max={200_000}
          placeholder={`Default: ${row.default.max_output_tokens.toLocaleString("en")}`}
          value={form.maxOutputTokens}
          onChange={(event) => change({ maxOutputTokens: event.target.value })}
        />
      </div>
      {row.can_disable && (
        <CheckField
          label="Do this step"
          hint="Off, a session goes on without it."
          checked={form.enabled ?? row.default.enabled}
          onChange={(event) => change({ enabled: event.target.checked === row.default.enabled ? null : event.target.checked })}
        />
      )}
      {(save.error ?? check.error ?? again.error) && <ProblemNote error={save.error ?? check.error ?? again.error} />}
      {check.data && <TryResult answer={check.data} />}
      <div className="form-foot">
        <BusyButton type="submit" look="primary" busy={save.isPending}>
          Save
        </BusyButton>
        <BusyButton busy={check.isPending} onClick={() => check.mutate()}>
          {check.isPending ? "Asking the model" : "Test"}
        </BusyButton>
        {isChanged(row.chosen) && (
          <BusyButton busy={again.isPending} onClick={() => again.mutate()}>
            Reset
          </BusyButton>
        )}
        <Button look="plain" onClick={close}>
          Close
        </Button>
      </div>
    </form>
  );
}
