// Apps of others that one may open.

import { useQuery } from "@tanstack/react-query";
import { listShared } from "../api/account";
import type { Access } from "../api/sharing";
import { SessionCard } from "../home/recent";
import { Section } from "../shell/shell";
import { Button, ProblemNote } from "../ui/parts";

const accessWords: Record<Access, string> = {
  view: "you may look",
  comment: "you may look and write messages",
  edit: "you may change it",
  own: "yours",
};

export function SharedSection() {
  const shared = useQuery({ queryKey: ["account", "shared"], queryFn: listShared });
  return (
    <Section id="shared" title="Shared with you">
      {shared.error && (
        <ProblemNote error={shared.error} action={<Button onClick={() => void shared.refetch()}>Try again</Button>} />
      )}
      {shared.data?.length === 0 && (
        <p className="nothing">Nothing yet. When somebody shares an app with you, or you open a share link, it stays here.</p>
      )}
      {shared.data && shared.data.length > 0 && (
        <ul className="cards">
          {shared.data.map(({ session, owner, access }) => (
            <SessionCard key={session.id} session={session} note={`By ${owner || "somebody"}; ${accessWords[access]}.`} />
          ))}
        </ul>
      )}
    </Section>
  );
}
