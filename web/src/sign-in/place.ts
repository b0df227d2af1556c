// Which of the sign-in forms an address means. Tokens of mails stand behind the `#`, where no server's log sees them.

export type SignInPlace =
  | { form: "sign-in" }
  | { form: "sign-up" }
  | { form: "forgot" }
  | { form: "verify"; token: string }
  | { form: "reset"; token: string };

export function placeOf(hash: string): SignInPlace {
  const [name = "", token = ""] = hash.replace(/^#/, "").split("=", 2);
  if ((name === "verify" || name === "reset") && token) return { form: name, token };
  if (name === "sign-up" || name === "forgot") return { form: name };
  return { form: "sign-in" };
}
