"""Going on after an interruption: the same SCOF answer without the files that are already there."""

from pathlib import PurePosixPath

from codegen.heredoc import parse_opening


def without_files(text: str, written: frozenset[str]) -> str:
    """Drop the blocks of the files in `written`, with the comment lines right above them; keep everything else."""
    done = {PurePosixPath(path) for path in written}
    kept: list[str] = []
    marker: str | None = None
    dropping = False
    for line in text.splitlines(keepends=True):
        if marker is not None:
            if not dropping:
                kept.append(line)
            if line.strip() == marker:
                marker, dropping = None, False
            continue
        if (opening := parse_opening(line)) is not None:
            marker = opening.marker
            dropping = PurePosixPath(opening.path) in done
        if not dropping:
            kept.append(line)
            continue
        while kept and kept[-1].lstrip().startswith("#"):
            kept.pop()
    return "".join(kept)
