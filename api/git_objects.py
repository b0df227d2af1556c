"""A session's history as git objects, and what the commits of a push do to its files. No I/O.

Objects follow git's own formats, made and read by dulwich: https://git-scm.com/docs/gitformat-pack
"""

from collections.abc import Mapping, Sequence
from typing import Final

from dulwich.diff_tree import tree_changes
from dulwich.index import commit_tree
from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.refs import Ref
from dulwich.repo import MemoryRepo

from schemas.versions import ProjectVersion
from storage.file_rows import FileVersion
from storage.git import Commit as StoredCommit
from storage.git import Pushed

BRANCH: Final = Ref(b"refs/heads/main")
PLAIN_FILE: Final = 0o100644
MAX_COMMITS: Final = 100
AUTHORS: Final = {
    "model": "stich (model)",
    "fix": "stich (repair)",
    "template": "stich (template)",
    "restore": "stich (restore)",
    "fork": "stich (fork)",
}


class BadPush(Exception):
    """The push cannot be carried out; the text says why, in a line for the terminal of whoever pushed."""


class History:
    """The repository of one session, built in memory from its files' versions and the commits already given out."""

    def __init__(self, files: Sequence[FileVersion], contents: Mapping[str, bytes]) -> None:
        self.repository: Final = MemoryRepo()
        self._store: Final = self.repository.object_store
        self._files = sorted(files, key=lambda file: file.version)
        self._blobs: dict[str, ObjectID] = {}
        for sha256, content in contents.items():
            blob = Blob.from_string(content)
            self._store.add_object(blob)
            self._blobs[sha256] = blob.id
        self._standing: dict[str, ObjectID] = {}
        self._read = 0
        self.commits: list[StoredCommit] = []

    def known(self, commit: StoredCommit) -> None:
        """Add a commit that was given out before."""
        self._tree(commit.version)
        self._add(Commit.from_string(commit.content), commit.version)

    def continue_with(self, version: ProjectVersion) -> StoredCommit:
        """Add a commit for a version of the project, made on top of the last one."""
        commit = Commit()
        commit.tree = self._tree(version.version)
        if self.commits:
            commit.parents = [ObjectID(self.commits[-1].sha1.encode())]
        name = AUTHORS.get(version.author, version.user_id or "somebody").replace("<", "").replace(">", "")
        mail = version.user_id if version.author == "user" and version.user_id else version.author
        person = f"{name} <{mail.replace(' ', '-').replace('<', '').replace('>', '')}@stich.invalid>".encode()
        commit.author = commit.committer = person
        commit.author_time = commit.commit_time = int(version.created_at.timestamp())
        commit.author_timezone = commit.commit_timezone = 0
        commit.encoding = b"UTF-8"
        trailers = [f"Version: {version.version}", f"Author-Kind: {version.author}"]
        if version.phase_id:
            trailers.append(f"Phase: {version.phase_id}")
        commit.message = f"{version.reason}\n\n{chr(10).join(trailers)}\n".encode()
        return self._add(commit, version.version)

    def _add(self, commit: Commit, version: int) -> StoredCommit:
        self._store.add_object(commit)
        stored = StoredCommit(version, commit.id.decode(), commit.as_raw_string())
        self.commits.append(stored)
        self.repository.refs.set_if_equals(BRANCH, None, commit.id)
        self.repository.refs.set_symbolic_ref(Ref(b"HEAD"), BRANCH)
        return stored

    def _tree(self, version: int) -> ObjectID:
        """The tree of the project at a version; asked for in rising order."""
        while self._read < len(self._files) and self._files[self._read].version <= version:
            file = self._files[self._read]
            self._read += 1
            if file.sha256 is None:
                self._standing.pop(file.path, None)
            else:
                self._standing[file.path] = self._blobs[file.sha256]
        entries = [(path.encode(), blob, PLAIN_FILE) for path, blob in self._standing.items()]
        return commit_tree(self._store, entries) if entries else self._empty_tree()

    def _empty_tree(self) -> ObjectID:
        tree = Tree()
        self._store.add_object(tree)
        return tree.id

    def pushed(self, head: ObjectID) -> list[Pushed]:
        """The commits from the branch to `head`, oldest first. Raises BadPush."""
        old = self.commits[-1].sha1.encode() if self.commits else None
        found: list[Commit] = []
        at = head
        while at != old:
            try:
                commit = self._store[at]
            except KeyError:
                commit = None
            if not isinstance(commit, Commit) or len(commit.parents) != 1:
                raise BadPush("only a straight line of commits on top of main can be pushed; fetch and rebase first")
            found.append(commit)
            if len(found) > MAX_COMMITS:
                raise BadPush(f"at most {MAX_COMMITS} commits can be pushed at once")
            at = commit.parents[0]
        return [self._pushed(commit) for commit in reversed(found)]

    def _pushed(self, commit: Commit) -> Pushed:
        parent = self._store[commit.parents[0]]
        assert isinstance(parent, Commit)  # `pushed` walked over it
        changes: dict[str, str | None] = {}
        for change in tree_changes(self._store, parent.tree, commit.tree):
            for entry in (change.old, change.new):
                if entry is None or entry.path is None:
                    continue
                try:
                    path = entry.path.decode()
                except UnicodeDecodeError:
                    raise BadPush("a path is not in UTF-8") from None
                changes[path] = self._text(path, entry.mode, entry.sha) if entry is change.new else None
        if not changes:
            raise BadPush(f"commit {commit.id.decode()[:12]} changes no file")
        subject = commit.message.decode(errors="replace").split("\n", 1)[0].strip() or "Pushed"
        return Pushed(commit.id.decode(), commit.as_raw_string(), subject, changes)

    def _text(self, path: str, mode: int | None, sha: ObjectID | None) -> str:
        if mode != PLAIN_FILE or sha is None:
            raise BadPush(f"{path} is no plain file: links, submodules and executable files are not taken")
        blob = self._store[sha]
        assert isinstance(blob, Blob)  # by its mode
        try:
            text = blob.data.decode()
        except UnicodeDecodeError:
            raise BadPush(f"{path} is not a text in UTF-8") from None
        if "\0" in text:
            raise BadPush(f"{path} is not a text")
        return text
