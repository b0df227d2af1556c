"""Stand-ins for modules that were imported and never written: they let the rest compile, and say what they are."""

import posixpath
import re
from collections.abc import Callable, Mapping

from codegen.fixes.syntax import Import, Module, is_script, walk
from schemas.checks import STUB, Issue, IssueSource, Severity

_MARK = "// A stand-in: this module was imported, but it has not been written yet."
_MARKED = re.compile(rf"\A{re.escape(_MARK)}$", re.MULTILINE)


def stub_path(target: str, importer: Module, statement: Import) -> str:
    """Where the missing module belongs: a component's file can hold markup."""
    stem, extension = posixpath.splitext(target)
    base = stem if extension in (".ts", ".tsx", ".js", ".jsx") else target
    shown = any(_is_component(importer, name) for name in statement.locals)
    return f"{base}.tsx" if shown or extension in (".tsx", ".jsx") else f"{base}.ts"


def imported(statement: Import) -> list[str]:
    """The exports that an import asks for, the default one as `default`."""
    return [*(["default"] if statement.default else []), *(each.imported for each in statement.specifiers)]


def new_stub(path: str, importer: Module, statement: Import) -> str:
    """A whole stand-in with the names that `statement` imports."""
    return f"{_MARK}\n{stub_text(path, importer, statement, lambda name: False)}"


def is_stub(text: str) -> bool:
    """Whether a file is still a stand-in."""
    return _MARKED.search(text) is not None


def stub_text(path: str, importer: Module, statement: Import, has: Callable[[str], bool]) -> str:
    """Those imported names that the module has not. Components show that they are missing; functions throw."""
    lines: list[str] = []
    if statement.default is not None and not has("default"):
        lines += _stand_in(importer, statement.default, statement.default, path, statement.type_only, default=True)
    for each in statement.specifiers:
        if has(each.imported):
            continue
        default = each.imported == "default"
        name = each.local if default else each.imported
        type_only = statement.type_only or each.type_only or _only_type(importer, each.local)
        lines += _stand_in(importer, name, each.local, path, type_only, default=default)
    return "\n".join(lines) + "\n"


def find_stubs(files: Mapping[str, str]) -> list[Issue]:
    """A warning for each stand-in that nobody has replaced yet."""
    return [
        Issue(
            file=path,
            line=1,
            code=STUB,
            severity=Severity.WARNING,
            source=IssueSource.LINT,
            message="This file stands in for a module that was imported and never written: a feature is missing.",
        )
        for path, text in sorted(files.items())
        if is_script(path) and is_stub(text)
    ]


def _stand_in(importer: Module, name: str, local: str, path: str, type_only: bool, *, default: bool) -> list[str]:
    head = "export default " if default else "export "
    if type_only:
        return [f"type {name} = any;", f"export default {name};"] if default else [f"export type {name} = any;"]
    if _is_component(importer, local):
        markup = f'<p role="alert">Not built yet: {name}</p>'
        return [f"{head}function {name}(_props: any) {{", f"  return {markup};", "}"]
    body = f'throw new Error("Not built yet: {name} of {path}");'
    if default:
        return [f"const {name}: any = () => {{", f"  {body}", "};", f"export default {name};"]
    return [f"export const {name}: any = () => {{", f"  {body}", "};"]


def _is_component(module: Module, name: str) -> bool:
    marks = ("jsx_opening_element", "jsx_self_closing_element")
    return any(
        node.type in marks and (tag := node.child_by_field_name("name")) is not None and module.text(tag) == name
        for node in walk(module.root)
    )


def _only_type(module: Module, name: str) -> bool:
    """Whether the file uses a name in types alone."""
    uses = {
        node.type
        for node in walk(module.root)
        if node.type in ("identifier", "type_identifier", "shorthand_property_identifier")
        and module.text(node) == name
        and (node.parent is None or node.parent.type != "import_specifier")
    }
    return uses == {"type_identifier"}
