"""Leaving out the files that are already written."""

from hypothesis import given
from hypothesis import strategies as st

from codegen.scof import FileClosed, ScofParser, serialise
from stich.demo.continuation import without_files

PATHS = st.lists(st.from_regex(r"src/[a-z]{1,6}\.tsx", fullmatch=True), min_size=1, max_size=5, unique=True)
CONTENT = st.lists(st.sampled_from(["EOF", " EOF2", "# note", "", "cat > a << 'EOF'", "const a = 1"]), max_size=5).map(
    lambda lines: "".join(line + "\n" for line in lines)
)


def files(scof: str) -> dict[str, str]:
    parser = ScofParser()
    events = [*parser.feed(scof), *parser.finish()]
    return {event.path: event.content for event in events if isinstance(event, FileClosed)}


@given(st.data())
def test_what_remains_reads_as_the_other_files(data: st.DataObject) -> None:
    contents = {path: data.draw(CONTENT) for path in data.draw(PATHS)}
    written = data.draw(st.sets(st.sampled_from(sorted(contents))))
    scof = "".join(f"\n# {path}: its purpose\n{serialise({path: text})}" for path, text in contents.items())
    assert files(scof) == contents
    left = without_files(scof, frozenset(written))
    assert files(left) == {path: text for path, text in contents.items() if path not in written}
    assert not any(f"# {path}: its purpose" in left for path in written)


def test_diffs_and_quoted_paths_are_recognised_and_the_rest_stays() -> None:
    diff = "# a.ts: one\ncat << 'EOF' | patch \"src/a.ts\"\n@@\n-x\n+y\nEOF\n"
    rest = "\nbun add zod\ncat > b.ts << E\nb\nE\n"
    scof = f"First.\n{diff}{rest}"
    assert without_files(scof, frozenset({"./src/a.ts"})) == f"First.\n{rest}"
    assert without_files(scof, frozenset()) == scof
