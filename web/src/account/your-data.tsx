// What belongs to the person: all of it to take along, and the end of the account.

import { useQueryClient } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { useState } from "react";
import { useLocation } from "wouter";
import { ACCOUNT_EXPORT, deleteAccount, type Me } from "../api/account";
import { clearDraft } from "../home/draft";
import { Section } from "../shell/shell";
import { ConfirmButton, TextField } from "../ui/forms";
import { buttonClass } from "../ui/parts";

/** `accounts`: people sign up here; a stich of one user has no account to delete. */
export function YourDataSection({ me, accounts }: { me: Me; accounts: boolean }) {
  const queries = useQueryClient();
  const [, navigate] = useLocation();
  const [password, setPassword] = useState("");
  const erase = async () => {
    await deleteAccount(me.has_password ? password : null);
    clearDraft();
    navigate("/");
    queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== "auth" && queryKey[0] !== "about" });
    await queries.resetQueries({ queryKey: ["about"] });
  };
  return (
    <Section
      id="data"
      title="Your data"
      lead="Sessions with every version of every file, messages, pictures, settings, and what each call of a model cost."
      tools={
        <a className={buttonClass()} href={ACCOUNT_EXPORT} download>
          <Download size={15} aria-hidden /> Download everything
        </a>
      }
    >
      {accounts && (
        <div className="danger-row">
          <p>Deleting the account ends it at once, for good, with everything above.</p>
          <ConfirmButton action="Delete the account" title="Delete your account?" small={false} run={erase}>
            <p>
              Every session of yours is stopped and deleted, with its files, history, pictures and whatever it published. Your
              keys are forgotten, every device is signed out. Nobody can bring any of it back.
            </p>
            <p>Kept are the sums of what calls cost, without your name.</p>
            {me.has_password ? (
              <TextField
                label="Your password"
                type="password"
                autoComplete="current-password"
                value={password}
                onChange={(event) => setPassword(event.target.value)}
              />
            ) : (
              <p>You sign in elsewhere: this works within ten minutes after you have signed in.</p>
            )}
          </ConfirmButton>
        </div>
      )}
    </Section>
  );
}
