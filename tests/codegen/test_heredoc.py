"""Commands that open a block: what they say, and that reading one takes linear time. test_scof.py has their forms."""

import time

import pytest

from codegen.heredoc import Opening, joins, parse_opening


@pytest.mark.parametrize(
    ("line", "opening"),
    [
        ("cat > f << 'EOF'", Opening("f", "EOF", "write", strip_tabs=False)),
        ("cat >> f <<-EOF", Opening("f", "EOF", "append", strip_tabs=True)),
        ("cat << EOF | patch -p1 f", Opening("f", "EOF", "patch", strip_tabs=False)),
        ("patch f << EOF", Opening("f", "EOF", "patch", strip_tabs=False)),
        ("tee -a 'a b' << \"END X\"", Opening("a b", "END X", "append", strip_tabs=False)),
        ("cat > f", None),
        ("cat > f # << EOF", None),
        ("cat > f << EOF more", None),
    ],
)
def test_openings(line: str, opening: Opening | None) -> None:
    assert parse_opening(line) == opening


@pytest.mark.parametrize(
    ("first", "second", "result"),
    [
        ("cat > f", "<< EOF", True),
        ("cat > f <<", "EOF", True),
        ("cat", "> f << EOF", True),
        ("cat << EOF | patch -p1", "f", True),
        ("cat > f", "g << EOF", False),
        ("cat is", "a pet << EOF", False),
    ],
)
def test_where_a_command_may_be_split(first: str, second: str, result: bool) -> None:
    assert joins(first, second) is result


@pytest.mark.parametrize(
    "line",
    [
        "cat > " + "a " * 4_000,
        "cat > a" + " " * 8_000,
        "cat << E > " + " a" * 4_000,
        "cat << E > " + " #" * 4_000,
        "cat << E >" + " " * 8_000,
        "- " * 4_000 + "cat",
        "cat << " + "E" * 8_000,
        "mkdir " + "a" * 8_000,
        "mkdir && " * 1_000,
        'cat > "' + "\\a" * 4_000,
        "tee " + "'a " * 3_000,
        "cat << E | patch " + "-p1 " * 2_000,
        "cat > '" + "' '" * 2_500,
    ],
)
def test_a_long_line_takes_linear_time(line: str) -> None:
    start = time.process_time()
    for _ in range(20):
        parse_opening(line)
        parse_opening(f"{line} << E")
        parse_opening(f"{line} << E <")
    assert time.process_time() - start < 1
