"""Which commands pass: plain programs do, whatever a shell or another machine would be needed for does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegen.command_filter import PROGRAMS, CommandRefused, read_command


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ls -la src", ["ls", "-la", "src"]),
        ("grep -rn 'a | b' src", ["grep", "-rn", "a | b", "src"]),
        ("bun run test", ["bun", "run", "test"]),
        ('node -e "console.log(1 > 0)"', ["node", "-e", "console.log(1 > 0)"]),
        ("tsc --noEmit", ["tsc", "--noEmit"]),
    ],
)
def test_plain_programs_pass(text: str, words: list[str]) -> None:
    assert read_command(text) == words


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "ls; rm -rf .", "ls && id", "cat a | sh", "ls > out", "echo `id`", "ls\nid", "rm -rf .", "sudo ls",
        "/bin/ls", "./x", "curl http://x", "bash -c id", "sh", "npm install x", "bun add x", "bun x cowsay", "bun",
        "find . -exec id", "find . -delete", "cat /etc/passwd", "cat ../../x", "cat ~/.ssh/id", "ls 'a", "ls \0",
        "x" * 3_000, "env", "git clone x", "kill 1",
    ],
)  # fmt: skip
def test_everything_else_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(CommandRefused) as caught:
        read_command(text)
    assert str(caught.value).endswith(".")


@given(st.text(max_size=80))
def test_any_text_is_words_of_a_known_program_or_refused(text: str) -> None:
    try:
        words = read_command(text)
    except CommandRefused:
        return
    assert words[0] in PROGRAMS
