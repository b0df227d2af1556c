import { useQuery } from "@tanstack/react-query";
import { Route, Switch } from "wouter";
import { getAbout, Problem } from "./api/client";
import { HomePage } from "./pages/home";
import { NotFoundPage } from "./pages/not-found";
import { SessionPage } from "./pages/session";
import { SignedOutPage } from "./pages/signed-out";

export function App() {
  const about = useQuery({ queryKey: ["about"], queryFn: getAbout, staleTime: 60_000 });
  if (about.error instanceof Problem && about.error.status === 401) return <SignedOutPage />;
  return (
    <Switch>
      <Route path="/">
        <HomePage about={about.data} aboutError={about.error} />
      </Route>
      <Route path="/s/:id">{({ id }) => <SessionPage key={id} id={id} about={about.data} />}</Route>
      <Route>
        <NotFoundPage />
      </Route>
    </Switch>
  );
}
