"""The project templates: one folder each below `templates/`, holding `template.json` and the project under `files/`."""

import functools
import hashlib
import json
from fnmatch import fnmatchcase
from pathlib import Path

from sandbox.errors import UnknownTemplate
from schemas.templates import TemplateInfo

FOLDER = Path(__file__).parent / "templates"
PROGRAMS = Path(__file__).parent / "programs"


class Template:
    """A template as it lies in the source tree: its description and its files."""

    def __init__(self, folder: Path) -> None:
        self.info = TemplateInfo.model_validate_json((folder / "template.json").read_bytes())
        self.files = {
            str(path.relative_to(folder / "files")): path.read_bytes()
            for path in sorted((folder / "files").rglob("*"))
            if path.is_file()
        }

    def protects(self, path: str) -> bool:
        """Whether a path belongs to the service."""
        return any(fnmatchcase(path, pattern) for pattern in self.info.protected_files)

    def redacts(self, path: str) -> bool:
        """Whether a path is left out of what models see."""
        return any(fnmatchcase(path, pattern) for pattern in self.info.redacted_files)

    @property
    def lock(self) -> bytes:
        return self.files.get("bun.lock", b"")

    def package(self) -> dict[str, dict[str, str]]:
        """Dependencies of the template's package.json, by kind; empty for projects that have none."""
        content = json.loads(self.files.get("package.json", b"{}"))
        return {kind: dict(content.get(kind, {})) for kind in ("dependencies", "devDependencies")}

    def fingerprint(self) -> str:
        """Changes with every change of the template."""
        digest = hashlib.sha256(self.info.model_dump_json().encode())
        for path, content in self.files.items():
            digest.update(f"{path}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()[:16]


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
