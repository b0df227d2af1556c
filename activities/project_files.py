"""Changes of the project's files by a step: stored and announced in one."""

from typing import Literal

from activities.context import Rooms
from activities.material import matches, template_named
from activities.step import Step
from schemas.events import FileDeleted, FileGenerated
from schemas.session import FileRef
from storage.files import BadPath, FileTooLarge, FileVersion, TooManyFiles


class ProjectFiles:
    """What one step writes and deletes."""

    def __init__(
        self, step: Step, template: str, *, phase_id: str, reason: str, author: Literal["model", "fix"]
    ) -> None:
        self._step = step
        self._phase_id = phase_id
        self._reason = reason
        self._author: Literal["model", "fix"] = author
        self._protected = template_named(step.rooms, template).protected_files

    def protects(self, path: str) -> bool:
        """Whether the template keeps this path for itself."""
        return matches(path, self._protected)

    async def write(
        self, path: str, content: str, *, author: Literal["model", "fix"] | None = None, reason: str | None = None
    ) -> None:
        """Store a file as a new version and tell watchers, both or neither. `author` and `reason` are the step's own
        unless given.

        Raises ValueError for a path that the project must not have or that is protected, and for a file too large.
        """
        step = self._step
        if self.protects(path):
            raise ValueError(f"{path} belongs to the template and cannot be changed.")
        try:
            await step.rooms.files.close_file(
                step.writer,
                path,
                content,
                author=author or self._author,
                reason=reason or self._reason,
                phase_id=self._phase_id,
                announce=lambda version: FileGenerated(operation_id=step.id, file=file_ref(version)),
            )
        except (BadPath, FileTooLarge, TooManyFiles) as error:
            raise ValueError(str(error)) from error

    async def delete(self, paths: list[str]) -> None:
        """Take files out of the project; those that are protected or not there are left alone."""
        step = self._step
        for path in paths:
            if self.protects(path):
                continue
            await step.rooms.files.delete_file(
                step.writer,
                path,
                author=self._author,
                reason=self._reason,
                phase_id=self._phase_id,
                announce=lambda version: FileDeleted(operation_id=step.id, path=version.path),
            )


async def changes_of(rooms: Rooms, session_id: str, operation_id: str) -> tuple[list[FileRef], list[str]]:
    """What a step did in all its attempts: the files it wrote, and the paths it deleted."""
    versions = await rooms.files.of_operation(session_id, operation_id)
    written = [file_ref(version) for version in versions if version.sha256 is not None]
    return written, [version.path for version in versions if version.sha256 is None]


def file_ref(version: FileVersion) -> FileRef:
    """A stored version as watchers know it."""
    return FileRef(
        path=version.path,
        sha256=version.sha256 or "",
        size=version.size,
        version=version.version,
        phase_id=version.phase_id,
        author=version.author,
    )
