// Where a share link leads: it gives the session to whoever is signed in, and opens it.

import { useMutation } from "@tanstack/react-query";
import { Users } from "lucide-react";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { acceptShare } from "../api/account";
import { BusyButton } from "../ui/forms";
import { buttonClass, Empty, ProblemNote } from "../ui/parts";
import "./pages.css";

export default function SharedPage() {
  const [, navigate] = useLocation();
  const [token] = useState(() => window.location.hash.slice(1));
  const accept = useMutation({
    mutationFn: () => acceptShare(token),
    onSuccess: ({ session_id }) => navigate(`/s/${session_id}`, { replace: true }),
  });
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
          <p>Open it, and it stays among the apps shared with you on your account page.</p>
          {accept.error && <ProblemNote error={accept.error} />}
          <BusyButton look="primary" busy={accept.isPending} onClick={() => accept.mutate()}>
            Open the app
          </BusyButton>
        </Empty>
      )}
    </main>
  );
}
