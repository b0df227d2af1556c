// Sharing: with people by their address, with anyone signed in by a link; all of it can be taken back.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link2, UserPlus } from "lucide-react";
import { useState, type FormEvent } from "react";
import { Problem } from "../api/client";
import { createShareLink, listShares, revokeShareLink, shareWith, unshare, type SharedAccess } from "../api/sharing";
import { useNow } from "../state/clock";
import { useSession } from "../state/session-context";
import { CopyLine } from "../ui/copy";
import { CheckField } from "../ui/forms";
import { Button, ProblemNote } from "../ui/parts";
import { ago, duration } from "../words";
import { SheetDialog } from "./sheet";

const accesses: Record<SharedAccess, string> = { view: "Can look", comment: "Can look and write", edit: "Can change it" };

export default function ShareDialog({ close }: { close: () => void }) {
  const session = useSession((one) => one.progress.session_id);
  const queries = useQueryClient();
  const now = useNow();
  const key = ["shares", session];
  const shares = useQuery({ queryKey: key, queryFn: ({ signal }) => listShares(session, signal) });
  const [email, setEmail] = useState("");
  const [access, setAccess] = useState<SharedAccess>("view");
  const [anonymous, setAnonymous] = useState(false);
  const again = () => void queries.invalidateQueries({ queryKey: key });
  const invite = useMutation({
    mutationFn: () => shareWith(session, email.trim(), access),
    onSuccess: (list) => {
      queries.setQueryData(key, list);
      setEmail("");
    },
  });
  const link = useMutation({ mutationFn: () => createShareLink(session, access, anonymous && access === "view"), onSuccess: again });
  const takeBack = useMutation({
    mutationFn: ({ user, id }: { user?: string; id?: string }) =>
      user ? unshare(session, user) : revokeShareLink(session, id ?? ""),
    onSettled: again,
  });
  const error = invite.error ?? link.error ?? takeBack.error ?? shares.error;
  const alone = error instanceof Problem && error.code === "no_accounts";
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (email.trim()) invite.mutate();
  };
  return (
    <SheetDialog label="Share" title="Share the session" close={close}>
      <label className="field">
        What people may do
        <select className="input" value={access} onChange={(event) => setAccess(event.target.value as SharedAccess)}>
          {Object.entries(accesses).map(([name, title]) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <form className="sheet-row" onSubmit={submit}>
        <input
          className="input grow"
          type="email"
          aria-label="Address of a person"
          placeholder="name@example.org"
          value={email}
          onChange={(event) => setEmail(event.target.value)}
        />
        <Button type="submit" disabled={!email.trim() || invite.isPending}>
          <UserPlus size={15} aria-hidden /> Share
        </Button>
      </form>
      <div className="sheet-row">
        <div className="grow">
          {access === "view" ? (
            <CheckField
              label="The link also works without an account"
              checked={anonymous}
              onChange={(event) => setAnonymous(event.target.checked)}
            />
          ) : (
            <p className="quiet">Or give a link to people who have an account here.</p>
          )}
        </div>
        <Button disabled={link.isPending} onClick={() => link.mutate()}>
          <Link2 size={15} aria-hidden /> Make a link
        </Button>
      </div>
      {alone ? (
        <p role="alert">
          This stich has a single user, so there is nobody to share with. Where it runs with accounts, people and links can be
          given this session.
        </p>
      ) : (
        Boolean(error) && <ProblemNote error={error} />
      )}
      {link.data && (
        <>
          <p role="status">
            The link is shown this once.{" "}
            {link.data.link.anonymous
              ? "Whoever opens it may look at the session, without an account, until you end it."
              : "Whoever is signed in and opens it may use the session."}
          </p>
          <CopyLine label="Copy the link" text={link.data.url} />
        </>
      )}
      {shares.data && shares.data.shares.length + shares.data.links.length > 0 && (
        <section aria-label="Shared with">
          <h3>Shared with</h3>
          <ul className="sheet-list">
            {shares.data.shares.map((share) => (
              <li key={share.user_id}>
                <span className="grow">
                  {share.name || share.user_id}
                  <span className="quiet">
                    {" "}
                    · {accesses[share.access]}
                    {share.link_id && ", by a link"}
                  </span>
                </span>
                <Button small onClick={() => takeBack.mutate({ user: share.user_id })}>
                  Remove
                </Button>
              </li>
            ))}
            {shares.data.links.map((one) => (
              <li key={one.id}>
                <span className="grow">
                  A link
                  <span className="quiet">
                    {" "}
                    · {accesses[one.access]}
                    {one.anonymous && ", without an account"} · made {ago(one.created_at, now)}, good for{" "}
                    {duration(Date.parse(one.expires_at) - now)}
                  </span>
                </span>
                <Button small onClick={() => takeBack.mutate({ id: one.id })}>
                  End it
                </Button>
              </li>
            ))}
          </ul>
        </section>
      )}
    </SheetDialog>
  );
}
