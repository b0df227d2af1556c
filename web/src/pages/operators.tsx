// The operators' page: what runs for whom, how the providers are, who may come in, and what happened.

import { useQuery } from "@tanstack/react-query";
import { ShieldAlert } from "lucide-react";
import { getMe } from "../api/account";
import type { About } from "../api/types";
import "../models/models.css";
import { AuditSection } from "../operators/audit";
import { ErrorsSection } from "../operators/errors";
import { LimitsSection } from "../operators/limits";
import { LiveSection } from "../operators/live";
import { ProvidersSection } from "../operators/providers";
import { UsersSection } from "../operators/users";
import { Page, Shell } from "../shell/shell";
import { Button, buttonClass, Empty, ProblemNote } from "../ui/parts";

export default function OperatorsPage({ about }: { about: About | undefined }) {
  const me = useQuery({ queryKey: ["me"], queryFn: getMe, staleTime: 60_000 });
  return (
    <Shell title="Operators">
      <Page
        title="Operators"
        lead="What runs for whom, how the providers are, who may come in, and what happened."
        tools={
          about?.temporal_ui && (
            <a className={buttonClass()} href={about.temporal_ui} target="_blank" rel="noreferrer noopener">
              Temporal UI
            </a>
          )
        }
      >
        {me.error && <ProblemNote error={me.error} action={<Button onClick={() => void me.refetch()}>Try again</Button>} />}
        {me.data?.role === "user" && (
          <Empty icon={<ShieldAlert size={28} aria-hidden />} title="This page is for operators">
            <p>Ask one of them to make you one, if you look after this service.</p>
          </Empty>
        )}
        {me.data?.role === "operator" && (
          <>
            <LiveSection />
            <ProvidersSection />
            <ErrorsSection />
            <LimitsSection />
            <UsersSection me={me.data} />
            <AuditSection />
          </>
        )}
      </Page>
    </Shell>
  );
}
