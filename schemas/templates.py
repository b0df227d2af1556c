"""What a project template is, as told to models and people."""

from collections.abc import Iterable
from enum import StrEnum
from fnmatch import fnmatchcase

from pydantic import BaseModel, Field


class ProjectType(StrEnum):
    """Which tools check, build and serve a project."""

    VITE_REACT = "vite-react"
    STATIC = "static"
    PYTHON_API = "python-api"


class TemplateInfo(BaseModel):
    """A template. `description` is for choosing one; `guide` tells whoever writes code what is there and how to use it.

    `important_files` are worth showing to a model; `protected_files` belong to the service and cannot be written by a
    session; `redacted_files` (lock files, for instance) are left out of what a model sees. Entries are paths or globs.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")
    title: str
    description: str
    guide: str
    project_type: ProjectType
    important_files: list[str] = Field(default_factory=list)
    protected_files: list[str] = Field(default_factory=list)
    redacted_files: list[str] = Field(default_factory=list)


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Whether a path is one of a template's entries, which are paths or globs."""
    return any(fnmatchcase(path, pattern) for pattern in patterns)
