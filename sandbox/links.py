"""Finds references between the files of a plain site to files that do not exist."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from sandbox import findings
from schemas.checks import Issue, IssueSource, Severity

_ATTRIBUTES = {
    *(("a", "href"), ("link", "href"), ("script", "src"), ("img", "src"), ("source", "src"), ("iframe", "src")),
    *(("img", "srcset"), ("source", "srcset"), ("video", "src"), ("video", "poster"), ("audio", "src")),
}
_MOST = 2_000
_CSS_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_CSS: Final = re.compile(
    r"""@import\s+["'](?P<imported>[^"'\n]{1,500})["']|\burl\(\s*(?P<quote>["']?)(?P<url>[^"')\s]{1,500})(?P=quote)\s*\)"""
)
_JS_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)|(?:^|(?<=\s))//[^\n]*", re.DOTALL)
# Only statements at the beginning of a line, and only of files: what tools resolve in other ways is not for a browser.
_JS: Final = re.compile(
    r"""^[ \t]*(?:import|export)\b[^"'`;()]{0,2000}?["'](?P<imported>\.{0,2}/[^"'\n]{1,500})["']""", re.MULTILINE
)


class _Reference(NamedTuple):
    """Where a file refers to another one, from `what`."""

    line: int
    column: int
    what: str
    address: str


class _References(HTMLParser):
    """Collects the references and the ids of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[_Reference] = []
        self._inline: re.Pattern[str] | None = None
        self.ids: dict[str, int] = {}
        self.twice: list[tuple[int, int, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        line, column = self.getpos()
        for name, value in attrs:
            if value and (tag, name) in _ATTRIBUTES and len(self.found) < _MOST:
                addresses = [each.split()[0] for each in value.split(",") if each.split()]
                for address in addresses if name == "srcset" else [value]:
                    self.found.append(_Reference(line, column + 1, f"<{tag}>", address))
            if name == "id" and value:
                if value in self.ids:
                    self.twice.append((line, column + 1, value))
                self.ids[value] = line
        scripted = tag == "script" and ("type", "module") in attrs
        self._inline = _CSS if tag == "style" else _JS if scripted else None

    def handle_data(self, data: str) -> None:
        if self._inline is not None:
            line, _ = self.getpos()
            for found in _named(data, self._inline):
                if len(self.found) < _MOST:
                    self.found.append(found._replace(line=line + found.line - 1))
            self._inline = None


def missing(sources: Mapping[str, str | None], root: str = "") -> list[Issue]:
    """Issues for broken references in pages, style sheets and modules, and for ids used twice.

    `sources` maps all paths of the project to their text, None for files that are not text; `root` is the folder that
    `/` stands for.
    """
    issues: list[Issue] = []

    def tell(path: str, code: str, text: str, line: int, column: int) -> Issue:
        issues.append(findings.issue(IssueSource.MARKUP, code, text, file=path, line=line, column=column))
        return issues[-1]

    for path, text in sources.items():
        page = _References()
        if text is None:
            continue
        if path.endswith((".html", ".htm")):
            page.feed(text)
        elif path.endswith((".css", ".js", ".mjs")):
            page.found += list(_named(text, _CSS if path.endswith(".css") else _JS))[:_MOST]
        for line, column, what, address in page.found:
            if not _exists(address, path, sources, root):
                said = f'{what} refers to "{address[:200]}", and there is no such file.'
                found = tell(path, "missing-file", said, line, column)
                if what == "<a>":
                    issues[-1] = found.model_copy(update={"severity": Severity.WARNING})
        for line, column, name in page.twice:
            tell(path, "duplicate-id", f'The id "{name[:100]}" is used twice.', line, column)
    return issues


def _named(text: str, pattern: re.Pattern[str]) -> Iterator[_Reference]:
    """The files that a style sheet or a module names; what is in comments does not count."""
    comment = _CSS_COMMENT if pattern is _CSS else _JS_COMMENT
    plain = comment.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    for found in pattern.finditer(plain):
        name = "imported" if found["imported"] else "url"
        begins = found.start(name)
        line = plain.count("\n", 0, begins) + 1
        what = "url()" if name == "url" else "@import" if pattern is _CSS else "import"
        yield _Reference(line, begins - plain.rfind("\n", 0, begins), what, found[name])


def _exists(address: str, page: str, sources: Mapping[str, str | None], root: str) -> bool:
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return False
    if parts.scheme or parts.netloc or not parts.path:
        return True
    asked = unquote(parts.path)
    base = root if asked.startswith("/") else posixpath.dirname(page)
    target = posixpath.normpath(posixpath.join(base, asked.lstrip("/"))).removeprefix("./")
    if target == ".":
        target = ""
    candidates = (target, posixpath.join(target, "index.html").lstrip("/"), f"{target}.html")
    return any(candidate in sources for candidate in candidates)
