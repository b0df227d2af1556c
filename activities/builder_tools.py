"""What the model that drives a session can do: one class per tool, its fields being the arguments."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field


class BuilderTool(BaseModel):
    """A tool: the class's docstring tells the model what it does."""

    model_config = ConfigDict(extra="forbid")

    name: ClassVar[str]

    def summary(self) -> str:
        """The call in a few plain words, for people who watch."""
        raise AssertionError(f"{type(self).__name__} has no summary")


class ListFiles(BuilderTool):
    """List the paths of all files of the project."""

    name = "list_files"

    def summary(self) -> str:
        return "Looking at the list of files"


class ReadFile(BuilderTool):
    """Read a file."""

    name = "read_file"
    path: str

    def summary(self) -> str:
        return f"Reading {self.path}"


class SearchFiles(BuilderTool):
    """Find the lines of all files that contain a text."""

    name = "search_files"
    text: str = Field(min_length=1)

    def summary(self) -> str:
        return f"Searching for “{self.text[:40]}”"


class WriteFile(BuilderTool):
    """Write a file, whole. It replaces one of the same path."""

    name = "write_file"
    path: str
    content: str

    def summary(self) -> str:
        return f"Writing {self.path}"


class EditFile(BuilderTool):
    """Change parts of a file with search/replace blocks (<<<<<<< SEARCH, =======, >>>>>>> REPLACE)."""

    name = "edit_file"
    path: str
    blocks: str

    def summary(self) -> str:
        return f"Editing {self.path}"


class DeleteFile(BuilderTool):
    """Delete a file."""

    name = "delete_file"
    path: str

    def summary(self) -> str:
        return f"Deleting {self.path}"


class InstallPackages(BuilderTool):
    """Install packages, by plain names with or without a version."""

    name = "install_packages"
    packages: list[str] = Field(min_length=1, max_length=20)

    def summary(self) -> str:
        return f"Installing {', '.join(self.packages)}"


class RunChecks(BuilderTool):
    """Check types, style and build of the project as it stands."""

    name = "run_checks"

    def summary(self) -> str:
        return "Checking the code"


class Complete(BuilderTool):
    """Declare the work done, with a summary for the person who asked."""

    name = "complete"
    text: str = Field(alias="summary")

    def summary(self) -> str:
        return "Finishing"


TOOLS: dict[str, type[BuilderTool]] = {
    tool.name: tool
    for tool in (
        ListFiles, ReadFile, SearchFiles, WriteFile, EditFile, DeleteFile, InstallPackages, RunChecks, Complete,
    )
}  # fmt: skip
