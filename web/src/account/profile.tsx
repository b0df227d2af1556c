// Name and password, and the way out.

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { LogOut } from "lucide-react";
import { useState } from "react";
import { changeName, changePassword, type Me } from "../api/account";
import { useAuth, useSignOut } from "../shell/me";
import { Section } from "../shell/shell";
import { BusyButton, TextField } from "../ui/forms";
import { ProblemNote } from "../ui/parts";

export function ProfileSection({ me }: { me: Me }) {
  const auth = useAuth();
  const signOut = useSignOut();
  const leave = useMutation({ mutationFn: signOut });
  const accounts = auth?.mode === "accounts";
  return (
    <Section
      id="profile"
      title="Profile"
      lead={accounts ? me.email : "The single user of this installation, signed in by the printed address."}
      tools={
        accounts && (
          <BusyButton busy={leave.isPending} onClick={() => leave.mutate()}>
            <LogOut size={15} aria-hidden /> Sign out
          </BusyButton>
        )
      }
    >
      {leave.error && <ProblemNote error={leave.error} />}
      <NameForm me={me} />
      {accounts && <PasswordForm me={me} />}
    </Section>
  );
}

function NameForm({ me }: { me: Me }) {
  const queries = useQueryClient();
  const [name, setName] = useState(me.name);
  const save = useMutation({
    mutationFn: () => changeName(name),
    onSuccess: (changed) => queries.setQueryData(["me"], changed),
  });
  return (
    <form
      className="form"
      aria-label="Name"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <div className="form-row">
        <TextField
          label="Name"
          hint="Others see it where you share something."
          maxLength={80}
          required
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
      </div>
      {save.error && <ProblemNote error={save.error} />}
      <div className="form-foot">
        <BusyButton type="submit" busy={save.isPending} disabled={name.trim() === me.name || name.trim() === ""}>
          Save the name
        </BusyButton>
        {save.isSuccess && name === me.name && (
          <span className="outcome" role="status">
            Saved.
          </span>
        )}
      </div>
    </form>
  );
}

function PasswordForm({ me }: { me: Me }) {
  const queries = useQueryClient();
  const [old, setOld] = useState("");
  const [next, setNext] = useState("");
  const save = useMutation({
    mutationFn: () => changePassword(me.has_password ? old : null, next),
    onSuccess: async () => {
      setOld("");
      setNext("");
      await queries.invalidateQueries({ queryKey: ["me"] });
    },
  });
  return (
    <form
      className="form"
      aria-label="Password"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <div className="form-row">
        {me.has_password && (
          <TextField label="Old password" type="password" autoComplete="current-password" required value={old} onChange={(event) => setOld(event.target.value)} />
        )}
        <TextField
          label="New password"
          hint="At least ten characters. Every other device is signed out."
          type="password"
          autoComplete="new-password"
          minLength={10}
          maxLength={200}
          required
          value={next}
          onChange={(event) => setNext(event.target.value)}
        />
      </div>
      {save.error && <ProblemNote error={save.error} />}
      <div className="form-foot">
        <BusyButton type="submit" busy={save.isPending}>
          {me.has_password ? "Change the password" : "Set a password"}
        </BusyButton>
        {save.isSuccess && (
          <span className="outcome" role="status">
            Changed. Other devices are signed out.
          </span>
        )}
      </div>
    </form>
  );
}
