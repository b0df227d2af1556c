"""The history of a project: its versions, what differs between them, users' edits, and edits that could not be merged.

Every change of a file has a number that counts through the whole session; the project at a number is what it was right
after that change. A version is a run of changes that belong together: a phase, a repair, an edit, a restore.
"""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.secret_scan import FoundSecret
from schemas.session import FileRef

MAX_TEXT = 2 * 1024 * 1024  # characters; the same bound in bytes is checked when a file is stored

VersionNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ProjectPath = Annotated[str, StringConstraints(min_length=1, max_length=500)]
FileText = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
ConflictState = Literal["open", "resolved"]
Choice = Literal["mine", "theirs", "text"]


class FileChange(BaseModel):
    """What a version did to a file."""

    path: str
    status: Literal["added", "changed", "deleted"]


class ProjectVersion(BaseModel):
    """A point in a session's history.

    `version` names it: the number of its last change, and with it the project as it stood then. `first` is the number
    of its first change, `parent` the version before. `author` says what made it, `user_id` who, where a person did.
    `growing` says that the session still adds to it, so that `version` moves on.
    """

    version: int
    first: int
    parent: int | None
    author: str
    user_id: str | None = None
    reason: str
    phase_id: str | None
    operation_id: str
    created_at: datetime
    finished_at: datetime
    growing: bool = False
    changes: list[FileChange]


class VersionList(BaseModel):
    """Answer of `GET /api/sessions/{id}/versions`, newest first; `next` is the value of `before` for the next page."""

    versions: list[ProjectVersion]
    next: int | None = None


class FileDiff(BaseModel):
    """How a file differs. `diff` is a unified diff with three lines of context, None where a text is too large."""

    path: str
    status: Literal["added", "changed", "deleted"]
    added_lines: int = 0
    removed_lines: int = 0
    diff: str | None = None


class ProjectDiff(BaseModel):
    """Answer of `GET /api/sessions/{id}/diff`: the files that differ, in order of path."""

    from_version: int
    to_version: int
    files: list[FileDiff]


class FileConflict(BaseModel):
    """A user's edit and the session's change of the same lines.

    The session's text stands in the project, the user's is kept beside it until the user chooses. A `mine_sha256` of
    None says that the user deleted the file. `version` is the file's version when the two met.
    """

    path: str
    state: ConflictState = "open"
    base_sha256: str | None
    mine_sha256: str | None
    version: int
    user_id: str
    since: datetime
    choice: str | None = None


class ConflictTexts(BaseModel):
    """Both sides of a conflict as texts (None: no file), and both in one with markers around the lines that differ."""

    conflict: FileConflict
    base: str | None
    mine: str | None
    theirs: str | None
    marked: str | None


class ConflictList(BaseModel):
    """The conflicts that wait for a choice."""

    conflicts: list[FileConflict]


class ResolveConflict(BaseModel):
    """Which side of a conflict it shall be; `text` when it is neither."""

    model_config = ConfigDict(extra="forbid")

    choice: Choice
    text: FileText | None = None

    @model_validator(mode="after")
    def _text_belongs_to_its_choice(self) -> Self:
        if (self.choice == "text") != (self.text is not None):
            raise ValueError("a text belongs to the choice “text”, and to no other")
        return self


class WriteFile(BaseModel):
    """A user's text of a file. `base_sha256` is the hash of the text that the edit began with; None for a new file."""

    model_config = ConfigDict(extra="forbid")

    content: FileText
    base_sha256: Sha256 | None = None


class RenameFile(BaseModel):
    """Another path for a file. `base_sha256` is the hash of the text that the user saw."""

    model_config = ConfigDict(extra="forbid")

    path: ProjectPath
    to: ProjectPath
    base_sha256: Sha256 | None = None


EditOutcome = Literal["saved", "merged", "unchanged", "conflict", "deleted"]


class EditResult(BaseModel):
    """What became of a user's edit. `file` is the file as it stands now, None where there is none. `secrets` are what
    the edit brought in that may be a key or a password; it is stored all the same."""

    outcome: EditOutcome
    file: FileRef | None = None
    conflict: FileConflict | None = None
    secrets: list[FoundSecret] = Field(default_factory=list)


class RestoreProject(BaseModel):
    """The version to go back to; with `path` only that file goes back."""

    model_config = ConfigDict(extra="forbid")

    version: VersionNumber
    path: ProjectPath | None = None
    user_id: str = "local"


class RetryPhase(BaseModel):
    """The phase to begin anew, and who wants it."""

    model_config = ConfigDict(extra="forbid")

    phase_id: Annotated[str, Field(max_length=100)]
    user_id: str = "local"


class PhaseRetried(BaseModel):
    """What a retry did: the phases it took back, the version it went back to (None where nothing had been written),
    and the phase that begins now (None where a request was put back into the queue instead)."""

    discarded: list[str]
    version: int | None
    phase_id: str | None


class FilesEdited(BaseModel):
    """Tells a session that a user changed files, in this version."""

    version: int


class Restored(BaseModel):
    """The project after a restore. `version` is the new version, None when nothing was different."""

    version: int | None
    files: list[str]
