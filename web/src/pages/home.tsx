// Start page: what shall be built, and what was built before.

import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { ArrowRight, KeyRound, LoaderCircle } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { Link, useLocation } from "wouter";
import { createSession, listSessions } from "../api/client";
import type { About, Mode, SessionSummary } from "../api/types";
import { useNow } from "../state/clock";
import { newId } from "../state/ids";
import { Button, LogoMark, Pill, ProblemNote } from "../ui/parts";
import { ThemeMenu } from "../ui/theme-menu";
import { ago, modeWords, money, stateTone, stateWords } from "../words";
import "./pages.css";
import "./home.css";

const MAX_PROMPT = 20_000;
const DRAFT = "stich.draft";
const modes: Mode[] = ["deterministic", "smart"];

export function HomePage({ about, aboutError }: { about: About | undefined; aboutError: unknown }) {
  useEffect(() => {
    document.title = "stich";
  }, []);
  return (
    <div className="home">
      <header className="home-top">
        <Link href="/" className="logo">
          <LogoMark /> stich
        </Link>
        <ThemeMenu />
      </header>
      <main className="home-main">
        <h1>What shall we make?</h1>
        <PromptBox about={about} />
        {aboutError ? <ProblemNote error={aboutError} /> : null}
        {about?.demo && <DemoNote />}
        {/* Not before the note above it is known, so that nothing moves. */}
        {about !== undefined || aboutError ? <RecentSessions /> : null}
      </main>
      <footer className="home-foot">
        {about ? `stich ${about.version}` : "stich"}
        {about?.temporal_ui && (
          <a href={about.temporal_ui} target="_blank" rel="noreferrer noopener">
            Workflows
          </a>
        )}
      </footer>
    </div>
  );
}

function PromptBox({ about }: { about: About | undefined }) {
  const [, navigate] = useLocation();
  const queries = useQueryClient();
  const [prompt, setPrompt] = useDraft();
  const [template, setTemplate] = useState("");
  const [mode, setMode] = useState<Mode>("deterministic");
  const field = useRef<HTMLTextAreaElement>(null);
  // One key per attempt at one text: pressing twice, or again after a lost answer, starts one session.
  const key = useRef({ of: "", value: "" });

  const create = useMutation({
    mutationFn: () => {
      const body = { prompt: prompt.trim(), mode, template: template || null };
      const of = JSON.stringify(body);
      if (key.current.of !== of) key.current = { of, value: newId() };
      return createSession(body, key.current.value);
    },
    onSuccess: (created) => {
      setPrompt("");
      void queries.invalidateQueries({ queryKey: ["sessions"] });
      navigate(`/s/${created.id}`);
    },
  });

  const length = prompt.trim().length;
  const tooLong = length > MAX_PROMPT;
  const submit = () => {
    if (length === 0) field.current?.focus();
    else if (!tooLong && !create.isPending) create.mutate();
  };

  return (
    <section aria-label="New app">
      <form
        className="pocket"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <textarea
          ref={field}
          // The one thing to do on this page.
          // oxlint-disable-next-line jsx-a11y/no-autofocus
          autoFocus
          aria-label="Describe the app"
          aria-describedby="prompt-hint"
          aria-invalid={tooLong}
          placeholder="Describe the app: what it is for, what one can do in it, how it should look…"
          rows={4}
          value={prompt}
          onChange={(event) => setPrompt(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
              event.preventDefault();
              submit();
            }
          }}
        />
        <div className="pocket-foot">
          <label className="select">
            <span className="visually-hidden">Template</span>
            <select value={template} onChange={(event) => setTemplate(event.target.value)}>
              <option value="">Template: chosen for you</option>
              {about?.templates.map((one) => (
                <option key={one.name} value={one.name} title={one.description}>
                  {one.title}
                </option>
              ))}
            </select>
          </label>
          <label className="select">
            <span className="visually-hidden">Mode</span>
            <select value={mode} onChange={(event) => setMode(event.target.value as Mode)}>
              {modes.map((one) => (
                <option key={one} value={one} title={modeWords[one].help}>
                  {modeWords[one].name}
                </option>
              ))}
            </select>
          </label>
          <span id="prompt-hint" className={tooLong ? "pocket-hint pocket-hint--bad" : "pocket-hint"}>
            {tooLong
              ? `${(length - MAX_PROMPT).toLocaleString("en")} characters too many`
              : "Shift+Enter: new line"}
          </span>
          <Button type="submit" look="primary" disabled={create.isPending || tooLong}>
            {create.isPending ? <LoaderCircle size={16} className="spin" aria-hidden /> : null}
            Build it
            {create.isPending ? null : <ArrowRight size={16} aria-hidden />}
          </Button>
        </div>
      </form>
      {create.error && <ProblemNote error={create.error} />}
      <ul className="examples" aria-label="Examples">
        {(about?.examples ?? ["", ""]).map((example, index) =>
          example ? (
            <li key={example}>
              <button
                type="button"
                onClick={() => {
                  setPrompt(example);
                  field.current?.focus();
                }}
              >
                {example}
              </button>
            </li>
          ) : (
            <li key={index} className="example-blank" aria-hidden />
          ),
        )}
      </ul>
    </section>
  );
}

