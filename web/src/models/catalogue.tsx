// Every model with its price and what it can do, and whether it can be called right now.

import { useQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { listModels } from "../api/models";
import type { Money } from "../api/types";
import { Section } from "../shell/shell";
import { CheckField, TextField } from "../ui/forms";
import { Button, Pill, ProblemNote } from "../ui/parts";
import { tokens } from "../words";

const perMillion = (price: Money): string => (price === null ? "unknown" : `$${Number(price).toFixed(2)}`);

export function CatalogueSection() {
  const catalogue = useQuery({ queryKey: ["models", "catalogue"], queryFn: listModels });
  const [text, setText] = useState("");
  const [usable, setUsable] = useState(false);
  const words = useDeferredValue(text.trim().toLowerCase());
  const models = catalogue.data?.models.filter(
    (model) =>
      (!usable || model.available) &&
      `${model.name} ${model.title} ${model.abilities.join(" ")} ${model.providers.join(" ")}`.toLowerCase().includes(words),
  );
  return (
    <Section id="catalogue" title="Catalogue" lead="Prices are US dollars per million tokens, as the providers list them.">
      {catalogue.error && (
        <ProblemNote error={catalogue.error} action={<Button onClick={() => void catalogue.refetch()}>Try again</Button>} />
      )}
      <div className="form-row catalogue-tools">
        <TextField label="Search models" bare type="search" placeholder="Name, provider or ability" value={text} onChange={(event) => setText(event.target.value)} />
        <CheckField label="Only those that can be called now" checked={usable} onChange={(event) => setUsable(event.target.checked)} />
      </div>
      {!models && !catalogue.error && <div className="blank blank--tall" />}
      {models?.length === 0 && (
        <p className="nothing" role="status">
          {usable ? "No model can be called with the keys there are. Add a key above." : "No model of that name."}
        </p>
      )}
      {models && models.length > 0 && (
        // Scrolled by keyboard, so it can be reached by it.
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <div className="table-box table-box--tall" tabIndex={0} role="region" aria-label="Models and prices">
          <table className="table">
            <caption className="visually-hidden">Models and prices</caption>
            <thead>
              <tr>
                <th scope="col">Model</th>
                <th scope="col" className="number">
                  In
                </th>
                <th scope="col" className="number">
                  Out
                </th>
                <th scope="col" className="number">
                  Context
                </th>
                <th scope="col">Can</th>
                <th scope="col">Now</th>
              </tr>
            </thead>
            <tbody>
              {models.map((model) => (
                <tr key={model.name}>
                  <th scope="row">
                    {model.title}
                    <br />
                    <code className="quiet">{model.name}</code>
                  </th>
                  <td className="number">{perMillion(model.input_price)}</td>
                  <td className="number">{perMillion(model.output_price)}</td>
                  <td className="number">{tokens(model.context_window)}</td>
                  <td className="abilities">{model.abilities.join(", ").replaceAll("_", " ")}</td>
                  <td>
                    {model.available ? (
                      <Pill tone="ok">{model.key === "user" ? "Your key" : "Platform"}</Pill>
                    ) : (
                      <span className="quiet">{model.reason || "No key"}</span>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  );
}
