import { LogoMark } from "../ui/parts";
import { ThemeMenu } from "../ui/theme-menu";
import "./pages.css";

export function SignedOutPage() {
  return (
    <main className="alone">
      <div className="alone-card">
        <div className="alone-top">
          <LogoMark size={40} />
          <ThemeMenu />
        </div>
        <h1>Sign in to stich</h1>
        <p>
          When stich started, it printed an address in its terminal that signs you in, with a token in it. Open that
          address in this browser once.
        </p>
        <pre className="alone-terminal" aria-label="Example of what the terminal shows">
          <span>$</span> stich up{"\n"}
          {window.location.origin}/?token=<i>…</i>
        </pre>
        <p className="quiet">
          Is the terminal gone? Stop stich and start it again with <code>stich up</code> or <code>make run</code>: it
          prints a new address. Your apps are kept.
        </p>
      </div>
    </main>
  );
}
