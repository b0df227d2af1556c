// Reads the beginning of a JSON document: everything complete so far, plus the string that is being written.

class Cut extends Error {}

/**
 * The value that `text` describes so far. Commentary or a code fence before the first bracket is skipped. A number,
 * word or key that may still grow is left out; a string is returned as far as it goes. `undefined` when nothing is there
 * yet or the text is not JSON.
 */
export function parsePartial(text: string): unknown {
  const start = text.search(/[{[]/);
  if (start < 0) return undefined;
  const reader = new Reader(text, start);
  try {
    return reader.value();
  } catch (error) {
    if (error instanceof Cut) return reader.root;
    return undefined;
  }
}

class Reader {
  root: unknown;
  private readonly text: string;
  private at: number;

  constructor(text: string, at: number) {
    this.text = text;
    this.at = at;
  }

  value(attach: (value: unknown) => void = (value) => (this.root = value)): unknown {
    const char = this.peek();
    if (char === "{") return this.object(attach);
    if (char === "[") return this.array(attach);
    if (char === '"') return this.string(attach);
    return this.word(attach);
  }

  private object(attach: (value: unknown) => void): unknown {
    const result: Record<string, unknown> = {};
    attach(result);
    this.at += 1;
    for (;;) {
      const char = this.peek();
      if (char === "}") {
        this.at += 1;
        return result;
      }
      if (char === ",") {
        this.at += 1;
        continue;
      }
      if (char !== '"') throw new SyntaxError("a key was expected");
      const key = this.string(() => undefined);
      if (this.peek() !== ":") throw new SyntaxError("a colon was expected");
      this.at += 1;
      this.value((value) => Object.defineProperty(result, key, { value, enumerable: true, writable: true, configurable: true }));
    }
  }

  private array(attach: (value: unknown) => void): unknown {
    const result: unknown[] = [];
    attach(result);
    this.at += 1;
    for (;;) {
      const char = this.peek();
      if (char === "]") {
        this.at += 1;
        return result;
      }
      if (char === ",") {
        this.at += 1;
        continue;
      }
      const index = result.length;
      this.value((value) => (result[index] = value));
    }
  }

  private string(attach: (value: string) => void): string {
    let end = this.at + 1;
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === "\\" ? 2 : 1;
    if (end < this.text.length) {
      const value = JSON.parse(this.text.slice(this.at, end + 1)) as string;
      this.at = end + 1;
      attach(value);
      return value;
    }
    // The string is still being written: drop an escape that is not complete.
    const body = this.text.slice(this.at).replace(/\\(u[0-9a-fA-F]{0,3})?$/, (match, _digits, offset: number, all: string) =>
      evenBackslashesBefore(all, offset) ? "" : match,
    );
    attach(JSON.parse(`${body}"`) as string);
    throw new Cut();
  }

  private word(attach: (value: unknown) => void): unknown {
    const match = /^[-+.\w]+/.exec(this.text.slice(this.at, this.at + 64));
    if (!match) throw new SyntaxError("a value was expected");
    if (this.at + match[0].length >= this.text.length) throw new Cut();
    const value: unknown = JSON.parse(match[0]);
    this.at += match[0].length;
    attach(value);
    return value;
  }

  private peek(): string {
    while (this.at < this.text.length && /\s/.test(this.text[this.at] as string)) this.at += 1;
    const char = this.text[this.at];
    if (char === undefined) throw new Cut();
    return char;
  }
}

function evenBackslashesBefore(text: string, offset: number): boolean {
  let count = 0;
  while (offset - count - 1 >= 0 && text[offset - count - 1] === "\\") count += 1;
  return count % 2 === 0;
}
