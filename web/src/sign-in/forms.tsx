// The forms of signing in, signing up and setting a new password.

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { MailCheck } from "lucide-react";
import { useState, type FormEvent, type ReactNode } from "react";
import { forgot, reset, signIn, signUp, startOAuth, verify, type AuthOptions } from "../api/account";
import { BusyButton, TextField } from "../ui/forms";
import { Button, Empty, ProblemNote } from "../ui/parts";
import { providerNames } from "./names";


const submits = (run: () => void) => (event: FormEvent) => {
  event.preventDefault();
  run();
};

export function SignInForm({ auth, said, after }: { auth: AuthOptions; said?: ReactNode; after: () => void }) {
  const queries = useQueryClient();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const enter = useMutation({
    mutationFn: () => signIn({ email, password }),
    onSuccess: async () => {
      await queries.resetQueries({ predicate: ({ queryKey }) => queryKey[0] !== "auth" });
      after();
    },
  });
  return (
    <>
      <h1>Sign in to stich</h1>
      {said && (
        <p className="outcome" role="status">
          {said}
        </p>
      )}
      <form className="form" onSubmit={submits(() => enter.mutate())}>
        <TextField label="E-mail address" type="email" autoComplete="username" required value={email} onChange={(event) => setEmail(event.target.value)} />
        <TextField label="Password" type="password" autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.target.value)} />
        {enter.error && <ProblemNote error={enter.error} />}
        <BusyButton type="submit" look="primary" busy={enter.isPending}>
          Sign in
        </BusyButton>
      </form>
      <OtherWays auth={auth} />
      <p className="alone-links">
        {auth.sign_up ? <a href="#sign-up">Make an account</a> : <span className="quiet">Accounts are made by operators here.</span>}
        <a href="#forgot">Forgot the password?</a>
      </p>
    </>
  );
}

/** Accounts elsewhere, where the operator has set some up. */
export function OtherWays({ auth }: { auth: AuthOptions }) {
  const start = useMutation({
    mutationFn: (provider: string) => startOAuth(provider, false),
    onSuccess: ({ url }) => window.location.assign(url),
  });
  if (auth.providers.length === 0) return null;
  return (
    <div className="other-ways">
      <p className="or">or</p>
      {auth.providers.map((provider) => (
        <BusyButton key={provider} busy={start.isPending && start.variables === provider} onClick={() => start.mutate(provider)}>
          Continue with {providerNames[provider] ?? provider}
        </BusyButton>
      ))}
      {start.error && <ProblemNote error={start.error} />}
    </div>
  );
}

export function SignUpForm({ auth }: { auth: AuthOptions }) {
  const [name, setName] = useState("");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const ask = useMutation({ mutationFn: () => signUp({ name, email, password }) });
  if (ask.isSuccess) return <MailSent email={email} what="confirms your address and finishes your account" again={() => ask.reset()} />;
  return (
    <>
      <h1>Make an account</h1>
      <form className="form" onSubmit={submits(() => ask.mutate())}>
        <TextField label="Name" hint="What others see where you share something." autoComplete="name" maxLength={80} required value={name} onChange={(event) => setName(event.target.value)} />
        <TextField label="E-mail address" type="email" autoComplete="username" required value={email} onChange={(event) => setEmail(event.target.value)} />
        <NewPassword value={password} change={setPassword} />
        {ask.error && <ProblemNote error={ask.error} />}
        <BusyButton type="submit" look="primary" busy={ask.isPending}>
          Make the account
        </BusyButton>
      </form>
      <OtherWays auth={auth} />
      <p className="alone-links">
        <a href="#sign-in">I have an account</a>
      </p>
    </>
  );
}

export function ForgotForm() {
  const [email, setEmail] = useState("");
  const ask = useMutation({ mutationFn: () => forgot(email) });
  if (ask.isSuccess) return <MailSent email={email} what="lets you set a new password" again={() => ask.reset()} />;
  return (
    <>
      <h1>Set a new password</h1>
      <p>We send a link to your address; it works for an hour.</p>
      <form className="form" onSubmit={submits(() => ask.mutate())}>
        <TextField label="E-mail address" type="email" autoComplete="username" required value={email} onChange={(event) => setEmail(event.target.value)} />
        {ask.error && <ProblemNote error={ask.error} />}
        <BusyButton type="submit" look="primary" busy={ask.isPending}>
          Send the link
        </BusyButton>
      </form>
      <p className="alone-links">
        <a href="#sign-in">Back to the sign-in</a>
      </p>
    </>
  );
}

export function ResetForm({ token, after }: { token: string; after: () => void }) {
  const [password, setPassword] = useState("");
  const set = useMutation({ mutationFn: () => reset(token, password), onSuccess: after });
  return (
    <>
      <h1>Set a new password</h1>
      <p>It ends every other sign-in of your account.</p>
      <form className="form" onSubmit={submits(() => set.mutate())}>
        <NewPassword value={password} change={setPassword} />
        {set.error && (
          <ProblemNote error={set.error} action={<a href="#forgot">New link</a>} />
        )}
        <BusyButton type="submit" look="primary" busy={set.isPending}>
          Set the password
        </BusyButton>
      </form>
    </>
  );
}

/** Confirms an address by the token of a mail: by a press, so that programs that only look at links confirm nothing. */
export function VerifyForm({ token, after }: { token: string; after: () => void }) {
  const confirm = useMutation({ mutationFn: () => verify(token), onSuccess: after });
  return (
    <>
      <h1>Confirm your address</h1>
      <p>One press finishes your account. Then sign in with your password.</p>
      {confirm.error && <ProblemNote error={confirm.error} action={<a href="#sign-up">Sign up again</a>} />}
      <BusyButton look="primary" busy={confirm.isPending} onClick={() => confirm.mutate()}>
        Confirm the address
      </BusyButton>
    </>
  );
}

function NewPassword({ value, change }: { value: string; change: (value: string) => void }) {
  return (
    <TextField
      label="New password"
      hint="At least ten characters."
      type="password"
      autoComplete="new-password"
      minLength={10}
      maxLength={200}
      required
      value={value}
      onChange={(event) => change(event.target.value)}
    />
  );
}

function MailSent({ email, what, again }: { email: string; what: string; again: () => void }) {
  return (
    <Empty page icon={<MailCheck size={30} aria-hidden />} title="Look into your mail">
      <p>
        If all is well with <strong>{email}</strong>, a mail is on its way. Its link {what}. What you typed on the start
        page is kept.
      </p>
      <p>
        <Button onClick={again}>Try another address</Button>
      </p>
    </Empty>
  );
}
