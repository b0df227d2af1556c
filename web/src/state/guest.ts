// The session that this browser looks at without an account. The service decides whether it still may; this only says
// which page to show instead of the sign-in.

const NAME = "stich-guest";

export function guestSession(): string | null {
  try {
    return window.localStorage.getItem(NAME);
  } catch {
    return null;
  }
}

export function leaveGuest() {
  try {
    window.localStorage.removeItem(NAME);
  } catch {
    // Nothing was kept.
  }
}

export function becomeGuest(session: string) {
  try {
    window.localStorage.setItem(NAME, session);
  } catch {
    // Without storage the page of the link has to be opened again after a reload.
  }
}
