// The token for GitHub, masked: sessions' repositories are pushed with it.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import { deleteGithubToken, getGithub, putGithubToken } from "../api/github";
import { Section } from "../shell/shell";
import { BusyButton, ConfirmButton, TextField } from "../ui/forms";
import { Button, ProblemNote } from "../ui/parts";

export const GITHUB = ["account", "github"];
const NEW_TOKEN = "https://github.com/settings/personal-access-tokens/new";

export function GithubSection() {
  const queries = useQueryClient();
  const account = useQuery({ queryKey: GITHUB, queryFn: getGithub });
  const [adding, setAdding] = useState(false);
  return (
    <Section
      id="github"
      title="GitHub"
      lead="Your token, with which apps are pushed to your repositories: “Get the code” on the page of an app."
      tools={
        !adding &&
        account.data?.stored === false && (
          <Button onClick={() => setAdding(true)}>
            <Plus size={15} aria-hidden /> Add a token
          </Button>
        )
      }
    >
      {account.error && (
        <ProblemNote error={account.error} action={<Button onClick={() => void account.refetch()}>Try again</Button>} />
      )}
      {account.data?.stored === false && !adding && <p className="nothing">None yet. Without one, take the zip or clone with git.</p>}
      {account.data?.stored && !adding && (
        <ul className="rows" aria-label="Token of GitHub">
          <li>
            <div className="row-main">
              <strong>
                {account.data.login} <code>{account.data.hint}</code>
              </strong>
              <span>GitHub accepted it when it was stored.</span>
            </div>
            <div className="row-tools">
              <Button small aria-label="Replace the token of GitHub" onClick={() => setAdding(true)}>
                Replace
              </Button>
              <ConfirmButton
                action="Delete"
                label="Delete the token of GitHub"
                title="Delete the token of GitHub?"
                run={async () => {
                  await deleteGithubToken();
                  await queries.invalidateQueries({ queryKey: GITHUB });
                }}
              >
                <p>It is forgotten at once. What was pushed stays at GitHub.</p>
              </ConfirmButton>
            </div>
          </li>
        </ul>
      )}
      {adding && <GithubTokenForm close={() => setAdding(false)} />}
    </Section>
  );
}

export function GithubTokenForm({ close }: { close: () => void }) {
  const queries = useQueryClient();
  const [token, setToken] = useState("");
  const put = useMutation({
    mutationFn: () => putGithubToken(token.trim()),
    onSuccess: async () => {
      setToken("");
      await queries.invalidateQueries({ queryKey: GITHUB });
      close();
    },
  });
  return (
    <form
      className="form"
      aria-label="Token of GitHub"
      onSubmit={(event) => {
        event.preventDefault();
        put.mutate();
      }}
    >
      <TextField
        label="Token"
        type="password"
        autoComplete="off"
        spellCheck={false}
        required
        minLength={10}
        hint={
          <>
            <a href={NEW_TOKEN} target="_blank" rel="noreferrer noopener">
              Make one at GitHub
            </a>{" "}
            that may write contents, and administer repositories if stich shall make them. It is tried, then kept encrypted.
          </>
        }
        value={token}
        onChange={(event) => setToken(event.target.value)}
      />
      {put.error && <ProblemNote error={put.error} />}
      <div className="form-foot">
        <BusyButton type="submit" look="primary" busy={put.isPending}>
          {put.isPending ? "Trying the token" : "Try and store the token"}
        </BusyButton>
        <Button onClick={close}>Cancel</Button>
      </div>
    </form>
  );
}
