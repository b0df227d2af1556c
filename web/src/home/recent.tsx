// The sessions there are: found by a word or by how they are, newest first, each with its picture.

import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { Search } from "lucide-react";
import { useDeferredValue, useState } from "react";
import { Link } from "wouter";
import { listSessions, screenshotUrl } from "../api/client";
import type { SessionSummary, Shown } from "../api/types";
import { useNow } from "../state/clock";
import { Button, LogoMark, Pill, ProblemNote } from "../ui/parts";
import { ago, money, stateTone, stateWords } from "../words";
import { CardMenu } from "./card-menu";

const filters: { value: Shown; name: string }[] = [
  { value: "all", name: "All" },
  { value: "working", name: "At work" },
  { value: "waiting", name: "Waiting" },
  { value: "finished", name: "Finished" },
  { value: "failed", name: "Failed" },
  { value: "archived", name: "Archive" },
];

export function RecentSessions() {
  const [show, setShow] = useState<Shown>("all");
  const [text, setText] = useState("");
  const q = useDeferredValue(text.trim());
  const recent = useInfiniteQuery({
    queryKey: ["sessions", "recent", show, q],
    queryFn: ({ pageParam }) => listSessions({ ...(pageParam && { before: pageParam }), q, show }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    placeholderData: keepPreviousData,
    staleTime: 0, // one who comes back from a new session wants to see it
    refetchInterval: (query) =>
      query.state.data?.pages[0]?.sessions.some((session) => stateTone[session.state] === "work") ? 3_000 : 20_000,
  });
  const sessions = recent.data?.pages.flatMap((page) => page.sessions);
  const narrowed = show !== "all" || q !== "";
  const none = sessions?.length === 0;
  return (
    <section className="recent" aria-labelledby="recent-title">
      <div className="recent-head">
        <h2 id="recent-title">Your apps</h2>
        {(!none || narrowed) && (
          <div className="recent-tools">
            <label className="search">
              <Search size={16} aria-hidden />
              <span className="visually-hidden">Search your apps</span>
              <input
                type="search"
                placeholder="Search"
                maxLength={200}
                value={text}
                onChange={(event) => setText(event.target.value)}
              />
            </label>
            <label className="select">
              <span className="visually-hidden">Show</span>
              <select value={show} onChange={(event) => setShow(event.target.value as Shown)}>
                {filters.map(({ value, name }) => (
                  <option key={value} value={value}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
          </div>
        )}
      </div>
      {recent.error ? (
        <ProblemNote error={recent.error} action={<Button onClick={() => void recent.refetch()}>Try again</Button>} />
      ) : none && narrowed ? (
        <p className="quiet recent-empty" role="status">
          None of your apps fits.{" "}
          <button
            type="button"
            className="link"
            onClick={() => {
              setText("");
              setShow("all");
            }}
          >
            Show all
          </button>
        </p>
      ) : none ? (
        <p className="quiet recent-empty">
          Nothing yet. What you build appears here and keeps growing, also while this page is closed.
        </p>
      ) : (
        <ul className="cards" aria-busy={recent.isPlaceholderData}>
          {sessions?.map((session) => <SessionCard key={session.id} session={session} own archived={show === "archived"} />) ??
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

interface CardProps {
  session: SessionSummary;
  /** What stands instead of the prompt. */
  note?: string;
  /** Whether it can be put away and deleted. */
  own?: boolean;
  archived?: boolean;
}

export function SessionCard({ session, note, own = false, archived = false }: CardProps) {
  const now = useNow();
  return (
    <li className="card">
      <div className="card-picture">
        {session.screenshot ? (
          <img src={screenshotUrl(session.id, session.screenshot)} alt="" width={1280} height={800} loading="lazy" />
        ) : (
          <LogoMark size={34} />
        )}
      </div>
      <Link href={`/s/${session.id}`}>{session.title || session.prompt}</Link>
      <p className="card-prompt">{note ?? session.prompt}</p>
      <p className="card-foot">
        <Pill tone={stateTone[session.state]} dot>
          {stateWords[session.state]}
        </Pill>
        <span className="quiet">
          {ago(session.updated_at, now)} · {session.demo ? "demo" : money(session.cost_usd)}
        </span>
      </p>
      {own && <CardMenu id={session.id} title={session.title || session.prompt} archived={archived} />}
    </li>
  );
}
