"""What a session's stored files say about its project."""

from activities.workspace import packages_file, project

REACT = {"package.json": '{"dependencies": {"react": "19.3.1"}}', "src/App.tsx": ""}
PYTHON = {"requirements.txt": "fastapi==0.165.0\nuvicorn==0.54.0\n", "app/main.py": ""}
PAGES = {"index.html": ""}


def test_additions_to_npm_packages_are_found() -> None:
    stored = {"package.json": '{"dependencies": {"react": "19.3.1", "ms": "2.1.3"}}'}
    files, packages = project(stored, REACT)
    assert packages == ["ms@2.1.3"]
    assert files["src/App.tsx"] is None  # the session deleted it


def test_additions_to_python_packages_are_found() -> None:
    stored = {"requirements.txt": "fastapi==0.1\nuvicorn==0.54.0\nsix==1.17.0\n-r /etc/passwd\n"}
    assert project(stored, PYTHON)[1] == ["six==1.17.0"]
    assert project({}, PYTHON)[1] == []


def test_which_file_names_the_packages() -> None:
    assert [packages_file(files) for files in (REACT, PYTHON, PAGES)] == ["package.json", "requirements.txt", None]
    assert project({"index.html": "x"}, PAGES) == ({"index.html": "x"}, [])
