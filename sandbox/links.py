"""Finds references in HTML pages to files of the project that do not exist."""

import posixpath
from collections.abc import Mapping
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

from sandbox import findings
from schemas.checks import Issue, IssueSource, Severity

_ATTRIBUTES = {("a", "href"), ("link", "href"), ("script", "src"), ("img", "src"), ("source", "src"), ("iframe", "src")}
_MOST = 2_000


class _References(HTMLParser):
    """Collects (line, column, tag, address) and the ids of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, int, str, str]] = []
        self.ids: dict[str, int] = {}
        self.twice: list[tuple[int, int, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        line, column = self.getpos()
        for name, value in attrs:
            if value and (tag, name) in _ATTRIBUTES and len(self.found) < _MOST:
                self.found.append((line, column + 1, tag, value))
            if name == "id" and value:
                if value in self.ids:
                    self.twice.append((line, column + 1, value))
                self.ids[value] = line


def missing(sources: Mapping[str, str | None], root: str = "") -> list[Issue]:
    """Issues for broken references and ids used twice.

    `sources` maps all paths of the project to their text, None for files that are not text; `root` is the folder that
    `/` stands for.
    """
    issues: list[Issue] = []
    for path, text in sources.items():
        if text is None or not path.endswith((".html", ".htm")):
            continue
        page = _References()
        page.feed(text)
        for line, column, tag, address in page.found:
            if not _exists(address, path, sources, root):
                text = f'<{tag}> refers to "{address[:200]}", and there is no such file.'
                severity = Severity.WARNING if tag == "a" else Severity.ERROR
                found = findings.issue(IssueSource.MARKUP, "missing-file", text, file=path, line=line, column=column)
                issues.append(found.model_copy(update={"severity": severity}))
        for line, column, name in page.twice:
            text = f'The id "{name[:100]}" is used twice.'
            issues.append(findings.issue(IssueSource.MARKUP, "duplicate-id", text, file=path, line=line, column=column))
    return issues


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
