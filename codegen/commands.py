"""Install commands in a model's text, as plain package names: never as words for a shell."""

import re
from dataclasses import dataclass

from codegen.heredoc import LEAD

_MANAGERS = frozenset({"npm", "pnpm", "yarn", "bun"})
_VERBS = frozenset({"add", "install", "i"})
_DEV_FLAGS = frozenset({"-D", "-d", "--dev", "--save-dev"})
# Flags that take their value as the next word, or change where packages come from or go to.
_VALUE_FLAGS = frozenset(
    {"--registry", "--prefix", "--cwd", "--dir", "-C", "--cache", "--userconfig", "--globalconfig", "--modules-folder"}
    | {"--filter", "-F", "--workspace", "-w", "--tag", "--backend", "--config", "-c", "-g", "--global", "--location"}
)
# Words that no one means as a package: the line is a sentence that begins like a command.
_SENTENCE = re.compile(
    r"(?:all|an|and|any|are|as|at|before|by|command|dependencies|every|everything|first|for|from|if|in|into|is|its?"
    r"|like|must|not|of|on|or|our|packages?|should|so|some|that|the|them|then|there|these|this|those|to|when|which"
    r"|will|with|you|your|.*[.,:!?])",
    re.IGNORECASE,
)

_FLAG = re.compile(r"--?[A-Za-z][\w-]*+")
_NAME = r"(?:@[a-z0-9~-][\w.~-]*+/)?+[a-z0-9~-][\w.~-]*+"
_RANGE = r"(?:[\^~]|[<>]=?|=)?+[\w*][\w.*+-]*+"
_SPEC = re.compile(rf"{_NAME}(?:@(?:npm:{_NAME}(?:@{_RANGE})?+|{_RANGE}))?+", re.IGNORECASE)

_LEAD = re.compile(rf"\s*+{LEAD}")
_BREAK = re.compile(r"&&|\|\||[;|]")
_COMMENT = re.compile(r"\s(?:#|//).*", re.DOTALL)
_SPAN = re.compile(r"`\s*+((?:npm|pnpm|yarn|bun)\s[^`]*+)`", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class InstallCommand:
    """One install command. With `unsafe`, the word of it that names no package of the registry, it is not followed."""

    text: str
    packages: tuple[str, ...]
    dev: bool
    unsafe: str | None = None


def find_install_commands(line: str) -> list[InstallCommand]:
    """The install commands of one line: the line itself, after a list mark or a prompt, or code spans within it.

    Commands chained with `&&`, `;` or `|` are looked at one by one.
    """
    spans: list[str] = _SPAN.findall(line)
    if not spans:
        lead = _LEAD.match(line)
        spans = [line[lead.end() :] if lead else line]
    parts = [part for span in spans for part in _BREAK.split(_COMMENT.sub("", span))]
    return [command for part in parts if (command := _parse(part)) is not None]


def _parse(part: str) -> InstallCommand | None:
    words = part.split()
    if len(words) < 2 or words[0].lower() not in _MANAGERS or words[1].lower() not in _VERBS:
        return None
    arguments = [word.strip("'\"") for word in words[2:]]
    if any(_SENTENCE.fullmatch(word) for word in arguments):
        return None
    packages = tuple(dict.fromkeys(word for word in arguments if not word.startswith("-")))
    if words[1].lower() == "add" and not packages:
        return None
    unsafe = next((word for word in arguments if not _is_plain(word)), None)
    text = " ".join([words[0].lower(), words[1].lower(), *arguments])
    return InstallCommand(text, packages, not _DEV_FLAGS.isdisjoint(arguments), unsafe)


def _is_plain(word: str) -> bool:
    if word.startswith("-"):
        return _FLAG.fullmatch(word) is not None and word not in _VALUE_FLAGS
    return _SPEC.fullmatch(word) is not None
