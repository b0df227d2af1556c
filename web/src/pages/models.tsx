// Models and keys: who answers, with whose key, and at what price.

import { ActionsSection } from "../models/actions";
import { CatalogueSection } from "../models/catalogue";
import { KeysSection } from "../models/keys";
import "../models/models.css";
import { ServersSection } from "../models/servers";
import { Page, Shell } from "../shell/shell";

export default function ModelsPage() {
  return (
    <Shell title="Models and keys">
      <Page title="Models and keys" lead="Who writes your apps, with whose key, and at what price.">
        <KeysSection />
        <ActionsSection />
        <ServersSection />
        <CatalogueSection />
      </Page>
    </Shell>
  );
}
