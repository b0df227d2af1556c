// Which files belong to the template: patterns where "*" stands for any characters, "?" for one, as the service has it.

import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { getAbout } from "../api/client";
import { useSession } from "../state/session-context";

export function matches(path: string, pattern: string): boolean {
  const source = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
  return new RegExp(`^${source}$`, "s").test(path);
}

/** Whether the service needs the file as it is, so that it cannot be changed by hand. */
export function useProtected(path: string | null): boolean {
  const template = useSession((session) => session.progress.template);
  const about = useQuery({ queryKey: ["about"], queryFn: getAbout, staleTime: 60_000 });
  const patterns = about.data?.templates.find((one) => one.name === template)?.protected_files;
  return useMemo(() => path !== null && (patterns ?? []).some((pattern) => matches(path, pattern)), [path, patterns]);
}
