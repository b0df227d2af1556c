"""What can be said of one file the moment it is complete, while the files beside it are still being written.

Only what no later file can put right counts: text that does not parse, code that renders for ever, an import of
something that a finished file does not export, a name that nothing in the file makes known.
"""

import json
import posixpath
from collections.abc import Collection, Iterator, Mapping

import tree_sitter

from codegen.fixes.project import Project, paths_like
from codegen.fixes.react_names import TYPES, VALUES
from codegen.fixes.render_loops import find_render_loops
from codegen.fixes.syntax import Import, Module, is_script, nested_names, read_module, walk
from schemas.checks import Issue, IssueSource, Severity

UNPARSABLE = "stich/does-not-parse"
_DECLARING = frozenset(
    {"function_declaration", "generator_function_declaration", "class_declaration", "function_expression", "class"}
    | {"enum_declaration", "interface_declaration", "type_alias_declaration"}
)


def find_faults(path: str, files: Mapping[str, str], expected: Collection[str] = ()) -> list[Issue]:
    """The errors of the file `path`, in order of their lines. `expected` are files that are still to be written.

    Never raises for what files hold. Issues of imports and names carry the numbers of the type checker.
    """
    text = files[path]
    if path.endswith(".json"):
        return _json(path, text)
    if not is_script(path):
        return []
    module = read_module(path, text)
    if not module.sound:
        return [_issue(path, _first_error(module.root), UNPARSABLE, "This file does not parse.")]
    project = Project(files, lambda _: True)
    found = [*_imports(path, module, project, expected), *_names(path, module), *_loops(path, module, project)]
    return sorted(found, key=lambda issue: issue.line or 0)


def lost_exports(path: str, before: str, after: str) -> set[str]:
    """The exports that `before` has and `after` has not (`default` among them): others may import them."""
    if not is_script(path):
        return set()
    old, new = read_module(path, before), read_module(path, after)
    lost = old.exports.keys() - new.exports.keys()
    return {*lost, "default"} if old.has_default and not new.has_default else set(lost)


def _json(path: str, text: str) -> list[Issue]:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        return [_issue(path, line, UNPARSABLE, "This file is not valid JSON.")]
    return []


def _first_error(root: tree_sitter.Node) -> int:
    """The line, from 1, at which the parser first did not know on."""
    node = root
    while True:
        inner = next((child for child in node.children if child.has_error or child.is_error or child.is_missing), None)
        if inner is None or node.is_missing:
            return node.start_point.row + 1
        node = inner


def _imports(path: str, module: Module, project: Project, expected: Collection[str]) -> Iterator[Issue]:
    awaited = {posixpath.splitext(each)[0].removesuffix("/index") for each in expected}
    for statement in module.imports:
        target = project.target_path(path, statement.source) if project.is_local(statement.source) else None
        if target is None or posixpath.splitext(target)[0].removesuffix("/index") in awaited or target in awaited:
            continue
        line = module.data.count(b"\n", 0, statement.start) + 1
        there = project.resolve(path, statement.source)
        if there is None:
            if any(True for _ in paths_like(project.files, target)):  # spelled wrong; others may be written later
                yield _issue(path, line, "TS2307", f"Cannot find module '{statement.source}'.")
        elif is_script(there) and project.module(there).sound:
            yield from _missing_exports(path, line, statement, there, project)


def _missing_exports(path: str, line: int, statement: Import, there: str, project: Project) -> Iterator[Issue]:
    stem = posixpath.splitext(there)[0]  # as the type checker names it
    if statement.default is not None and not project.knows(there, "default"):
        yield _issue(path, line, "TS1192", f"Module '\"{stem}\"' has no default export.")
    for each in statement.specifiers:
        if each.imported != "default" and not project.knows(there, each.imported):
            sentence = f"Module '\"{stem}\"' has no exported member '{each.imported}'."
            yield _issue(path, line, "TS2305", sentence)


def _names(path: str, module: Module) -> Iterator[Issue]:
    """Hooks of React that are called, and components that are shown, and that nothing in the file makes known."""
    known = module.bound | nested_names(module) | _declared_inside(module)
    for node in walk(module.root):
        if node.type == "call_expression":
            called = node.child_by_field_name("function")
            name = module.text(called) if called is not None and called.type == "identifier" else ""
            wrong = name in VALUES
        elif node.type in ("jsx_opening_element", "jsx_self_closing_element"):
            shown = node.child_by_field_name("name")
            name = module.text(shown) if shown is not None and shown.type == "identifier" else ""
            wrong = name[:1].isupper() and name not in TYPES
        else:
            continue
        if wrong and name not in known:
            known.add(name)
            yield _issue(path, node.start_point.row + 1, "TS2304", f"Cannot find name '{name}'.")


def _declared_inside(module: Module) -> set[str]:
    named = (node.child_by_field_name("name") for node in walk(module.root) if node.type in _DECLARING)
    return {module.text(name) for name in named if name is not None}


def _loops(path: str, module: Module, project: Project) -> list[Issue]:
    near = {target for each in module.imports if (target := project.resolve(path, each.source)) is not None}
    looked_at = {name: text for name, text in project.files.items() if name in {path, "package.json", *near}}
    found = find_render_loops(looked_at)
    return [issue for issue in found if issue.file == path and issue.severity is Severity.ERROR]


def _issue(path: str, line: int, code: str, message: str) -> Issue:
    return Issue(
        file=path, line=line, code=code, severity=Severity.ERROR, source=IssueSource.TYPECHECK, message=message
    )
