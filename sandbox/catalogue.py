"""The project templates, one folder each below `templates/`.

A template's folder holds `template.json` and the project under `files/`. Tools that serve the project without being
part of it are named in `tools/`, by a package.json with its lock or a requirements.txt with hashes.
"""

import functools
import hashlib
import json
from pathlib import Path

from sandbox.errors import UnknownTemplate
from schemas.templates import ProjectType, TemplateInfo, matches

FOLDER = Path(__file__).parent / "templates"
# What tools leave behind in a checkout.
_LEFTOVERS = frozenset({"__pycache__", ".ruff_cache", ".mypy_cache", "node_modules", "dist", ".DS_Store"})
PROGRAMS = Path(__file__).parent / "programs"


class Template:
    """A template as it lies in the source tree: its description and its files."""

    def __init__(self, folder: Path) -> None:
        self.info = TemplateInfo.model_validate_json((folder / "template.json").read_bytes())
        self.files = _contents(folder / "files")
        self.tools = _contents(folder / "tools")

    def protects(self, path: str) -> bool:
        """Whether a path belongs to the service."""
        return matches(path, self.info.protected_files)

    def redacts(self, path: str) -> bool:
        """Whether a path is left out of what models see."""
        return matches(path, self.info.redacted_files)

    @property
    def lock(self) -> bytes:
        """The lock of the npm packages, empty where there is none."""
        return self.files.get("bun.lock") or self.tools.get("bun.lock") or b""

    @property
    def requirements(self) -> bytes:
        """The Python packages with their hashes, empty where the template uses none."""
        return self.tools.get("requirements.txt", b"")

    @property
    def extensible(self) -> bool:
        """Whether packages can be added."""
        return self.packages_file is not None

    @property
    def packages_file(self) -> str | None:
        """The project's file that names its packages; the service writes it. None where packages cannot be added."""
        return next((name for name in ("package.json", "requirements.txt") if name in self.files), None)

    @property
    def publishable(self) -> bool:
        """Whether a build of it can be served as plain files, without a server of its own."""
        return self.info.project_type is not ProjectType.PYTHON_API

    def package(self) -> dict[str, dict[str, str]]:
        """npm dependencies of the project or its tools, by kind."""
        content = json.loads(self.files.get("package.json") or self.tools.get("package.json") or b"{}")
        return {kind: dict(content.get(kind, {})) for kind in ("dependencies", "devDependencies")}

    def fingerprint(self) -> str:
        """Changes with every change of the template."""
        digest = hashlib.sha256(self.info.model_dump_json().encode())
        for path, content in [*self.files.items(), *self.tools.items()]:
            digest.update(f"{path}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()[:16]


def _contents(folder: Path) -> dict[str, bytes]:
    found = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    kept = {name: path for name, path in found.items() if not _LEFTOVERS & set(name.parts)}
    return {name.as_posix(): path.read_bytes() for name, path in kept.items()}


@functools.cache
def templates() -> dict[str, Template]:
    """All templates by name, the default one first."""
    found = [Template(path.parent) for path in sorted(FOLDER.glob("*/template.json"))]
    found.sort(key=lambda template: (template.info.name != "react-vite", template.info.name))
    return {template.info.name: template for template in found}


def template(name: str) -> Template:
    """Return a template. Raises UnknownTemplate."""
    try:
        return templates()[name]
    except KeyError:
        raise UnknownTemplate(f"There is no template {name[:60]!r}; there are {', '.join(templates())}.") from None
