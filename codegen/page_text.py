"""The text of an HTML page, for a model to read: headings, paragraphs, lists, links; no scripts, styles or markup."""

import re
from html.parser import HTMLParser
from urllib.parse import urljoin

_UNSEEN = frozenset({"script", "style", "noscript", "template", "svg", "head", "iframe", "object"})
_BLOCKS = frozenset(
    {"p", "div", "section", "article", "header", "footer", "main", "nav", "aside", "table", "tr", "ul", "ol", "dl"}
    | {"dt", "dd", "blockquote", "pre", "figure", "form", "h1", "h2", "h3", "h4", "h5", "h6", "br", "hr", "li"}
)
_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
_VOID = frozenset({"br", "hr"})


def page_text(html: str, address: str = "") -> str:
    """The readable text of a page. Links to elsewhere stand behind their words, resolved against `address`."""
    reader = _Reader(address)
    reader.feed(html)
    reader.close()
    text = "".join(reader.parts)
    text = re.sub(r"[ \t\f\r\xa0]+", " ", text)
    text = re.sub(r" ?\n ?", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


class _Reader(HTMLParser):
    def __init__(self, address: str) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._address = address
        self._unseen = 0
        self._title = False
        self._link: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title":
            self._title = True
        elif tag in _UNSEEN:
            self._unseen += 1
        elif tag in _BLOCKS:
            self.parts.append("\n" if tag == "br" else "\n\n")
            self.parts.append(f"{_HEADINGS[tag]} " if tag in _HEADINGS else "- " if tag == "li" else "")
        elif tag == "a":
            self._link = dict(attrs).get("href")
        elif tag == "img" and (alt := dict(attrs).get("alt")):
            self.parts.append(f" [picture: {alt}] ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._title = False
            self.parts.append("\n\n")
        elif tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _BLOCKS - _VOID:
            self.parts.append("\n")
        elif tag == "a" and self._link is not None:
            link, self._link = self._link, None
            try:
                target = urljoin(self._address, link)
            except ValueError:
                return
            if target.startswith(("http://", "https://")) and not link.startswith("#"):
                self.parts.append(f" ({target[:300]})")

    def handle_data(self, data: str) -> None:
        if self._title:
            self.parts.append(data.strip())
        elif not self._unseen:
            self.parts.append(re.sub(r"\s+", " ", data))
