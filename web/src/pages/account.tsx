// The account: who one is here, where one is signed in, what programs may do.

import { useQuery } from "@tanstack/react-query";
import { getMe } from "../api/account";
import "../account/account.css";
import { ApiKeysSection } from "../account/api-keys";
import { GithubSection } from "../account/github";
import { DevicesSection, IdentitiesSection } from "../account/devices";
import { NotificationsSection } from "../account/notifications";
import { PublishingSection } from "../account/publishing";
import { ProfileSection } from "../account/profile";
import { SharedSection } from "../account/shared-with-me";
import { YourDataSection } from "../account/your-data";
import { useAuth } from "../shell/me";
import { Page, Shell } from "../shell/shell";
import { Button, ProblemNote } from "../ui/parts";
import "./recent.css";
import "./home.css";

export default function AccountPage() {
  const me = useQuery({ queryKey: ["me"], queryFn: getMe, staleTime: 60_000 });
  const accounts = useAuth()?.mode === "accounts";
  return (
    <Shell title="Account">
      <Page title="Account" lead="Who you are here, where you are signed in, and what programs may do for you.">
        {me.error && <ProblemNote error={me.error} action={<Button onClick={() => void me.refetch()}>Try again</Button>} />}
        {!me.data && !me.error && <div className="blank" />}
        {me.data && (
          <>
            <ProfileSection me={me.data} />
            <ApiKeysSection me={me.data} />
            <NotificationsSection />
            <PublishingSection />
            <GithubSection />
            {accounts && <DevicesSection />}
            {accounts && <IdentitiesSection />}
            {accounts && <SharedSection />}
            <YourDataSection me={me.data} accounts={accounts} />
          </>
        )}
      </Page>
    </Shell>
  );
}
