// What somebody was about to build. It is kept in this browser through a reload, a sign-in (in another tab, too: the link
// of a mail opens one) and the set-up of a key.

import { useCallback, useRef, useState } from "react";
import type { CreateSession, ImageRef, Mode } from "../api/types";

export interface Draft {
  prompt: string;
  template: string;
  mode: Mode;
  more: MoreChoices;
  images: ImageRef[];
}

/** As typed; empty where the default is left. */
export interface MoreChoices {
  reviewCycles: string;
  maxPhases: string;
  parallelCalls: string;
  blueprintCandidates: string;
  phaseCandidates: string;
  complexity: string;
  maxCost: string;
}

const KEY = "stich.draft";
const KEPT_MS = 7 * 24 * 3_600_000;

export const noChoices: MoreChoices = {
  reviewCycles: "",
  maxPhases: "",
  parallelCalls: "",
  blueprintCandidates: "",
  phaseCandidates: "",
  complexity: "",
  maxCost: "",
};
export const emptyDraft: Draft = { prompt: "", template: "", mode: "deterministic", more: noChoices, images: [] };

/** What was kept, if it is not too old; never anything that a draft is not. */
export function parseDraft(text: string | null, now: number): Draft {
  try {
    const kept = JSON.parse(text ?? "null") as ({ at?: unknown } & Partial<Draft>) | null;
    if (!kept || typeof kept.at !== "number" || now - kept.at > KEPT_MS) return emptyDraft;
    return {
      prompt: typeof kept.prompt === "string" ? kept.prompt : "",
      template: typeof kept.template === "string" ? kept.template : "",
      mode: kept.mode === "smart" ? "smart" : "deterministic",
      more: { ...noChoices, ...kept.more },
      images: Array.isArray(kept.images) ? kept.images : [],
    };
  } catch {
    return emptyDraft;
  }
}

/** Puts a prompt where the start page finds it. */
export function keepForStart(prompt: string, images: ImageRef[]): void {
  keep({ ...emptyDraft, prompt, images });
}

export function clearDraft(): void {
  localStorage.removeItem(KEY);
}

function keep(draft: Draft): void {
  try {
    if (draft === emptyDraft) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, JSON.stringify({ ...draft, at: Date.now() }));
  } catch {
    // Without storage the draft lasts until the page closes.
  }
}

export interface DraftState {
  draft: Draft;
  change: (change: Partial<Draft> | ((draft: Draft) => Partial<Draft>)) => void;
  /** Forgets it, in this page and in this browser. */
  clear: () => void;
}

export function useDraft(): DraftState {
  const [draft, setDraft] = useState(() => parseDraft(localStorage.getItem(KEY), Date.now()));
  // Kept at once, not with the next picture: the page may be left in between.
  const held = useRef(draft);
  const set = useCallback((next: Draft) => {
    held.current = next;
    keep(next);
    setDraft(next);
  }, []);
  const change = useCallback(
    (next: Partial<Draft> | ((draft: Draft) => Partial<Draft>)) =>
      set({ ...held.current, ...(typeof next === "function" ? next(held.current) : next) }),
    [set],
  );
  const clear = useCallback(() => set(emptyDraft), [set]);
  return { draft, change, clear };
}

const number = (text: string): number | undefined => (text === "" ? undefined : Number(text));

/** The request that a draft stands for. What was left as it is, is left out. */
export function requestOf({ prompt, template, mode, more, images }: Draft): CreateSession {
  const chosen = {
    review_cycles: number(more.reviewCycles),
    max_phases: number(more.maxPhases),
    parallel_calls: number(more.parallelCalls),
    ...(mode === "deterministic" && {
      blueprint_candidates: number(more.blueprintCandidates),
      phase_candidates: number(more.phaseCandidates),
    }),
    complexity: more.complexity || undefined,
    max_cost_usd: more.maxCost.trim() || undefined,
  };
  return {
    prompt: prompt.trim(),
    mode,
    template: template || null,
    ...Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined)),
    ...(images.length > 0 && { image_ids: images.map((image) => image.id) }),
  };
}
