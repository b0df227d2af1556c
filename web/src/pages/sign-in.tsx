// The page of people without a sign-in: forms where there are accounts, the printed address where there is one user.

import { useEffect, useState, useSyncExternalStore } from "react";
import { Link, useLocation } from "wouter";
import { ForgotForm, ResetForm, SignInForm, SignUpForm, VerifyForm } from "../sign-in/forms";
import { placeOf } from "../sign-in/place";
import { useAuth } from "../shell/me";
import { LogoMark, Stitch } from "../ui/parts";
import { ThemeMenu } from "../ui/theme-menu";
import { SignedOutPage } from "./signed-out";
import "./pages.css";

const useHash = () =>
  useSyncExternalStore(
    (listener) => {
      window.addEventListener("hashchange", listener);
      return () => window.removeEventListener("hashchange", listener);
    },
    () => window.location.hash,
  );

export default function SignInPage() {
  const auth = useAuth();
  const place = placeOf(useHash());
  const [at, navigate] = useLocation();
  const [said, setSaid] = useState("");
  useEffect(() => {
    document.title = "Sign in · stich";
  }, []);
  if (auth?.mode === "local") return <SignedOutPage />;
  // The token is used up: it leaves the address.
  const toSignIn = (words: string) => {
    setSaid(words);
    window.location.hash = "sign-in";
  };
  return (
    <main className="alone">
      <div className="alone-card">
        <div className="alone-top">
          <Link href="/" className="logo" aria-label="stich, start page">
            <LogoMark size={40} />
          </Link>
          <ThemeMenu />
        </div>
        {!auth ? (
          <Stitch />
        ) : place.form === "sign-up" ? (
          <SignUpForm auth={auth} />
        ) : place.form === "forgot" ? (
          <ForgotForm />
        ) : place.form === "verify" ? (
          <VerifyForm token={place.token} after={() => toSignIn("Your address is confirmed. Sign in with your password.")} />
        ) : place.form === "reset" ? (
          <ResetForm token={place.token} after={() => toSignIn("The new password counts. Sign in with it.")} />
        ) : (
          <SignInForm auth={auth} said={said} after={() => at === "/sign-in" && navigate("/")} />
        )}
      </div>
    </main>
  );
}
