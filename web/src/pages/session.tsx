// The page of one session: what is said on the left, what is made on the right.

import { useQueryClient } from "@tanstack/react-query";
import { SearchX, Unplug } from "lucide-react";
import { Tabs } from "radix-ui";
import { lazy, Suspense, useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { Link } from "wouter";
import type { Problem } from "../api/client";
import { AccessProvider } from "../session/access";
import { Chat } from "../session/chat";
import { CodePanel } from "../session/code";
import { DraftProvider } from "../session/draft";
import { EditsProvider } from "../session/edits";
import { Facts, SessionHeader } from "../session/header";
import { OutboxProvider } from "../session/outbox";
import { PlanPanel } from "../session/plan";
import { PreviewPanel } from "../session/preview";
import { ProblemsPanel } from "../session/problems";
import { TabBar } from "../session/tab-bar";
import { Sheets } from "../session/take-home";
import { useView, ViewProvider, type ViewTab } from "../session/view";
import { useNarrow } from "../state/media";
import { SessionProvider, useSession } from "../state/session-context";
import { SessionStream } from "../state/stream";
import { Button, buttonClass, Empty } from "../ui/parts";
import { ThemeMenu } from "../ui/theme-menu";
import { leaveGuest } from "../state/guest";
import SignInPage from "./sign-in";
import "./pages.css";
import "../ui/forms.css";
import "../session/session.css";
import "../session/conversation.css";
import "../session/code.css";
import "../session/plan.css";
import "../session/problems.css";
import "../session/narrow.css";
import "../session/chat.css";
import "../session/sheets.css";

const loadPalette = () => import("../session/palette");
const Palette = lazy(loadPalette);
const PALETTE_AFTER_MS = 2_000;
const HistoryPanel = lazy(() => import("../session/history"));

export function SessionPage({ id }: { id: string }) {
  const [stream] = useState(() => new SessionStream(id));
  // Only what this decides on: the session itself changes with every frame while a file is written.
  const connection = useSyncExternalStore(stream.subscribe, () => stream.getState().connection);
  const begun = useSyncExternalStore(stream.subscribe, () => stream.getState().session !== null);
  const narrow = useNarrow();

  if (connection.name === "refused") return <Refused id={id} problem={connection.problem} retry={stream.reopen} />;
  if (!begun) return <Loading late={connection.name === "reconnecting"} />;
  return (
    <SessionProvider stream={stream}>
      <ViewProvider narrow={narrow}>
        <AccessProvider>
          <OutboxProvider>
            <DraftProvider>
              <EditsProvider>
                <Workbench narrow={narrow} />
              </EditsProvider>
            </DraftProvider>
          </OutboxProvider>
        </AccessProvider>
      </ViewProvider>
    </SessionProvider>
  );
}

function Workbench({ narrow }: { narrow: boolean }) {
  const { tab, setTab, hold } = useView();
  const title = useSession((session) => session.progress.title);
  const [palette, setPalette] = useState(false);
  const closePalette = useCallback(() => setPalette(false), []);

  useEffect(() => {
    document.title = `${title} · stich`;
  }, [title]);

  // Ready before it is asked for: what is typed right after Ctrl+K must not end up in the message.
  useEffect(() => {
    const timer = setTimeout(() => void loadPalette(), PALETTE_AFTER_MS);
    return () => clearTimeout(timer);
  }, []);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setPalette((open) => !open);
      } else if (event.altKey && !event.ctrlKey && !event.metaKey) {
        const tabs: Record<string, ViewTab> = {
          Digit1: "preview", Digit2: "code", Digit3: "plan", Digit4: "problems", Digit5: "history",
        };
        const target = tabs[event.code];
        if (target) {
          event.preventDefault();
          setTab(target);
        } else if (event.code === "KeyM") {
          event.preventDefault();
          if (narrow) setTab("chat");
          requestAnimationFrame(() => document.getElementById("message")?.focus());
        }
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [narrow, setTab]);

  return (
    <div className="workbench">
      <a className="skip-link" href="#message">
        Skip to the message box
      </a>
      <SessionHeader narrow={narrow} openPalette={() => setPalette(true)} />
      <Tabs.Root
        className="workbench-body"
        value={tab}
        onValueChange={(value) => setTab(value as ViewTab)}
        activationMode="automatic"
      >
        {!narrow && (
          <aside className="side" aria-label="Conversation and current work">
            <Chat />
          </aside>
        )}
        <main className="stage">
          {!narrow && <TabBar narrow={false} />}
          <div className="panels" onPointerDownCapture={hold}>
            {narrow && (
              <Tabs.Content value="chat" className="panel panel--chat">
                <div className="chat-page">
                  <div className="facts">
                    <Facts narrow />
                    <ThemeMenu />
                  </div>
                  <Chat />
                </div>
              </Tabs.Content>
            )}
            <Tabs.Content value="preview" className="panel" forceMount hidden={tab !== "preview"}>
              <PreviewPanel narrow={narrow} hold={hold} />
            </Tabs.Content>
            <Tabs.Content value="code" className="panel">
              <CodePanel narrow={narrow} />
            </Tabs.Content>
            <Tabs.Content value="plan" className="panel panel--scroll">
              <PlanPanel />
            </Tabs.Content>
            <Tabs.Content value="problems" className="panel panel--scroll">
              <ProblemsPanel />
            </Tabs.Content>
            <Tabs.Content value="history" className="panel">
              <Suspense>
                <HistoryPanel narrow={narrow} />
              </Suspense>
            </Tabs.Content>
          </div>
          {narrow && <TabBar narrow />}
        </main>
      </Tabs.Root>
      <Sheets />
      {palette && (
        <Suspense>
          <Palette close={closePalette} />
        </Suspense>
      )}
    </div>
  );
}

const PATIENCE_MS = 6_000;

function Loading({ late }: { late: boolean }) {
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <main className="alone" aria-busy>
      {slow && !late ? (
        <Empty page title="The session waits for a worker" working>
          <p>
            It is accepted and will begin as soon as a worker takes it. If this stays, the terminal that runs stich says
            what is wrong with its worker.
          </p>
          <Link href="/" className={buttonClass()}>
            Go to the start page
          </Link>
        </Empty>
      ) : late ? (
        <Empty page icon={<Unplug size={28} aria-hidden />} title="stich does not answer">
          <p>Trying again. If this stays, check that stich is still running in its terminal.</p>
        </Empty>
      ) : (
        <Empty page title="Opening the session" working />
      )}
    </main>
  );
}

/** The sign-in, or a guest's link, has ended. */
function SignInAgain({ id }: { id: string }) {
  const queries = useQueryClient();
  useEffect(() => {
    leaveGuest(id);
    void queries.invalidateQueries({ queryKey: ["about"] });
  }, [queries, id]);
  return <SignInPage />;
}

function Refused({ id, problem, retry }: { id: string; problem: Problem; retry: () => void }) {
  if (problem.status === 401) return <SignInAgain id={id} />;
  return (
    <main className="alone">
      <Empty page icon={<SearchX size={28} aria-hidden />} title={problem.message}>
        <p>{problem.nextAction}</p>
        <p>
          <Link href="/" className={buttonClass("primary")}>
            Go to the start page
          </Link>{" "}
          <Button onClick={retry}>Try again</Button>
        </p>
      </Empty>
    </main>
  );
}
