// Talk with the page inside the preview's frame, which is untrusted: what comes from it is checked by window, origin and
// shape, bounded, and only ever shown as text.

import { useCallback, useEffect, useRef, useState, type RefObject } from "react";

export interface ConsoleLine {
  id: number;
  level: "log" | "info" | "warn" | "error";
  text: string;
}

/** An element that the user picked: where its source stands, where known, and how it begins. */
export interface Picked {
  file: string | null;
  line: number | null;
  html: string;
}

const MAX_LINES = 300;
const MAX_LINE = 2_000;
const MAX_HTML = 600;
const LEVELS: ReadonlySet<string> = new Set(["log", "info", "warn", "error"]);

type Heard =
  | { kind: "hello" | "left" | "closed" }
  | { kind: "console"; level: ConsoleLine["level"]; text: string }
  | { kind: "picked"; picked: Picked };

/** A message of the frame's script; null for anything else that a page may send. */
export function readMessage(data: unknown): Heard | null {
  if (typeof data !== "object" || data === null) return null;
  const message = data as Record<string, unknown>;
  switch (message.stich) {
    case "hello":
    case "left":
    case "closed":
      return { kind: message.stich };
    case "console": {
      const { level, text } = message;
      if (typeof level !== "string" || !LEVELS.has(level) || typeof text !== "string") return null;
      return { kind: "console", level: level as ConsoleLine["level"], text: text.slice(0, MAX_LINE) };
    }
    case "picked": {
      const { source, html } = message;
      if (typeof html !== "string") return null;
      const found = typeof source === "string" ? /^([\w@./ -]{1,300}):(\d{1,7})(?::\d{1,7})?$/.exec(source) : null;
      const file = found?.[1] ?? null;
      return { kind: "picked", picked: { file, line: found ? Number(found[2]) : null, html: html.slice(0, MAX_HTML) } };
    }
    default:
      return null;
  }
}

interface FrameTalk {
  /** Whether the page inside has the script that talks. */
  answers: boolean;
  picking: boolean;
  setPicking: (on: boolean) => void;
  lines: ConsoleLine[];
  clear: () => void;
  /** Says hello to a page that has loaded: where the browser does not tell it who frames it, it waits for that. */
  greet: () => void;
}

export function useFrameTalk(frame: RefObject<HTMLIFrameElement | null>, address: string, onPick: (picked: Picked) => void, onClosed: () => void): FrameTalk {
  const [answers, setAnswers] = useState(false);
  const [picking, setPickingState] = useState(false);
  const [lines, setLines] = useState<ConsoleLine[]>([]);
  const pickingNow = useRef(false);
  const counted = useRef(0);
  const origin = originOf(address);

  const tell = useCallback(
    (message: object) => {
      if (origin) frame.current?.contentWindow?.postMessage(message, origin);
    },
    [frame, origin],
  );
  const setPicking = useCallback(
    (on: boolean) => {
      pickingNow.current = on;
      setPickingState(on);
      tell({ stich: "pick", on });
    },
    [tell],
  );

  useEffect(() => {
    const waiting: ConsoleLine[] = [];
    let drawn = 0;
    const draw = () => {
      drawn = 0;
      const added = waiting.splice(0);
      setLines((held) => [...held, ...added].slice(-MAX_LINES));
    };
    const onMessage = (event: MessageEvent) => {
      if (origin === null || event.origin !== origin || event.source !== frame.current?.contentWindow) return;
      const heard = readMessage(event.data);
      if (heard === null) return;
      if (heard.kind === "hello") {
        setAnswers(true);
        if (pickingNow.current) tell({ stich: "pick", on: true });
      } else if (heard.kind === "console") {
        counted.current += 1;
        waiting.push({ id: counted.current, level: heard.level, text: heard.text });
        if (waiting.length > MAX_LINES) waiting.shift();
        drawn ||= requestAnimationFrame(draw);
      } else if (heard.kind === "closed") {
        onClosed();
      } else if (pickingNow.current) {
        pickingNow.current = false;
        setPickingState(false);
        if (heard.kind === "picked") onPick(heard.picked);
      }
    };
    window.addEventListener("message", onMessage);
    return () => {
      window.removeEventListener("message", onMessage);
      cancelAnimationFrame(drawn);
    };
  }, [frame, origin, onPick, onClosed, tell]);

  const clear = useCallback(() => setLines([]), []);
  const greet = useCallback(() => tell({ stich: "hello" }), [tell]);
  return { answers, picking, setPicking, lines, clear, greet };
}

function originOf(address: string): string | null {
  try {
    return new URL(address).origin;
  } catch {
    return null;
  }
}
