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


STYLE = """/* url(in-a-comment.png) */
@import "there.css";
@import 'gone.css';
p { background: url("there.png") } a { background: url(data:image/png;base64,AA) }
b { background: url( "none.png" ) } i { filter: url(#blur) }
"""
SCRIPT = """import { a } from './there.js'
// import './in-a-comment.js'
import {
  b,
} from "../gone.js"
export * from './none.js'
import 'https://example.com/x.js'
const text = "import './in-a-text.js'"
"""


def test_style_sheets_and_modules_name_files_too() -> None:
    page = f"<style>\n{STYLE}</style>\n<script type=module>\n{SCRIPT}</script><script>{SCRIPT}</script>"
    there = {"css/there.css": "", "css/there.png": None, "js/there.js": ""}
    found = missing({"css/a.css": STYLE, "js/a.js": SCRIPT, **there})
    assert [(each.file, each.line) for each in found] == [
        *(("css/a.css", 3), ("css/a.css", 5)),
        *(("js/a.js", 5), ("js/a.js", 6)),
    ]
    beside = {"there.css": "", "there.png": None, "there.js": ""}
    assert [each.line for each in missing({"a.html": page, **beside})] == [4, 6, 13, 14]


def test_every_picture_of_a_set_is_looked_for() -> None:
    page = '<!doctype html>\n<img srcset="a.png 1x, b.png 2x" alt="">'
    assert [each.line for each in missing({"index.html": page, "a.png": None})] == [2]
