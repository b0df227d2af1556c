// What stands around every page but a session: where one can go, the command palette, the theme.

import { Command } from "lucide-react";
import { lazy, Suspense, useCallback, useEffect, useRef, useState, type ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { IconButton, LogoMark } from "../ui/parts";
import { ThemeMenu } from "../ui/theme-menu";
import { useMe } from "./me";
import { placesFor } from "./places";
import "./shell.css";

const Palette = lazy(() => import("./palette"));

interface ShellProps {
  title: string;
  children: ReactNode;
}

export function Shell({ title, children }: ShellProps) {
  const me = useMe();
  const [at] = useLocation();
  const [palette, setPalette] = useState(false);
  const close = useCallback(() => setPalette(false), []);

  useEffect(() => {
    document.title = title ? `${title} · stich` : "stich";
  }, [title]);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setPalette((open) => !open);
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);

  return (
    <div className="shell">
      <a className="skip-link" href="#main">
        Skip to the page
      </a>
      <header className="shell-top">
        <Link href="/" className="logo" aria-label="stich, start page">
          <LogoMark /> <span>stich</span>
        </Link>
        <nav className="shell-nav" aria-label="Pages">
          <ul>
            {placesFor(me).map(({ path, name, icon: Icon }) => (
              <li key={path}>
                <Link href={path} aria-current={at === path ? "page" : undefined}>
                  <Icon size={18} aria-hidden />
                  {name}
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <div className="shell-tools">
          <IconButton label="Commands (Ctrl+K)" onClick={() => setPalette(true)}>
            <Command size={17} aria-hidden />
          </IconButton>
          <ThemeMenu />
        </div>
      </header>
      {children}
      {palette && (
        <Suspense>
          <Palette close={close} me={me} />
        </Suspense>
      )}
    </div>
  );
}

interface PageProps {
  title: string;
  /** One sentence of what the page is for. */
  lead?: ReactNode;
  tools?: ReactNode;
  children: ReactNode;
}

/** A page of settings or figures: its heading, then its sections. */
export function Page({ title, lead, tools, children }: PageProps) {
  return (
    <main className="page" id="main" tabIndex={-1}>
      <div className="page-head">
        <div>
          <h1>{title}</h1>
          {lead && <p>{lead}</p>}
        </div>
        {tools && <div className="page-tools">{tools}</div>}
      </div>
      {children}
    </main>
  );
}

interface SectionProps {
  id: string;
  title: string;
  lead?: ReactNode;
  tools?: ReactNode;
  children: ReactNode;
}

/** A part of a page, which an address can point to by its id. */
export function Section({ id, title, lead, tools, children }: SectionProps) {
  const section = useRef<HTMLElement>(null);
  useEffect(() => {
    if (window.location.hash === `#${id}`) section.current?.scrollIntoView();
  }, [id]);
  return (
    <section ref={section} className="section" id={id} aria-labelledby={`${id}-title`}>
      <div className="section-head">
        <div>
          <h2 id={`${id}-title`}>{title}</h2>
          {lead && <p>{lead}</p>}
        </div>
        {tools && <div className="section-tools">{tools}</div>}
      </div>
      {children}
    </section>
  );
}
