"""A part of a recorded SCOF answer: without the files that are there already, or with those only that are asked for."""

from pathlib import PurePosixPath

from codegen.heredoc import parse_opening


def without_files(text: str, written: frozenset[str], only: frozenset[str] = frozenset()) -> str:
    """Drop the blocks of the files in `written`, and with `only` those of all other files, each with the comment lines
    right above it; keep everything else."""
    done = {PurePosixPath(path) for path in written}
    wanted = {PurePosixPath(path) for path in only}
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
            path = PurePosixPath(opening.path)
            dropping = path in done or bool(wanted and path not in wanted)
        if not dropping:
            kept.append(line)
            continue
        while kept and kept[-1].lstrip().startswith("#"):
            kept.pop()
    return "".join(kept)
