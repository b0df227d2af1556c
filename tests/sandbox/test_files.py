"""File access below a folder that untrusted code owns."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.errors import PathRefused
from sandbox.files import Folder, checked, remove_tree, weight


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    root = tmp_path / "files"
    root.mkdir()
    return Folder(root, os.geteuid())


ODD = [
    "",
    "/etc/passwd",
    "../x",
    "a/../../x",
    "a//b",
    "./a",
    "a/",
    "a/.",
    "a\0b",
    "a\nb",
    "a\\b",
    "x" * 500,
    "a/" * 40 + "b",
]


@pytest.mark.parametrize("path", ODD)
def test_odd_paths_are_refused(folder: Folder, path: str) -> None:
    with pytest.raises(PathRefused):
        folder.write(path, b"x")
    with pytest.raises(PathRefused):
        folder.read(path)
    with pytest.raises(PathRefused):
        folder.delete(path)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_what_is_accepted_stays_inside(path: str) -> None:
    try:
        parts = checked(path)
    except PathRefused:
        return
    assert os.path.normpath(path) == "/".join(parts) == path
    assert not path.startswith(("/", "../"))


def test_writes_reads_lists_and_deletes(folder: Folder) -> None:
    assert folder.write("src/deep/a.ts", b"one")
    assert not folder.write("src/deep/a.ts", b"one")
    assert folder.write("src/deep/a.ts", b"two")
    assert folder.read("src/deep/a.ts") == b"two"
    assert folder.list() == ["src/deep/a.ts"]
    assert folder.delete("src/deep/a.ts")
    assert not folder.delete("src/deep/a.ts")
    assert folder.list() == []
    assert not (folder.root / "src").exists()


def test_links_lead_nowhere(folder: Folder, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("host")
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder.root / "file").symlink_to(secret)
    (folder.root / "folder").symlink_to(outside)
    (folder.root / "loop").symlink_to("loop")

    for path in ("file", "loop", "folder/x"):
        with pytest.raises(PathRefused):
            folder.read(path)
    with pytest.raises(PathRefused):
        folder.write("folder/new", b"x")
    with pytest.raises(PathRefused):
        folder.delete("folder/x")
    assert list(outside.iterdir()) == []
    assert folder.list() == []

    # Writing over a link replaces the link and not what it points to.
    folder.write("file", b"mine")
    assert secret.read_text() == "host"
    assert folder.read("file") == b"mine"
    # Deleting a link removes the link only.
    assert folder.delete("folder")
    assert outside.is_dir()


def test_pipes_devices_and_folders_are_no_files(folder: Folder) -> None:
    os.mkfifo(folder.root / "pipe")
    (folder.root / "dir").mkdir()
    for path in ("pipe", "dir"):
        with pytest.raises(PathRefused):
            folder.read(path)
    with pytest.raises(PathRefused):
        folder.write("dir", b"x")
    with pytest.raises(PathRefused):
        folder.delete("dir")
    folder.write("dir/a", b"x")
    with pytest.raises(PathRefused):
        folder.write("dir/a/b", b"x")
    assert folder.list() == ["dir/a"]


def test_large_files_are_not_read(folder: Folder) -> None:
    folder.write("big", b"x" * 1000)
    with pytest.raises(PathRefused, match="too large"):
        folder.read("big", limit=999)


def test_weight_stops_early(folder: Folder) -> None:
    for number in range(50):
        folder.write(f"d{number % 5}/f{number}", b"x" * 5000)
    files, size = weight(folder.root, 10_000, 10**9)
    assert files == 55
    assert size >= 50 * 5000
    files, _ = weight(folder.root, 12, 10**9)
    assert 12 < files < 55


def test_keeps_what_is_wanted_and_removes_everything_else(folder: Folder) -> None:
    wanted = {"a/one", "a/b/two", "three"}
    for path in (*wanted, "a/b/extra", "left/alone"):
        folder.write(path, b"x")
    root = os.open(folder.root, os.O_RDONLY)
    os.close(os.open(b"\xff\n", os.O_CREAT | os.O_WRONLY, dir_fd=root))
    os.close(root)
    (folder.root / "empty").mkdir(mode=0)
    (folder.root / "a" / "link").symlink_to("/etc")
    (folder.root / "three").chmod(0)
    (folder.root / "a" / "b").chmod(0)

    folder.keep(wanted, skip=frozenset({"left"}))

    assert folder.list() == ["a/b/two", "a/one", "left/alone"]
    assert sorted(path.name for path in folder.root.iterdir()) == ["a", "left"]


def test_removes_trees_however_deep(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    os.mkdir("top", dir_fd=here)
    inside = os.open("top", os.O_RDONLY, dir_fd=here)
    for _ in range(1_200):  # deeper than a recursion may go
        os.mkdir("d", dir_fd=inside)
        following = os.open("d", os.O_RDONLY, dir_fd=inside)
        os.close(inside)
        inside = following
    os.close(inside)
    os.close(here)
    assert weight(tmp_path / "top", 10_000, 10_000)[0] > 10_000  # nothing of use lies that deep
    remove_tree(tmp_path / "top")
    remove_tree(tmp_path / "top")
    assert list(tmp_path.iterdir()) == []
