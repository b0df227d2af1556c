// The sessions that this browser looks at without an account. The service decides whether it still may; this only says
// where to show the session's page instead of the sign-in.

const NAME = "stich-guest";
/** As many links as the service lets a browser hold. */
const MOST = 12;

export function isGuestOf(session: string): boolean {
  return sessions().includes(session);
}

export function becomeGuest(session: string) {
  keep([session, ...sessions().filter((one) => one !== session)].slice(0, MOST));
}

export function leaveGuest(session: string) {
  keep(sessions().filter((one) => one !== session));
}

function sessions(): string[] {
  try {
    return (window.localStorage.getItem(NAME) ?? "").split(" ").filter(Boolean);
  } catch {
    return [];
  }
}

function keep(names: string[]) {
  try {
    window.localStorage.setItem(NAME, names.join(" "));
  } catch {
    // Without storage the page of the link has to be opened again after a reload.
  }
}
