// Keys that the service took out of what was written on this page, until they are stored or the note about them is closed.
// They are in this page's memory only.

import type { MaskedSecret } from "../api/types";

/** What was found, and the text as it was written. */
export interface Masked {
  found: MaskedSecret[];
  text: string;
}

/** By session: what was taken out of its prompt. */
export const maskedPrompts = new Map<string, Masked>();
