"""Whether a file that was changed is worse than it was, judged by its text and those of the other files."""

import re
from collections import Counter
from collections.abc import Mapping

from codegen.fixes import find_faults
from codegen.fixes.project import Project
from codegen.fixes.syntax import is_script

# A comment in the place of code that was left out.
_ELISION = re.compile(
    r"(?://|/\*|<!--|#)[ \t]*(?:"
    r"(?:\.{3}|…)[ \t]*\(?(?:(?:the |all )?(?:rest|existing|remaining|previous|other|same|unchanged|keep)\b|\*/|-->|$)"
    r"|(?:the )?rest of (?:the|your|this) (?:code|file|component|function|styles?)\b"
    r"|(?:existing|remaining|previous|unchanged) code\b)",
    re.IGNORECASE | re.MULTILINE,
)


def regressions(files: Mapping[str, str], path: str, text: str) -> list[str]:
    """Why `text` is worse in the place of the file `path` than what stands there: a sentence each, none when it is not.

    Looked at are what needs no tool: does it parse, was code left out, do other files lose what they import, do
    imports of it lead nowhere, does it render for ever. What was wrong already does not count. Where there is no file
    yet, the new one must be sound.
    """
    before = files.get(path)
    problems: list[str] = []
    if not text.strip() and before and before.strip():
        return ["The file would be empty."]
    known = Counter(issue.message for issue in find_faults(path, files)) if before is not None else Counter[str]()
    added = Counter(issue.message for issue in find_faults(path, {**files, path: text})) - known
    problems += [f"It would have a new fault: {message}" for message in added]
    if path.endswith(".css") and _open_braces(text) and not _open_braces(before or ""):
        problems.append("The braces of the file would no longer be balanced.")
    if len(_ELISION.findall(text)) > len(_ELISION.findall(before or "")):
        problems.append("A comment stands where code was left out: the file must be complete.")
    return [*problems, *_of_script(files, path, text)] if is_script(path) else problems


def _of_script(files: Mapping[str, str], path: str, text: str) -> list[str]:
    before, after = Project(files, lambda _: False), Project({**files, path: text}, lambda _: False)
    lost = _missing(after, path) - _missing(before, path)
    return [f"{importer} imports “{name}”, which the file would no longer export." for importer, name in sorted(lost)]


def _missing(project: Project, target: str) -> set[tuple[str, str]]:
    """(file, name) for what files import from `target` and it does not have."""
    if target not in project.files:
        return set()
    return {
        (path, name)
        for path in project.scripts()
        if path != target
        for statement in project.module(path).imports
        if project.resolve(path, statement.source) == target
        for name in [*(s.imported for s in statement.specifiers), *(["default"] if statement.default else [])]
        if not project.knows(target, name)
    }


def _open_braces(text: str) -> bool:
    plain = re.sub(r"/\*.*?\*/|\"[^\"\n]*\"|'[^'\n]*'", "", text, flags=re.DOTALL)
    return plain.count("{") != plain.count("}")
