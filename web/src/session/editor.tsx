// Code to read and to change: CodeMirror 6, loaded when the first file is shown. Text that grows is appended by transactions, so that a
// file of thousands of lines stays smooth while it is written. The editor lives in a shadow root: there its style sheets
// are adopted, which a content security policy without inline styles allows.

// Its effect is what is wanted, and before the next line.
// oxlint-disable-next-line import/no-unassigned-import
import "./idle-parsing";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { css } from "@codemirror/lang-css";
import { html } from "@codemirror/lang-html";
import { javascript } from "@codemirror/lang-javascript";
import { json } from "@codemirror/lang-json";
import { markdown } from "@codemirror/lang-markdown";
import { bracketMatching, foldGutter, foldKeymap, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { unifiedMergeView } from "@codemirror/merge";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Annotation, Compartment, EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightSpecialChars, keymap, lineNumbers } from "@codemirror/view";
import { tags as t } from "@lezer/highlight";
import { useEffect, useRef } from "react";

interface EditorProps {
  path: string;
  text: string;
  live: boolean;
  plain: boolean;
  line: number | null;
  /** Shown as a change of this text. */
  before: string | null;
  /** Called with the whole text after each change by the user; without it the text is only read. */
  onEdit?: (text: string) => void;
  onSave?: () => void;
}

type Shown = Pick<EditorProps, "path" | "plain" | "text" | "before">;
const toEnd = (text: string) => EditorView.scrollIntoView(text.length, { y: "end" });
const NEAR_END = 80;
const HANDLED_MS = 800;
/** Marks changes that come from outside, not from the user. */
const fromOutside = Annotation.define<boolean>();
const access = new Compartment();
const accessOf = (editable: boolean): Extension => EditorState.readOnly.of(!editable);
const NOTHING: Shown = { path: "", plain: false, text: "", before: null };

const highlight = HighlightStyle.define([
  { tag: [t.keyword, t.modifier, t.operatorKeyword, t.controlKeyword], color: "var(--code-keyword)" },
  { tag: [t.string, t.special(t.string), t.regexp, t.attributeValue], color: "var(--code-string)" },
  { tag: [t.number, t.bool, t.null, t.atom, t.unit], color: "var(--code-number)" },
  { tag: [t.comment, t.meta], color: "var(--code-comment)", fontStyle: "italic" },
  { tag: [t.typeName, t.className, t.namespace, t.tagName], color: "var(--code-type)" },
  { tag: [t.function(t.variableName), t.function(t.propertyName)], color: "var(--code-function)" },
  { tag: [t.propertyName, t.attributeName], color: "var(--code-property)" },
  { tag: [t.heading, t.strong], fontWeight: "600" },
  { tag: t.emphasis, fontStyle: "italic" },
  { tag: t.link, textDecoration: "underline" },
]);

// Changed words are underlined: a darker ground would take the contrast from comments.
const theme = EditorView.theme({
  "&": { height: "100%", fontSize: "13px", backgroundColor: "var(--surface)", color: "var(--ink)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6" },
  ".cm-content": { padding: "10px 0 40px", caretColor: "var(--denim)" },
  ".cm-gutters": {
    backgroundColor: "var(--surface)",
    color: "var(--ink-3)",
    border: "none",
    paddingLeft: "6px",
  },
  ".cm-selectionBackground, &.cm-focused .cm-selectionBackground": { backgroundColor: "var(--code-selection) !important" },
  "&.cm-merge-b .cm-changedLine, .cm-inlineChangedLine": { backgroundColor: "var(--ok-soft)" },
  "&.cm-merge-b .cm-changedText": { background: "none", boxShadow: "inset 0 -2px color-mix(in srgb, var(--ok) 50%, transparent)" },
  ".cm-deletedChunk": { backgroundColor: "var(--bad-soft)", paddingLeft: "6px" },
  ".cm-deletedChunk .cm-deletedText": { background: "none", boxShadow: "inset 0 -2px color-mix(in srgb, var(--bad) 50%, transparent)" },
  "&.cm-merge-b .cm-changedLineGutter": { background: "var(--ok)" },
  ".cm-deletedLineGutter": { background: "var(--bad)" },
  ".cm-collapsedLines": {
    background: "var(--surface-2)",
    color: "var(--ink-2)",
    fontFamily: "var(--sans)",
    padding: "4px 12px",
  },
  ".cm-collapsedLines:before, .cm-collapsedLines:after": { content: "none" },
  ".cm-panels": { backgroundColor: "var(--surface-2)", color: "var(--ink)", borderColor: "var(--line) !important" },
  ".cm-panel input, .cm-panel button": { fontSize: "13px" },
  ".cm-searchMatch": { backgroundColor: "var(--warn-soft)", outline: "1px solid var(--thread)" },
  ".cm-selectionMatch": { backgroundColor: "var(--denim-soft)" },
});

function language(path: string): Extension {
  const end = path.slice(path.lastIndexOf(".") + 1).toLowerCase();
  if (/^[mc]?[jt]sx?$/.test(end)) return javascript({ jsx: end.endsWith("x") || end === "js", typescript: end.includes("ts") });
  if (end === "css" || end === "scss") return css();
  if (end === "html" || end === "svg" || end === "xml") return html();
  if (end === "json") return json();
  if (end === "md" || end === "mdx") return markdown();
  return [];
}

