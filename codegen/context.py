"""Which files of a project a model is shown when not all of them fit."""

import posixpath
import re
from collections.abc import Iterable, Mapping

CHARACTERS_PER_TOKEN = 3.5
NEVER_SHOWN = ("package-lock.json", "bun.lock", "pnpm-lock.yaml", "yarn.lock")
_IMPORT = re.compile(r"""(?:from|import)\s*\(?\s*["'](\.{1,2}/[^"']+|@/[^"']+)["']""")
_ENDINGS = ("", ".ts", ".tsx", ".js", ".jsx", ".css", "/index.ts", "/index.tsx")


def select_files(
    files: Mapping[str, str], focus: Iterable[str], budget_tokens: int
) -> tuple[dict[str, str], list[str]]:
    """Choose whole files for a context of `budget_tokens`, and name those left out.

    First the files in `focus`, then what they import, what imports them, and the rest from small to large. The chosen
    ones come in the order of their paths, so that a provider's prompt cache recognises them.
    """
    candidates = {path: text for path, text in files.items() if posixpath.basename(path) not in NEVER_SHOWN}
    wanted = [path for path in focus if path in candidates]
    imports = {path: _imported(path, text, candidates) for path, text in candidates.items()}
    near = {target for path in wanted for target in imports[path]}
    near |= {path for path, targets in imports.items() if targets & set(wanted)}
    rest = sorted(candidates, key=lambda path: (len(candidates[path]), path))
    budget = budget_tokens * CHARACTERS_PER_TOKEN
    chosen: dict[str, str] = {}
    omitted: list[str] = []
    for path in dict.fromkeys([*wanted, *(path for path in rest if path in near), *rest]):
        cost = len(candidates[path]) + len(path) + 20
        if cost <= budget:
            budget -= cost
            chosen[path] = candidates[path]
        else:
            omitted.append(path)
    return dict(sorted(chosen.items())), sorted(omitted)


def _imported(path: str, text: str, files: Mapping[str, str]) -> set[str]:
    found = set()
    for specifier in _IMPORT.findall(text):
        near = posixpath.join(posixpath.dirname(path), specifier)
        base = "src/" + specifier[2:] if specifier.startswith("@/") else near
        target = posixpath.normpath(base)
        found |= {target + ending for ending in _ENDINGS if target + ending in files}
    return found
