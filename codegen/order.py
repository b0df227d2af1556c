"""In which order files should change: what others import goes first."""

from collections.abc import Collection, Mapping

from codegen.fixes.project import Project
from codegen.fixes.syntax import is_script


def predecessors(files: Mapping[str, str], paths: Collection[str]) -> dict[str, list[str]]:
    """For each of `paths` those of the others that it imports, directly or through further files.

    Free of circles: of files that import each other, the one that comes first in `paths` goes first.
    """
    project = Project(files, lambda _: True)
    order = list(dict.fromkeys(paths))
    imported = {path: _reached(project, path) for path in order}
    found: dict[str, list[str]] = {}
    for at, path in enumerate(order):
        mutual = {other for other in order if path in imported[other] and other in imported[path]}
        found[path] = [
            other
            for position, other in enumerate(order)
            if other != path and other in imported[path] and (other not in mutual or position < at)
        ]
    return found


def _reached(project: Project, path: str) -> set[str]:
    reached: set[str] = set()
    waiting = [path]
    while waiting:
        current = waiting.pop()
        if current not in project.files or not is_script(current):
            continue
        for statement in project.module(current).imports:
            target = project.resolve(current, statement.source)
            if target is not None and target not in reached:
                reached.add(target)
                waiting.append(target)
    return reached
