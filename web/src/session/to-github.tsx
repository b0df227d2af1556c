// Pushing the session's repository to GitHub: where to, and what came of it.

import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { getGithub, pushToGithub } from "../api/github";
import { useSession } from "../state/session-context";
import { BusyButton, CheckField, TextField } from "../ui/forms";
import { Button, buttonClass, ProblemNote } from "../ui/parts";
import { plural } from "../words";
import { SheetDialog } from "./sheet";

export default function GithubDialog({ close }: { close: () => void }) {
  const account = useQuery({ queryKey: ["account", "github"], queryFn: getGithub });
  return (
    <SheetDialog label="GitHub" title="Push to GitHub" close={close}>
      {account.error && <ProblemNote error={account.error} action={<Button onClick={() => void account.refetch()}>Try again</Button>} />}
      {account.data?.stored === false && (
        <>
          <p>It needs a token of GitHub, which is stored once for all of your apps.</p>
          <Link href="/account#github" className={buttonClass("primary")}>
            Add the token
          </Link>
        </>
      )}
      {account.data?.stored && <PushForm login={account.data.login} />}
    </SheetDialog>
  );
}

function PushForm({ login }: { login: string }) {
  const session = useSession((one) => one.progress.session_id);
  const title = useSession((one) => one.progress.title);
  const [repository, setRepository] = useState(() => `${login}/${nameOf(title)}`);
  const [branch, setBranch] = useState("main");
  const [create, setCreate] = useState(true);
  const [open, setOpen] = useState(false);
  const push = useMutation({
    mutationFn: () => pushToGithub(session, { repository: repository.trim(), branch: branch.trim(), create, private: !open }),
  });
  return (
    <form
      className="form"
      aria-label="Push to GitHub"
      onSubmit={(event) => {
        event.preventDefault();
        push.mutate();
      }}
    >
      <TextField
        label="Repository"
        hint="Owner and name. Every version becomes a commit; what is there already is not overwritten."
        required
        pattern="[A-Za-z0-9][A-Za-z0-9\\-]*/[A-Za-z0-9._\\-]+"
        spellCheck={false}
        value={repository}
        onChange={(event) => setRepository(event.target.value)}
      />
      <TextField label="Branch" required spellCheck={false} value={branch} onChange={(event) => setBranch(event.target.value)} />
      <CheckField label="Make the repository if it is not there" checked={create} onChange={(event) => setCreate(event.target.checked)} />
      {create && <CheckField label="Public: anybody may read it" checked={open} onChange={(event) => setOpen(event.target.checked)} />}
      {push.error && <ProblemNote error={push.error} />}
      {push.data && (
        <p role="status">
          <a href={push.data.url} target="_blank" rel="noreferrer noopener">
            {push.data.repository}
          </a>{" "}
          {push.data.pushed === 0 ? "had everything already." : `has ${plural(push.data.pushed, "new commit")} on ${push.data.branch}.`}
        </p>
      )}
      <div className="form-foot">
        <BusyButton type="submit" look="primary" busy={push.isPending}>
          Push
        </BusyButton>
      </div>
    </form>
  );
}

/** A title as the name of a repository. */
function nameOf(title: string): string {
  const name = title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
  return name.slice(0, 60) || "app";
}
