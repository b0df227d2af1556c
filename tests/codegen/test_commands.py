"""Install commands become plain package names, or nothing."""

import pytest

from codegen.commands import InstallCommand, find_install_commands


@pytest.mark.parametrize(
    ("line", "text", "packages", "dev"),
    [
        ("bun add zustand", "bun add zustand", ("zustand",), False),
        ("npm i", "npm i", (), False),
        ("NPM Install react", "npm install react", ("react",), False),
        ("yarn add 'a@^1.2.3' \"@x/b\"", "yarn add a@^1.2.3 @x/b", ("a@^1.2.3", "@x/b"), False),
        ("pnpm add -D vite@latest", "pnpm add -D vite@latest", ("vite@latest",), True),
        ("npm install --save-dev vitest", "npm install --save-dev vitest", ("vitest",), True),
        ("npm i a@npm:@x/b@1.x", "npm i a@npm:@x/b@1.x", ("a@npm:@x/b@1.x",), False),
        ("npm i a a", "npm i a a", ("a",), False),
        ("npm install --legacy-peer-deps", "npm install --legacy-peer-deps", (), False),
        ("- `bun add a`", "bun add a", ("a",), False),
    ],
)
def test_commands(line: str, text: str, packages: tuple[str, ...], dev: bool) -> None:
    assert find_install_commands(line) == [InstallCommand(text, packages, dev)]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("npm i git+https://example.test/x", "git+https://example.test/x"),
        ("npm i https://example.test/x.tgz", "https://example.test/x.tgz"),
        ("npm i ../x", "../x"),
        ("npm i ./x", "./x"),
        ("npm i /x", "/x"),
        ("npm i file:x", "file:x"),
        ("npm i owner/repo", "owner/repo"),
        ("npm i a@workspace:*", "a@workspace:*"),
        ("npm i $(x)", "$(x)"),
        ("npm i a>b", "a>b"),
        ("npm i --registry=http://example.test a", "--registry=http://example.test"),
        ("npm i --prefix x", "--prefix"),
        ("npm i -g a", "-g"),
        ("npm i a\\b", "a\\b"),
        ("npm i é", "é"),
        ("npm i &", "&"),
    ],
)
def test_words_that_name_no_package_are_unsafe(line: str, word: str) -> None:
    [command] = find_install_commands(line)
    assert command.unsafe == word


@pytest.mark.parametrize(
    "line",
    [
        "",
        "bun",
        "bun add",
        "yarn add -D",
        "npm run install",
        "npm ci",
        "npx install x",
        "npm install is required",
        "npm install first, then start",
        "npm install react.",
        "bunny add x",
        "install react",
        "I would npm install react",
    ],
)
def test_anything_else_is_no_command(line: str) -> None:
    assert find_install_commands(line) == []


def test_chained_commands() -> None:
    commands = find_install_commands("cd app && npm i a; bun add b | cat && rm -rf x || yarn add c")
    assert [command.text for command in commands] == ["npm i a", "bun add b", "yarn add c"]
