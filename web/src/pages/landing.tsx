// The start page of somebody who is not signed in, where people have accounts: the prompt first, the sign-in after it.

import { ArrowRight } from "lucide-react";
import { useRef } from "react";
import { Link, useLocation } from "wouter";
import type { AuthOptions } from "../api/account";
import { useDraft } from "../home/draft";
import { PromptField, PromptHint } from "../home/prompt-box";
import { Button, buttonClass, LogoMark } from "../ui/parts";
import { ThemeMenu } from "../ui/theme-menu";
import "./pages.css";
import "./recent.css";
import "./home.css";

export function LandingPage({ auth }: { auth: AuthOptions }) {
  const [, navigate] = useLocation();
  const { draft, change } = useDraft();
  const field = useRef<HTMLTextAreaElement>(null);
  const submit = () => {
    if (draft.prompt.trim() === "") field.current?.focus();
    else navigate(auth.sign_up ? "/sign-in#sign-up" : "/sign-in");
  };
  return (
    <div className="home">
      <header className="home-top">
        <Link href="/" className="logo">
          <LogoMark /> stich
        </Link>
        <div className="home-tools">
          <Link href="/sign-in" className={buttonClass("framed")}>
            Sign in
          </Link>
          <ThemeMenu />
        </div>
      </header>
      <main className="home-main">
        <h1>What shall we make?</h1>
        <section aria-label="New app">
          <form
            className="pocket"
            onSubmit={(event) => {
              event.preventDefault();
              submit();
            }}
          >
            <PromptField field={field} draft={draft} change={change} submit={submit} />
            <div className="pocket-foot">
              <PromptHint length={draft.prompt.trim().length} />
              <Button type="submit" look="primary">
                {auth.sign_up ? "Sign up and build it" : "Sign in and build it"}
                <ArrowRight size={16} aria-hidden />
              </Button>
            </div>
          </form>
        </section>
        <p className="landing-lead">
          Describe an app. stich plans it, writes it, checks it and shows it running; you watch, steer and take the code
          home. What you type here is kept while you sign in.
        </p>
      </main>
    </div>
  );
}
