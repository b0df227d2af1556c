"""The files under repair: who exports what, which file an import means, and edits that keep files parsing."""

import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from codegen.fixes.syntax import Export, Kind, Module, is_script, read_module

_ALIAS = "@/"  # stands for src/ in every template that has scripts
_EXTENSIONS = (".ts", ".tsx", ".d.ts", ".mts", ".js", ".jsx", ".mjs")
_COMPILED = {".js": (".ts", ".tsx"), ".jsx": (".tsx",), ".mjs": (".mts",)}
_NOT_OFFERED = re.compile(r"\.d\.ts$|\.(?:test|spec|stories)\.|(?:^|/)main\.|(?:^|/)__tests__/|\.config\.")
_MOST_EXPORTS = 100  # looked at on the way to where a name is declared


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the bytes from `start` to `end`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a name is declared. `name` is `default` for a default export."""

    path: str
    name: str
    kind: Kind


class Project:
    """The current texts. Whatever is changed here must parse afterwards; what is protected stays as it is."""

    def __init__(self, files: Mapping[str, str], protected: Callable[[str], bool]) -> None:
        self.files = dict(files)
        self.protects = protected

    def module(self, path: str) -> Module:
        return read_module(path, self.files[path])

    def scripts(self) -> list[str]:
        """Paths of the scripts that are read."""
        return [path for path in sorted(self.files) if is_script(path) and not path.startswith("node_modules/")]

    # --- which file an import means ---------------------------------------------------------------------------------

    def is_local(self, source: str) -> bool:
        """Whether a module name means a file of the project rather than a package."""
        if source.startswith((".", _ALIAS, "/", "~/", "src/")):
            return True
        head, _, rest = source.partition("/")
        return bool(rest) and not head.startswith("@") and any(path.startswith(f"src/{head}/") for path in self.files)

    def target_path(self, importer: str, source: str) -> str | None:
        """The path that a local module name spells, without looking whether it is there. None outside the project."""
        if source.startswith((".", "/")):
            base = posixpath.dirname(importer) if source.startswith(".") else ""
            path = posixpath.normpath(posixpath.join(base, source.lstrip("/") if source.startswith("/") else source))
        else:
            path = posixpath.normpath("src/" + re.sub(r"^(?:@/|~/|src/)", "", source))
        return None if path.startswith("..") or path == "." else path

    def resolve(self, importer: str, source: str) -> str | None:
        """The file that `source` means in `importer`, as the compiler finds it; None for packages and for nothing."""
        if not source.startswith((".", _ALIAS)):
            return None
        path = self.target_path(importer, source)
        if path is None:
            return None
        stem, extension = posixpath.splitext(path)
        spelled = [path, *(stem + compiled for compiled in _COMPILED.get(extension, ()))]
        implied = [base + ending for base in (path, f"{path}/index") for ending in _EXTENSIONS]
        return next((candidate for candidate in [*spelled, *implied] if candidate in self.files), None)

    def spell(self, importer: str, target: str) -> str:
        """How `importer` names the file `target`: by alias where it does so already, else by relative path."""
        bare = re.sub(r"(?:/index)?\.(?:ts|tsx|mts|js|jsx|mjs)$", "", target)
        aliased = any(statement.source.startswith(_ALIAS) for statement in self.module(importer).imports)
        if aliased and target.startswith("src/"):
            return _ALIAS + bare.removeprefix("src/")
        relative = posixpath.relpath(bare, posixpath.dirname(importer) or ".")
        return relative if relative.startswith(".") else f"./{relative}"

    # --- who exports what -------------------------------------------------------------------------------------------

    def origin(self, path: str, name: str, seen: set[tuple[str, str]] | None = None) -> Origin | None:
        """Where the export `name` (or `default`) of a file is declared. None when it has none, or a package has it.

        `seen` are the exports looked at on the way: files may pass names on in circles.
        """
        seen = set() if seen is None else seen
        if (path, name) in seen or len(seen) >= _MOST_EXPORTS:
            return None
        seen.add((path, name))
        module = self.module(path)
        if name == "default":
            if not module.has_default:
                return None
            declared = module.declarations.get(module.default_name or "")
            return Origin(path, name, declared.kind if declared else "value")
        export = module.exports.get(name)
        if export is not None:
            return self._passed_on(path, export, seen)
        for source in module.stars:
            target = self.resolve(path, source)
            if target and is_script(target) and (found := self.origin(target, name, seen)):
                return found
        return None

    def _passed_on(self, path: str, export: Export, seen: set[tuple[str, str]]) -> Origin | None:
        module = self.module(path)
        if export.source is not None:
            target = self.resolve(path, export.source)
            if target is None or not is_script(target) or export.original == "*":
                return None
            found = self.origin(target, export.original, seen)
            return Origin(found.path, found.name, "type") if found and export.type_only else found
        declared = module.declarations.get(export.original)
        if declared is None:
            return None
        return Origin(path, export.name, "type" if export.type_only else declared.kind)

    def knows(self, path: str, name: str) -> bool:
        """Whether a file has this export in any way, also from a package."""
        module = self.module(path)
        if name == "default":
            return module.has_default
        if name in module.exports or self.origin(path, name):
            return True
        return any(self.resolve(path, source) is None for source in module.stars)

    def exported_names(self, path: str) -> list[str]:
        """Names that a file itself exports."""
        return list(self.module(path).exports)

    def exporters(self, name: str, importer: str) -> list[Origin]:
        """The files, other than `importer`, that declare and export this name, each once."""
        found: dict[tuple[str, str], Origin] = {}
        for path in self.scripts():
            if path == importer or _NOT_OFFERED.search(path):
                continue
            module = self.module(path)
            for wanted in (name, "default"):
                if wanted == "default" and (module.default_name != name or name in module.exports):
                    continue
                origin = self.origin(path, wanted)
                if origin is not None and origin.path != importer:
                    found.setdefault((origin.path, origin.name), origin)
        return list(found.values())

    # --- change -----------------------------------------------------------------------------------------------------

    def edit(self, path: str, edits: Collection[Edit]) -> bool:
        """Change a file. False, and nothing changed, where that is not allowed or the file would not parse."""
        if self.protects(path) or not self.module(path).sound:
            return False
        data = self.module(path).data
        for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
            data = data[: edit.start] + edit.text.encode() + data[edit.end :]
        text = data.decode()
        if not read_module(path, text).sound:
            return False
        self.files[path] = text
        return True

    def create(self, path: str, text: str) -> bool:
        """Add a file. False where there is one, or none may be."""
        if path in self.files or self.protects(path) or not read_module(path, text).sound:
            return False
        self.files[path] = text
        return True


def paths_like(files: Mapping[str, str], path: str) -> Iterator[str]:
    """Files whose path is `path` but for the extension and for upper and lower case."""
    wanted = _stem(path).lower()
    for candidate in sorted(files):
        if candidate.lower() == path.lower() or (is_script(candidate) and _stem(candidate).lower() == wanted):
            yield candidate


def names_like(files: Mapping[str, str], path: str) -> Iterator[str]:
    """Scripts in any folder with the name of `path`, but for the extension and for upper and lower case."""
    wanted = posixpath.basename(_stem(path)).lower()
    for candidate in sorted(files):
        if is_script(candidate) and posixpath.basename(_stem(candidate)).lower() == wanted:
            yield candidate


def _stem(path: str) -> str:
    return re.sub(r"(?:/index)?\.(?:tsx?|mts|jsx?|mjs)$", "", path)
