"""Changes of the project's files by a step: stored and announced in one."""

from typing import Literal

from activities.material import template_named
from activities.step import Step
from schemas.events import FileDeleted, FileGenerated
from schemas.session import FileRef
from storage.database import Connection


class ProjectFiles:
    """What one step writes and deletes. `deleted` lists the paths that are gone."""

    def __init__(
        self, step: Step, template: str, *, phase_id: str, reason: str, author: Literal["model", "fix"]
    ) -> None:
        self._step = step
        self._phase_id = phase_id
        self._reason = reason
        self._author: Literal["model", "fix"] = author
        self.protected = frozenset(template_named(step.rooms, template).protected_files)
        self.deleted: list[str] = []

    async def write(self, path: str, content: str) -> None:
        """Store a file as a new version and tell watchers, both or neither.

        Raises ValueError for a path that the project must not have or that is protected, and for a file too large.
        """
        step = self._step
        if path in self.protected:
            raise ValueError(f"{path} belongs to the template and cannot be changed.")

        async def store(connection: Connection) -> list[FileGenerated]:
            ref = await step.rooms.files.put(
                step.session_id,
                path,
                content,
                author=self._author,
                reason=self._reason,
                operation_id=step.id,
                phase_id=self._phase_id,
                connection=connection,
            )
            return [FileGenerated(operation_id=step.id, file=ref)]

        await step.writer.store(store)

    async def delete(self, paths: list[str], contents: dict[str, str]) -> None:
        """Take files out of the project; those that are protected or not there are left alone."""
        step = self._step
        for path in paths:
            if path in contents and path not in self.protected:

                async def remove(connection: Connection, path: str = path) -> list[FileDeleted]:
                    await step.rooms.files.delete(
                        step.session_id,
                        path,
                        author=self._author,
                        reason=self._reason,
                        operation_id=step.id,
                        phase_id=self._phase_id,
                        connection=connection,
                    )
                    return [FileDeleted(operation_id=step.id, path=path)]

                await step.writer.store(remove)
                self.deleted.append(path)

    async def stored(self) -> list[FileRef]:
        """The files that this step has stored, in any attempt."""
        return await self._step.rooms.files.of_operation(self._step.session_id, self._step.id)