function changesOf(before: string): Extension {
  return unifiedMergeView({
    original: before,
    mergeControls: false,
    gutter: true,
    collapseUnchanged: { margin: 3, minSize: 6 },
    diffConfig: { scanLimit: 2_000, timeout: 300 },
  });
}

/** The end of a text that grows is followed downwards only: a long last line must not move all the others sideways. */
const downOnly = EditorView.scrollHandler.of((view, _range, options) => {
  if (options.y !== "end") return false;
  view.scrollDOM.scrollTop = view.scrollDOM.scrollHeight;
  return true;
});

interface Told {
  edited: (text: string) => void;
  save: () => void;
}

function newState(path: string, text: string, plain: boolean, before: string | null, editable: boolean, told: Told): EditorState {
  return EditorState.create({
    doc: text,
    extensions: [
      // Offsets count characters as they are sent, so carriage returns stay where they are.
      EditorState.lineSeparator.of("\n"),
      access.of(accessOf(editable)),
      history(),
      EditorView.updateListener.of((update) => {
        const byUser = update.transactions.some((one) => one.docChanged && !one.annotation(fromOutside));
        if (byUser) told.edited(update.state.doc.toString());
      }),
      EditorView.contentAttributes.of({ "aria-label": `Code of ${path}`, tabindex: "0" }),
      lineNumbers(),
      foldGutter(),
      highlightSpecialChars(),
      drawSelection(),
      bracketMatching(),
      highlightSelectionMatches(),
      search({ top: true }),
      downOnly,
      keymap.of([
        {
          key: "Mod-s",
          preventDefault: true,
          run: () => {
            told.save();
            return true;
          },
        },
        ...defaultKeymap,
        ...historyKeymap,
        ...searchKeymap,
        ...foldKeymap,
      ]),
      syntaxHighlighting(highlight),
      plain ? [] : language(path),
      before === null ? [] : changesOf(before),
      theme,
    ],
  });
}

export default function Editor({ path, text, live, plain, line, before, onEdit, onSave }: EditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const shown = useRef<Shown>(NOTHING);
  const following = useRef(true);
  const jumped = useRef("");
  const editable = onEdit !== undefined && !live && before === null;
  const handlers = useRef({ onEdit, onSave });
  const told = useRef<Told>({
    edited: (next) => {
      shown.current = { ...shown.current, text: next };
      handlers.current.onEdit?.(next);
    },
    save: () => handlers.current.onSave?.(),
  });
  useEffect(() => {
    handlers.current = { onEdit, onSave };
  }, [onEdit, onSave]);

  useEffect(() => {
    if (!host.current) return undefined;
    const root = host.current.shadowRoot ?? host.current.attachShadow({ mode: "open" });
    const editor = new EditorView({ parent: root, root });
    view.current = editor;
    shown.current = NOTHING;
    // A reader who scrolls away is left alone; the end is followed again once they are back at it. Scrolling without
    // their doing, as text arrives, says nothing.
    let handled = 0;
    const onInput = () => {
      handled = performance.now();
    };
    const onScroll = () => {
      const { scrollHeight, scrollTop, clientHeight } = editor.scrollDOM;
      if (scrollHeight - scrollTop - clientHeight < NEAR_END) following.current = true;
      else if (performance.now() - handled < HANDLED_MS) following.current = false;
    };
    editor.scrollDOM.addEventListener("scroll", onScroll, { passive: true });
    for (const type of ["wheel", "touchmove", "keydown", "pointerdown"]) {
      editor.scrollDOM.addEventListener(type, onInput, { passive: true });
    }
    return () => {
      editor.destroy();
      view.current = null;
    };
  }, []);

  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    const last = shown.current;
    shown.current = { path, plain, text, before };
    if (last.path !== path || last.plain !== plain || last.before !== before) {
      editor.setState(newState(path, text, plain, before, editable, told.current));
      following.current = live;
      if (live) editor.dispatch({ effects: toEnd(text) });
    } else if (text !== last.text) {
      const grows = text.startsWith(last.text);
      const from = grows ? last.text.length : 0;
      editor.dispatch({
        changes: { from, to: last.text.length, insert: text.slice(from) },
        effects: live && following.current ? toEnd(text) : [],
        annotations: fromOutside.of(true),
      });
    }
    if (editor.state.readOnly === editable) editor.dispatch({ effects: access.reconfigure(accessOf(editable)) });
  }, [path, plain, text, live, before, editable]);

  useEffect(() => {
    const editor = view.current;
    const target = `${line} ${path}`;
    if (!editor || line === null || live || text === "" || jumped.current === target) return;
    jumped.current = target;
    const at = editor.state.doc.line(Math.min(Math.max(line, 1), editor.state.doc.lines));
    editor.dispatch({
      selection: { anchor: at.from, head: at.to },
      effects: EditorView.scrollIntoView(at.from, { y: "center" }),
    });
  }, [path, line, live, text]);

  return <div ref={host} className="editor" />;
}
