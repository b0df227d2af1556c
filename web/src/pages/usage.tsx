// Usage: what models were called for, what it cost, how fast and how well it went, and what it may cost.

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { ChartColumn } from "lucide-react";
import { useState } from "react";
import { Link } from "wouter";
import { listSessions } from "../api/client";
import { getAnalytics } from "../api/usage";
import "../models/models.css";
import { Page, Shell } from "../shell/shell";
import { SelectField } from "../ui/forms";
import { Button, buttonClass, Empty, ProblemNote } from "../ui/parts";
import { BudgetsSection } from "../usage/budgets";
import { DaysSection } from "../usage/days";
import { PartsSection } from "../usage/parts-table";
import { Totals } from "../usage/totals";
import "../usage/usage.css";

export default function UsagePage() {
  const [days, setDays] = useState(30);
  const found = useQuery({
    queryKey: ["usage", "analytics", days],
    queryFn: () => getAnalytics(days),
    placeholderData: keepPreviousData,
    refetchInterval: 30_000,
  });
  const sessions = useQuery({ queryKey: ["sessions", "titles"], queryFn: () => listSessions() });
  const titles = new Map(sessions.data?.sessions.map((one) => [one.id, one.title || one.prompt]));
  return (
    <Shell title="Usage">
      <Page
        title="Usage"
        lead="What models were called for, what it cost, and what it may cost."
        tools={
          <SelectField label="Period" bare value={days} onChange={(event) => setDays(Number(event.target.value))}>
            <option value={7}>Last 7 days</option>
            <option value={30}>Last 30 days</option>
            <option value={90}>Last 90 days</option>
            <option value={365}>Last year</option>
          </SelectField>
        }
      >
        {found.error && <ProblemNote error={found.error} action={<Button onClick={() => void found.refetch()}>Try again</Button>} />}
        {!found.data && !found.error && <div className="blank blank--tall" />}
        {found.data &&
          (found.data.totals.calls === 0 ? (
            <Empty icon={<ChartColumn size={28} aria-hidden />} title="No model was called in this time">
              <p>As soon as an app is built, its costs, tokens, times and outcomes are here.</p>
              <Link href="/" className={buttonClass("primary")}>
                Build something
              </Link>
            </Empty>
          ) : (
            <>
              <Totals found={found.data} />
              <DaysSection found={found.data} days={days} />
            </>
          ))}
        <BudgetsSection />
        {found.data && found.data.totals.calls > 0 && <PartsSection found={found.data} titles={titles} />}
      </Page>
    </Shell>
  );
}
