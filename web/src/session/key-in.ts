/** The key in a text that ends as the hint says (`…ab12`); empty where there is none. */
export function keyIn(text: string, hint: string): string {
  const end = hint.replace(/^…/, "");
  if (end.length < 4) return "";
  return text.match(/[\w.~+/=-]{16,}/g)?.find((word) => word.endsWith(end)) ?? "";
}
