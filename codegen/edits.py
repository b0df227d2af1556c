"""Edits as models write them, applied as far as they can be: what fails is told block by block, to be asked again."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from codegen.scof import ScofParser
from codegen.search_replace import apply_search_replace
from codegen.unified_diff import DiffError, apply_unified_diff
from schemas.scof import CommandFound, FileChunked, FileClosed, FileOpened, Refused

MAX_HUNKS = 50  # of one diff that are looked at singly

_SEARCH = re.compile(r"^\s*<{5,9}\s*SEARCH\s*$", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FailedEdit:
    """A block that was not applied: as the model wrote it, and why."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Edited:
    """The text with every block applied that could be, and those that could not; `install` are packages asked for."""

    text: str
    applied: int
    failed: tuple[FailedEdit, ...]
    install: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there were blocks and all of them were applied."""
        return self.applied > 0 and not self.failed

    def followed_by(self, later: "Edited") -> "Edited":
        """This edit and `later`, which started from its text, as one."""
        install = tuple(dict.fromkeys([*self.install, *later.install]))
        return Edited(later.text, self.applied + later.applied, (*self.failed, *later.failed), install)


NO_EDIT = FailedEdit("", "The answer contained neither an edit nor the file.")


def read_edits(answer: str, path: str, files: Mapping[str, str]) -> Edited:
    """What an answer makes of the file `path`, in whichever format it was written: the whole file or a diff in a
    here-document, or search/replace blocks. What it says of other files is ignored."""
    text = files.get(path, "")
    written = _written(answer, path, files)
    if written.applied or written.failed:
        return written
    if _SEARCH.search(answer):
        return replace(apply_blocks(text, answer), install=written.install)
    return Edited(text, 0, (NO_EDIT,), written.install)


def _written(answer: str, path: str, files: Mapping[str, str]) -> Edited:
    """The here-documents of an answer, as one edit of the file `path`."""
    parser = ScofParser(existing=files)
    install: list[str] = []
    found = Edited(files.get(path, ""), 0, ())
    block: list[str] = []
    is_diff = False
    for event in [*parser.feed(answer), *parser.finish()]:
        match event:
            case FileOpened():
                block, is_diff = [], event.format == "unified_diff"
            case FileChunked():
                block.append(event.text)
            case FileClosed() if event.path == path and not is_diff:
                found = Edited(event.content, found.applied + 1, ())
            case FileClosed() | Refused(code="diff_failed") if event.path == path:
                found = found.followed_by(apply_hunks(found.text, "".join(block)))
            case Refused() if event.path == path:
                found = replace(found, failed=(*found.failed, FailedEdit("", event.sentence)))
            case CommandFound():
                install += [spec for spec in event.packages if spec not in install]
    return replace(found, install=tuple(install))


def apply_blocks(text: str, answer: str) -> Edited:
    """Apply the search/replace blocks of an answer. Text between them is ignored."""
    report = apply_search_replace(text, answer)
    failed = tuple(
        FailedEdit(
            f"<<<<<<< SEARCH\n{block.search}\n=======\n{block.replace}\n>>>>>>> REPLACE",
            block.reason,
        )
        for block in report.failed
    )
    return Edited(report.text, len(report.blocks) - len(failed), failed)


def apply_hunks(text: str, diff: str) -> Edited:
    """Apply the hunks of a unified diff, each for itself where the diff as a whole does not apply.

    Where search/replace blocks were written instead of hunks, those are applied.
    """
    if _SEARCH.search(diff):
        return apply_blocks(text, diff)
    try:
        return Edited(apply_unified_diff(text, diff), 1, ())
    except DiffError as error:
        hunks = _hunks(diff)
        if len(hunks) < 2 or len(hunks) > MAX_HUNKS or error.hunk is None:
            return Edited(text, 0, (FailedEdit(diff, str(error)),))
    applied, failed = 0, []
    for hunk in hunks:
        try:
            text = apply_unified_diff(text, hunk)
            applied += 1
        except DiffError as error:
            failed.append(FailedEdit(hunk, str(error)))
    return Edited(text, applied, tuple(failed))


def _hunks(diff: str) -> list[str]:
    """Each hunk of a diff as a diff of its own."""
    hunks: list[list[str]] = []
    for line in diff.splitlines(keepends=True):
        if line.startswith("@@"):
            hunks.append([])
        if hunks:
            hunks[-1].append(line)
    return ["".join(lines) for lines in hunks]
