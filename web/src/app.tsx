import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, type ReactNode } from "react";
import { Route, Switch, useLocation } from "wouter";
import { getAbout, Problem } from "./api/client";
import { HomePage } from "./pages/home";
import { LandingPage } from "./pages/landing";
import { NotFoundPage } from "./pages/not-found";
import { useAuth } from "./shell/me";
import { isGuestOf } from "./state/guest";

// Each page comes when it is gone to: the first load is the start page alone.
const SessionPage = lazy(() => import("./pages/session").then((page) => ({ default: page.SessionPage })));
const SignInPage = lazy(() => import("./pages/sign-in"));
const SharedPage = lazy(() => import("./pages/shared"));
const ModelsPage = lazy(() => import("./pages/models"));
const UsagePage = lazy(() => import("./pages/usage"));
const AccountPage = lazy(() => import("./pages/account"));
const OperatorsPage = lazy(() => import("./pages/operators"));

export function App() {
  const about = useQuery({ queryKey: ["about"], queryFn: getAbout, staleTime: 60_000 });
  const [at] = useLocation();
  // A guest stays on the page of the session, whatever else is refused.
  const looking = at.startsWith("/s/") && isGuestOf(at.slice(3));
  const signedOut = !looking && about.error instanceof Problem && about.error.status === 401;
  return (
    <Suspense fallback={<div className="alone" aria-busy />}>
      <Switch>
        <Route path="/sign-in">
          <SignInPage />
        </Route>
        {signedOut && (
          <Route>
            <SignedOut />
          </Route>
        )}
        <Route path="/">
          <HomePage about={about.data} aboutError={about.error} />
        </Route>
        <Route path="/s/:id">{({ id }) => <SessionPage key={id} id={id} />}</Route>
        <Route path="/shared">
          <SharedPage />
        </Route>
        <Route path="/models">
          <ModelsPage />
        </Route>
        <Route path="/usage">
          <UsagePage />
        </Route>
        <Route path="/account">
          <AccountPage />
        </Route>
        <Route path="/operators">
          <OperatorsPage about={about.data} />
        </Route>
        <Route>
          <NotFoundPage />
        </Route>
      </Switch>
    </Suspense>
  );
}

/** At the start a prompt can be typed first; elsewhere the sign-in leads back to where one wanted to go. */
function SignedOut(): ReactNode {
  const auth = useAuth();
  const [at] = useLocation();
  if (!auth) return <div className="alone" aria-busy />;
  if (auth.mode === "accounts" && at === "/shared") return <SharedPage guest />;
  return auth.mode === "accounts" && at === "/" ? <LandingPage auth={auth} /> : <SignInPage />;
}
