// Everybody with an account: what they are, and the switch that shuts somebody out at once.

import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import type { Me } from "../api/account";
import { changeUser, listUsers, type UserInfo } from "../api/operators";
import { Section } from "../shell/shell";
import { useNow } from "../state/clock";
import { BusyButton, ConfirmButton } from "../ui/forms";
import { Button, Pill, ProblemNote } from "../ui/parts";
import { ago } from "../words";
import { UserLimitsDialog } from "./limits";

export function UsersSection({ me }: { me: Me }) {
  const users = useInfiniteQuery({
    queryKey: ["operators", "users"],
    queryFn: ({ pageParam }) => listUsers(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
  });
  const all = users.data?.pages.flatMap((page) => page.users);
  return (
    <Section id="users" title="Users">
      {users.error && <ProblemNote error={users.error} action={<Button onClick={() => void users.refetch()}>Try again</Button>} />}
      {!all && !users.error && <div className="blank" />}
      <ul className="rows" aria-label="Users">
        {all?.map((user) => (
          <UserRow key={user.id} user={user} own={user.id === me.id} />
        ))}
      </ul>
      {users.hasNextPage && (
        <Button disabled={users.isFetchingNextPage} onClick={() => void users.fetchNextPage()}>
          Show more
        </Button>
      )}
    </Section>
  );
}

function UserRow({ user, own }: { user: UserInfo; own: boolean }) {
  const now = useNow();
  const queries = useQueryClient();
  const refresh = () => queries.invalidateQueries({ queryKey: ["operators"] });
  const change = useMutation({
    mutationFn: (to: Parameters<typeof changeUser>[1]) => changeUser(user.id, to),
    onSuccess: refresh,
  });
  const [limits, setLimits] = useState(false);
  const closeLimits = useCallback(() => setLimits(false), []);
  const name = user.name || user.email || user.id;
  const operator = user.role === "operator";
  return (
    <li>
      <div className="row-main">
        <strong>{name}</strong>
        <span>
          {user.email ?? user.id} · since {ago(user.created_at, now)}
        </span>
      </div>
      <div className="row-tools">
        {operator && <Pill tone="info">Operator</Pill>}
        {user.disabled && <Pill tone="bad">Shut out</Pill>}
        <Button small aria-label={`Budgets of ${name}`} onClick={() => setLimits(true)}>
          Budgets
        </Button>
        {own ? (
          <Pill tone="rest">You</Pill>
        ) : (
          <>
            <BusyButton small busy={change.isPending} onClick={() => change.mutate({ role: operator ? "user" : "operator" })}>
              {operator ? "Make a plain user" : "Make an operator"}
            </BusyButton>
            {user.disabled ? (
              <BusyButton small busy={change.isPending} aria-label={`Let in ${name}`} onClick={() => change.mutate({ disabled: false })}>
                Let in
              </BusyButton>
            ) : (
              <ConfirmButton
                action="Shut out"
                label={`Shut out ${name}`}
                title={`Shut out ${name}?`}
                run={async () => {
                  await changeUser(user.id, { disabled: true });
                  await refresh();
                }}
              >
                <p>Every request of theirs is refused from now on, with every device and key. Their apps stay.</p>
              </ConfirmButton>
            )}
          </>
        )}
      </div>
      {change.error && <ProblemNote error={change.error} />}
      {limits && <UserLimitsDialog id={user.id} name={name} close={closeLimits} />}
    </li>
  );
}
