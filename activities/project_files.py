"""Changes of the project's files by a step: stored and announced in one."""

from collections.abc import Collection, Mapping
from typing import Literal

from activities.context import Rooms
from activities.material import template_named
from activities.step import Step
from schemas.events import ErrorEvent, FileDeleted, FileGenerated
from schemas.secret_scan import new_secrets
from schemas.secrets import mask_known, masked_in
from schemas.session import FileRef
from schemas.templates import matches
from storage.conflicts import UNSEEN, Unseen
from storage.edits import secrets_told
from storage.files import BadPath, FileTooLarge, FileVersion, TooManyFiles


class ProjectFiles:
    """What one step writes and deletes.

    `seen` are the texts of all files that the step works from: what users change of them meanwhile is merged with what
    the step writes. Without it, what the step writes replaces what is there.
    """

    def __init__(
        self,
        step: Step,
        template: str,
        *,
        phase_id: str,
        reason: str,
        author: Literal["model", "fix"],
        seen: Mapping[str, str] | None = None,
    ) -> None:
        self._step = step
        self._phase_id = phase_id
        self._reason = reason
        self._author: Literal["model", "fix"] = author
        self._seen = None if seen is None else dict(seen)
        self._protected = template_named(step.rooms, template).protected_files

    def protects(self, path: str) -> bool:
        """Whether the template keeps this path for itself."""
        return matches(path, self._protected)

    async def works_from(self, path: str, results: Collection[str]) -> None:
        """Note what a model knows of a file whose texts it was shown in `results`: what stands, if that was shown or if
        no user changed it, else what stood before users did."""
        rooms, session_id = self._step.rooms, self._step.session_id
        versions = await rooms.files.versions(session_id, path)
        if not versions or versions[-1].author != "user":
            return
        standing = await rooms.files.read(session_id, path) if versions[-1].sha256 else None
        if standing is not None and any(shown and standing.startswith(shown) for shown in results):
            known: str | None = standing
        else:
            before = [version for version in versions if version.author != "user"]
            known = None
            if before and before[-1].sha256 is not None:
                known = await rooms.files.read(session_id, path, before[-1].version)
        self._seen = {} if known is None else {path: known}

    async def write(
        self, path: str, content: str, *, author: Literal["model", "fix"] | None = None, reason: str | None = None
    ) -> str:
        """Store a file as a new version and tell watchers, both or neither. `author` and `reason` are the step's own
        unless given. Returns the text as it is stored: a user's edits may be merged into it.

        Raises ValueError for a path that the project must not have or that is protected, and for a file too large.
        """
        step = self._step
        if self.protects(path):
            raise ValueError(f"{path} belongs to the template and cannot be changed.")
        content = self._without_secrets(path, content)
        before = self._seen.get(path) if self._seen is not None else None
        try:
            version = await step.rooms.files.close_file(
                step.writer,
                path,
                content,
                author=author or self._author,
                reason=reason or self._reason,
                phase_id=self._phase_id,
                announce=lambda version: FileGenerated(operation_id=step.id, file=file_ref(version)),
                seen=self._seen_of(path),
                line=step.given.line,
            )
        except (BadPath, FileTooLarge, TooManyFiles) as error:
            raise ValueError(str(error)) from error
        for event in secrets_told(step.id, path, new_secrets(path, content, before)):
            step.emit(event)
        if version.given_sha256 is not None:
            content = await step.rooms.files.read(step.session_id, path, version.version)
        if self._seen is not None:
            self._seen[path] = content
        return content

    def _without_secrets(self, path: str, content: str) -> str:
        """The text without keys of known forms: what a model writes is shown, exported and deployed."""
        if (masked := mask_known(content)) == content:
            return content
        earlier = masked_in(content)
        self._step.emit(
            ErrorEvent(
                operation_id=self._step.id,
                code="secret_in_file",
                sentence=f"A key or password was taken out of {path} before it was stored.",
                next_action="Let the application read it from its environment instead.",
                secrets=[one for one in masked_in(masked) if one not in earlier],
            )
        )
        return masked

    def _seen_of(self, path: str) -> str | Unseen | None:
        return UNSEEN if self._seen is None else self._seen.get(path)

    async def delete(self, paths: list[str]) -> None:
        """Take files out of the project; those that are protected, changed by a user, or not there are left alone."""
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
                seen=self._seen_of(path),
                line=step.given.line,
            )


async def changes_of(rooms: Rooms, session_id: str, operation_id: str) -> tuple[list[FileRef], list[str]]:
    """What a step did in all its attempts, as it stands now: the files it wrote, and the paths it deleted."""
    versions = await rooms.files.standing(session_id, operation_id)
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
