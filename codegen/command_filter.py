"""Which commands a model may run in the sandbox: one program with plain arguments, out of a short list.

The sandbox is what contains them. The list keeps a model from losing time with what cannot work there (no network, no
shell, no lasting changes), and from what would be harmful where the sandbox is switched off.
"""

import shlex

MAX_COMMAND = 2_000
READERS = frozenset({"cat", "head", "tail", "ls", "wc", "grep", "find", "diff", "sort", "uniq", "stat", "file", "pwd"})
PROGRAMS = READERS | {"node", "bun", "tsc", "python3", "echo", "date", "true"}
BUN_VERBS = frozenset({"run", "test", "build", "-e", "--version"})
_SHELL = frozenset(";|&<>`\n")
_FIND_ACTIONS = frozenset({"-delete", "-exec", "-execdir", "-ok", "-okdir", "-fprint", "-fprint0", "-fprintf", "-fls"})


class CommandRefused(ValueError):
    """The command is not run; the sentence says why and what to do instead."""


def read_command(text: str) -> list[str]:
    """The words of a command that may be run. Raises CommandRefused."""
    if len(text) > MAX_COMMAND:
        raise CommandRefused(f"A command has at most {MAX_COMMAND} characters.")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise CommandRefused(f"The command cannot be read: {error}.") from None
    if not words:
        raise CommandRefused("The command is empty.")
    if "\0" in text or _shell_like(text):
        raise CommandRefused("There is no shell: run one program with plain arguments, without ; | & < > or `.")
    program = words[0]
    if program in ("npm", "pnpm", "yarn", "npx", "pip", "uv") or words[:2] in (["bun", "add"], ["bun", "install"]):
        raise CommandRefused("Packages are added by the tool install_packages.")
    if program not in PROGRAMS:
        raise CommandRefused(f"{program[:60]!r} is not one of the programs there are: {', '.join(sorted(PROGRAMS))}.")
    if program == "bun" and (len(words) < 2 or words[1] not in BUN_VERBS):
        raise CommandRefused(f"bun can be used with: {', '.join(sorted(BUN_VERBS))}.")
    if program == "find" and not _FIND_ACTIONS.isdisjoint(words):
        raise CommandRefused("find can only list here.")
    if program in READERS and (outside := [word for word in words[1:] if _leaves(word)]):
        raise CommandRefused(f"{outside[0][:100]!r} is not a path inside the project.")
    return words


def _shell_like(text: str) -> bool:
    """Whether a sign that means something to a shell stands outside quotes."""
    quote = ""
    skip = False
    for sign in text:
        if skip:
            skip = False
        elif sign == "\\" and quote != "'":
            skip = True
        elif quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign in _SHELL:
            return True
    return False


def _leaves(word: str) -> bool:
    return word.startswith(("/", "~")) or ".." in word.split("/")
