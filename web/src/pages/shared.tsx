// Where a share link leads: it gives the session to whoever is signed in, lets others look where that is allowed, and
// opens it.

import { useMutation } from "@tanstack/react-query";
import { Users } from "lucide-react";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { acceptShare, openAsGuest } from "../api/account";
import { Problem } from "../api/client";
import { becomeGuest } from "../state/guest";
import { BusyButton } from "../ui/forms";
import { buttonClass, Empty, ProblemNote } from "../ui/parts";
import SignInPage from "./sign-in";
import "./pages.css";

export default function SharedPage({ guest = false }: { guest?: boolean }) {
  const [, navigate] = useLocation();
  const [token] = useState(() => window.location.hash.slice(1));
  const accept = useMutation({
    mutationFn: () => (guest ? openAsGuest(token) : acceptShare(token)),
    onSuccess: ({ session_id }) => {
      if (guest) becomeGuest(session_id);
      navigate(`/s/${session_id}`, { replace: true });
    },
  });
  if (guest && accept.error instanceof Problem && accept.error.status === 401) return <SignInPage />;
  return (
    <main className="alone">
      {token === "" ? (
        <Empty page icon={<Users size={28} aria-hidden />} title="This link is not whole">
          <p>Copy it again, with everything behind the #, or ask for a new one.</p>
          <Link href="/" className={buttonClass("primary")}>
            Go to the start page
          </Link>
        </Empty>
      ) : (
        <Empty page icon={<Users size={28} aria-hidden />} title="Somebody shares an app with you">
          {guest ? (
            <p>Open it to look at it. If its owner shares it with accounts only, you will be asked to sign in.</p>
          ) : (
            <p>Open it, and it stays among the apps shared with you on your account page.</p>
          )}
          {accept.error && <ProblemNote error={accept.error} />}
          <BusyButton look="primary" busy={accept.isPending} onClick={() => accept.mutate()}>
            Open the app
          </BusyButton>
        </Empty>
      )}
    </main>
  );
}
