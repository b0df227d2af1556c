// Markdown of models and people as React elements. Text stays text: no HTML is interpreted, no image is fetched, and only
// web links become links.

import { lexer, type Token, type Tokens } from "marked";
import { memo, useMemo, type ReactNode } from "react";

export const Markdown = memo(function Markdown({ text }: { text: string }) {
  const tokens = useMemo(() => lexer(text, { gfm: true, breaks: true }), [text]);
  return <div className="markdown">{blocks(tokens)}</div>;
});

function blocks(tokens: Token[]): ReactNode[] {
  return tokens.map((token, index) => <Block key={index} token={token} />);
}

function Block({ token }: { token: Token }): ReactNode {
  switch (token.type) {
    case "space":
      return null;
    case "heading":
      return <h4>{inline((token as Tokens.Heading).tokens)}</h4>;
    case "paragraph":
      return <p>{inline((token as Tokens.Paragraph).tokens)}</p>;
    case "code":
      return (
        <pre>
          <code>{(token as Tokens.Code).text}</code>
        </pre>
      );
    case "blockquote":
      return <blockquote>{blocks((token as Tokens.Blockquote).tokens)}</blockquote>;
    case "list": {
      const list = token as Tokens.List;
      const items = list.items.map((item, index) => <li key={index}>{blocks(item.tokens)}</li>);
      return list.ordered ? <ol start={list.start === "" ? 1 : list.start}>{items}</ol> : <ul>{items}</ul>;
    }
    case "table": {
      const table = token as Tokens.Table;
      return (
        <table>
          <thead>
            <tr>
              {table.header.map((cell, index) => (
                <th key={index}>{inline(cell.tokens)}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {table.rows.map((row, index) => (
              <tr key={index}>
                {row.map((cell, column) => (
                  <td key={column}>{inline(cell.tokens)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      );
    }
    case "hr":
      return <hr />;
    case "text": {
      const inner = (token as Tokens.Text).tokens;
      return inner ? inline(inner) : plain(token);
    }
    default:
      return <p>{token.raw}</p>;
  }
}

function inline(tokens: Token[]): ReactNode[] {
  return tokens.map((token, index) => <Inline key={index} token={token} />);
}

function Inline({ token }: { token: Token }): ReactNode {
  switch (token.type) {
    case "strong":
      return <strong>{inline((token as Tokens.Strong).tokens)}</strong>;
    case "em":
      return <em>{inline((token as Tokens.Em).tokens)}</em>;
    case "del":
      return <del>{inline((token as Tokens.Del).tokens)}</del>;
    case "codespan":
      return <code>{(token as Tokens.Codespan).text}</code>;
    case "br":
      return <br />;
    case "link": {
      const link = token as Tokens.Link;
      if (!/^https?:\/\//i.test(link.href)) return <>{inline(link.tokens)}</>;
      return (
        <a href={link.href} target="_blank" rel="noreferrer noopener">
          {inline(link.tokens)}
        </a>
      );
    }
    case "text":
    case "escape":
      return plain(token);
    default:
      return token.raw;
  }
}

const plain = (token: Token): string => (token as Tokens.Text).text;
