import { Compass } from "lucide-react";
import { Link } from "wouter";
import { Empty, buttonClass } from "../ui/parts";
import "./pages.css";

export function NotFoundPage() {
  return (
    <main className="alone">
      <Empty page icon={<Compass size={28} aria-hidden />} title="There is nothing at this address">
        <p>Your apps are on the start page.</p>
        <Link href="/" className={buttonClass("primary")}>
          Go to the start page
        </Link>
      </Empty>
    </main>
  );
}
