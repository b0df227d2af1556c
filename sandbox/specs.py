"""Packages by plain name and version: the only form in which a session can ask for one.

Addresses, folders, git repositories, extras and aliases are not plain: each of them can run code or read files.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.errors import InstallRefused

_NAME = r"(?:@[a-z0-9][a-z0-9._~-]*/)?[a-z0-9][a-z0-9._~-]*"
_VERSION = r"(?:[\^~]?\d+(?:\.(?:\d+|x)){0,2}(?:-[0-9A-Za-z.-]+)?|latest|next)"
_SPEC = re.compile(rf"({_NAME})(?:@({_VERSION}))?")
_EXACT = re.compile(r"\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?")
_PYTHON_VERSION = r"\d+(?:\.\d+){0,4}(?:(?:a|b|rc|\.post|\.dev)\d+)?"
_REQUIREMENT = re.compile(rf"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?) ?(?:(==|~=|>=|@) ?({_PYTHON_VERSION}))?")
_LONGEST = 200


@dataclass(frozen=True)
class Spec:
    """A package of the npm registry; the version may be a range or a tag until it is installed."""

    name: str
    version: str

    @property
    def exact(self) -> bool:
        return is_exact(self.version)

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def is_exact(version: str) -> bool:
    """Whether an npm version is neither a range nor a tag."""
    return _EXACT.fullmatch(version) is not None


def parse_spec(text: str) -> Spec:
    """Read `name`, `name@1.2.3`, `name@^1.2` or `@scope/name@1`. Raises InstallRefused for everything else."""
    match = _SPEC.fullmatch(text)
    if match is None or len(text) > _LONGEST:
        raise InstallRefused(f"{text[:80]!r} is not a plain package name with a version.")
    return Spec(match[1], match[2] or "latest")


@dataclass(frozen=True)
class Requirement:
    """A package of the Python index; `version` with its comparison, empty for the newest."""

    name: str
    version: str

    @property
    def exact(self) -> bool:
        return self.version.startswith("==")

    def __str__(self) -> str:
        return f"{self.name}{self.version}"


def parse_requirement(text: str) -> Requirement:
    """Read `name`, `name==1.2.3`, `name>=1.2`, `name~=1.2` or `name@1.2`. Raises InstallRefused for everything else."""
    match = _REQUIREMENT.fullmatch(text)
    if match is None or len(text) > _LONGEST:
        raise InstallRefused(f"{text[:80]!r} is not a plain package name with a version.")
    comparison = "==" if match[2] == "@" else match[2] or ""
    return Requirement(normal_name(match[1]), f"{comparison}{match[3] or ''}")


def normal_name(name: str) -> str:
    """A Python package's name as the index knows it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements_in(text: str) -> Mapping[str, Requirement]:
    """The plain packages of a requirements.txt by name; anything else in it is passed over."""
    found = {}
    for line in text.splitlines():
        match = _REQUIREMENT.fullmatch(line.strip())
        if match is not None and line.strip():
            requirement = parse_requirement(line.strip())
            found[requirement.name] = requirement
    return found
