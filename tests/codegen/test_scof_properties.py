"""SCOF under any cut of the stream, against a plain reader, and in linear time."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegen.scof import FileChunked, FileClosed, FileOpened, Refused, ScofParser, serialise
from tests.codegen.reading import cut, files, joined, read, read_plainly

# fmt: off
FRAGMENTS = st.sampled_from([
    "cat", "cat > f << EOF\n", "cat > 'a b' << 'EOF'", "CAT>f<<E", "cat << EOF | patch f\n", "cat << EOF\n> g\n",
    "cat >> f <<-EOF\n", "tee f << \\EOF\n", "cat > ../x << EOF\n", "cat \\\n", " > f", "<< 'END OF'", "patch f", "|",
    "EOF", "EO", "F", "E", "END OF", "END", " OF", "\nEOF\n", "EOF\n", "\r\n", "\n", "\n\n", "  ", "\t", " ", "\r",
    "# f: note", "# cat > f << EOF\n", "```", "```bash\n", "`bun add zod`", "bun add zustand\n", "npm install \\\n",
    "npm i react", " && ", ";", "- ", "1. ", "$ ", "mkdir -p x && ", "catalog", "text", "x", "'", '"', "\\", "@@\n",
    "+new\n", "-x\n", " x\n", "é", "文", "😀", "\ud83d", "\ude00", "\x00", "\u2028", "\xa0", "\x85", "\x0c", "\ufeff",
])
# fmt: on
STREAMS = st.lists(FRAGMENTS | st.text(max_size=8), max_size=40).map("".join)
CUTS = st.lists(st.integers(0, 10_000), max_size=12)
CONTENTS = st.lists(
    st.sampled_from(
        ["EOF", "EOF1", "\n", " ", "\t", "x", "EO", "cat > f << EOF", "é", "😀", "\r", "+", "-", "@@", "\\"]
    )
    | st.text(max_size=5),
    max_size=20,
).map("".join)


@settings(max_examples=100, deadline=None)
@given(STREAMS, CUTS)
def test_cuts_never_change_the_events(text: str, places: list[int]) -> None:
    existing = {"f": "x\nx y\n", "g": "y"}
    whole = joined(read(text, existing=existing))
    assert joined(read(*cut(text, places), existing=existing)) == whole
    assert joined(read(*text, existing=existing)) == whole


@settings(max_examples=100, deadline=None)
@given(STREAMS, CUTS)
def test_events_are_well_formed(text: str, places: list[int]) -> None:
    open_path: str | None = None
    handed = ""
    is_diff = False
    events = read(*cut(text, places))
    for event in events[:-1]:
        match event:
            case FileOpened():
                assert open_path is None
                open_path, handed, is_diff = event.path, "", event.format == "unified_diff"
            case FileChunked():
                assert (event.path, event.offset) == (open_path, len(handed))
                handed += event.text
            case FileClosed():
                assert event.path == open_path
                assert is_diff or event.content == handed
                open_path = None
            case Refused():
                open_path = None
            case _:
                assert open_path is None
    assert events[-1].type == "finished"
    assert events[-1].truncated == open_path


BLOCKS = st.tuples(
    st.sampled_from(["", "prose\n", "\n", "the catalog\n", "  \n"]),
    st.sampled_from(["a", "b c", "src/d.ts"]),
    st.sampled_from(["EOF", "E", "}", "END OF"]),
    st.lists(
        st.sampled_from(
            ["EOF", " EOF ", "E", "EO", "EOFx", "x E", "}", " }", "END", "END OF", "", " ", "cat > f << E", "é\r"]
        ),
        max_size=8,
    ),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(BLOCKS, max_size=4), st.booleans(), CUTS)
def test_it_reads_as_a_plain_reader_does(
    blocks: list[tuple[str, str, str, list[str]]], unended: bool, places: list[int]
) -> None:
    text = "".join(
        f"{between}cat > '{path}' << '{marker}'\n" + "".join(f"{line}\n" for line in lines) + f"{marker}\n"
        for between, path, marker, lines in blocks
    )
    text = text[:-1] if unended else text
    assert joined(read(*cut(text, places))) == joined(read_plainly(text))


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b/c", "d e"]), CONTENTS), CUTS)
def test_what_is_written_is_read_back(contents: dict[str, str], places: list[int]) -> None:
    # A stream joins the halves of a character, which a str may hold apart.
    contents = {
        path: text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for path, text in contents.items()
    }
    text = serialise(contents)
    assert files(read(*cut(text, places))) == contents
    assert [event.path for event in read(text) if isinstance(event, FileClosed)] == list(contents)


# Linear time


def seconds(run: Callable[[], object]) -> float:
    """Processor time of the quickest of three runs."""
    times = []
    for _ in range(3):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def reading(text: str, size: int) -> Callable[[], None]:
    pieces = [text[at : at + size] for at in range(0, len(text), size)]

    def run() -> None:
        parser = ScofParser(max_bytes=10**9)
        for piece in pieces:
            parser.feed(piece)
        parser.finish()

    return run


OPEN = "cat > f << 'EOF'\n"
TRAPS: list[tuple[str, str, str, int, int]] = [  # name, beginning, what is repeated, how often, size of pieces
    ("one file", OPEN, "const a = 1;\n", 40_000, 4096),
    ("one file at once", OPEN, "const a = 1;\n", 40_000, 10**9),
    ("one file in small pieces", OPEN, "const a = 1;\n", 6_000, 1),
    ("one line", OPEN, "const a = 1; ", 40_000, 4096),
    ("one line at once", OPEN, "const a = 1; ", 40_000, 10**9),
    ("one line in small pieces", OPEN, "const a = 1; ", 6_000, 1),
    ("a blank line", OPEN, " ", 60_000, 1),
    ("a blank line in pieces", OPEN, " ", 2_000_000, 512),
    ("blank lines", OPEN, "\n", 60_000, 1),
    ("the marker within a line", OPEN, "EOF ", 300_000, 10**9),
    ("the marker within a line, in pieces", OPEN, "EOF ", 300_000, 64),
    ("lines that begin with the marker", OPEN, "EOFx\n", 30_000, 4096),
    ("lines that begin with the marker, at once", OPEN, "EOFx\n", 30_000, 10**9),
    ("a line that stays the marker", f"{OPEN}EOF", " ", 60_000, 1),
    ("tabs to strip", "cat > f <<- EOF\n", "\t", 60_000, 1),
    ("lines of tabs to strip", "cat > f <<- EOF\n", "\t\tx\n", 50_000, 10**9),
    ("many files at once", "", "cat > f << EOF\nconst a = 1;\nEOF\n", 3_000, 10**9),
    ("many refused files at once", "", "cat > /f << EOF\nconst a = 1;\nEOF\n", 3_000, 10**9),
    ("prose", "", "Some words about it.\n", 20_000, 10**9),
    ("a long line of prose", "", "Some words. ", 30_000, 16),
    ("a long line of code spans", "", "`npm` ", 100_000, 10**9),
    ("comments", "", "# words\n", 10_000, 4096),
    ("blank lines between", "# c\n", "\n", 100_000, 10**9),
    ("beginnings of commands", "", "cat\n", 6_000, 4096),
    ("beginnings of paths", "cat > ", "a ", 50_000, 64),
    ("continued commands", "", "cat \\\n", 10_000, 4096),
    ("one continued command", "npm i ", "a\\\n", 20_000, 4096),
    ("quotes", "", "cat > 'a\" << 'b\n", 6_000, 4096),
    ("list marks", "", "- - - -\n", 10_000, 4096),
]


@pytest.mark.parametrize(
    ("begin", "part", "times", "size"), [trap[1:] for trap in TRAPS], ids=[trap[0] for trap in TRAPS]
)
def test_time_is_linear(begin: str, part: str, times: int, size: int) -> None:
    small, large = begin + part * (times // 4), begin + part * times
    for _ in range(4):  # other programs share the processor's caches
        ratio = seconds(reading(large, size)) / max(seconds(reading(small, size)), 1e-4)
        if ratio < 8:
            return
    pytest.fail(f"four times the text took {ratio:.1f} times as long")


def test_speed() -> None:
    """A floor far below what is measured on a quiet machine (see tests/bench/bench_codegen.py)."""
    body = "".join(f"  const value{number} = compute(items, {number});\n" for number in range(150))
    text = "".join(f"cat > src/f{number}.ts << 'EOF'\n{body}EOF\n" for number in range(60))
    assert len(text) / seconds(reading(text, 4096)) > 20e6
    assert len(text) / seconds(reading(text, 32)) > 6e6