/** The prompt survives a reload and signing in. */
function useDraft(): [string, (text: string) => void] {
  const [text, setText] = useState(() => sessionStorage.getItem(DRAFT) ?? "");
  return [
    text,
    (next) => {
      setText(next);
      sessionStorage.setItem(DRAFT, next);
    },
  ];
}

function DemoNote() {
  return (
    <aside className="demo-note">
      <KeyRound size={17} aria-hidden />
      <p>
        <strong>The demo model answers.</strong> It plays recorded sessions: the examples above and changes to them. For
        your own ideas, set a key such as <code>OPENAI_API_KEY</code> or <code>ANTHROPIC_API_KEY</code> in the
        environment and start stich again.
      </p>
    </aside>
  );
}

function RecentSessions() {
  const recent = useInfiniteQuery({
    queryKey: ["sessions"],
    queryFn: ({ pageParam }) => listSessions(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    refetchInterval: (query) =>
      query.state.data?.pages[0]?.sessions.some((session) => stateTone[session.state] === "work") ? 3_000 : 20_000,
  });
  const sessions = recent.data?.pages.flatMap((page) => page.sessions);
  return (
    <section className="recent" aria-labelledby="recent-title">
      <h2 id="recent-title">Your apps</h2>
      {recent.error ? (
        <ProblemNote error={recent.error} action={<Button onClick={() => void recent.refetch()}>Try again</Button>} />
      ) : sessions?.length === 0 ? (
        <p className="quiet recent-empty">
          Nothing yet. What you build appears here and keeps growing, also while this page is closed.
        </p>
      ) : (
        <ul className="cards">
          {sessions?.map((session) => <SessionCard key={session.id} session={session} />) ??
            [0, 1, 2].map((index) => <li key={index} className="card card--blank" aria-hidden />)}
        </ul>
      )}
      {recent.hasNextPage && (
        <Button className="recent-more" disabled={recent.isFetchingNextPage} onClick={() => void recent.fetchNextPage()}>
          Show more
        </Button>
      )}
    </section>
  );
}

function SessionCard({ session }: { session: SessionSummary }) {
  const now = useNow();
  return (
    <li className="card">
      <Link href={`/s/${session.id}`}>{session.title || session.prompt}</Link>
      <p className="card-prompt">{session.prompt}</p>
      <p className="card-foot">
        <Pill tone={stateTone[session.state]} dot>
          {stateWords[session.state]}
        </Pill>
        <span className="quiet">
          {ago(session.updated_at, now)} · {session.demo ? "demo" : money(session.cost_usd)}
        </span>
      </p>
    </li>
  );
}
