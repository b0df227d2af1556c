"""References between the files of a plain site."""

from sandbox.links import missing

PAGE = """<!doctype html>
<html><head><link rel="stylesheet" href="css/main.css"><script src="/app.js"></script></head>
<body><a href="about.html">About</a> <a href="about">About</a> <a href="#top">Top</a>
<a href="https://example.com/x">x</a> <a href="mailto:a@b.c">m</a> <img src="data:image/png;base64,x">
<img src="img/none.png?x=1"> <a href="gone.html">gone</a> <a href="docs/">docs</a>
<p id="a"></p><p id="a"></p></body></html>
"""


def test_finds_what_is_missing() -> None:
    sources = {
        "index.html": PAGE,
        "css/main.css": "",
        "app.js": "",
        "about.html": "<p>",
        "docs/index.html": "",
        "x.png": None,
    }
    found = [(issue.code, issue.line, issue.severity.value) for issue in missing(sources)]
    assert found == [("missing-file", 5, "error"), ("missing-file", 5, "warning"), ("duplicate-id", 6, "error")]


def test_relative_references_start_at_the_page_and_absolute_ones_at_the_root() -> None:
    page = '<script src="../a.js"></script><script src="/b.js"></script>'
    sources = {"app/static/sub/page.html": page, "app/static/a.js": "", "app/static/b.js": ""}
    assert missing(sources, root="app/static") == []
    assert len(missing(sources)) == 1
