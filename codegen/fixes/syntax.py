"""What a TypeScript file imports, declares and exports, read from its syntax tree. Offsets are bytes of UTF-8."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import tree_sitter
import tree_sitter_typescript

SCRIPTS = (".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs")
_TYPESCRIPT = tree_sitter.Language(tree_sitter_typescript.language_typescript())
_TSX = tree_sitter.Language(tree_sitter_typescript.language_tsx())

Kind = Literal["value", "type"]  # classes and enums are values

_DECLARED: dict[str, Kind] = {
    "function_declaration": "value",
    "generator_function_declaration": "value",
    "function_signature": "value",
    "class_declaration": "value",
    "abstract_class_declaration": "value",
    "enum_declaration": "value",
    "lexical_declaration": "value",
    "variable_declaration": "value",
    "interface_declaration": "type",
    "type_alias_declaration": "type",
}


@dataclass(frozen=True, slots=True)
class Specifier:
    """One name in the braces of an import: `type imported as local`. The span is the whole of it."""

    imported: str
    local: str
    type_only: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement. `braces` is the span of `{ ... }`; `clause` that of all between `import` and `from`."""

    source: str
    source_start: int  # within the quotes
    source_end: int
    type_only: bool
    default: str | None
    namespace: str | None
    specifiers: tuple[Specifier, ...]
    start: int
    end: int
    clause: tuple[int, int] | None
    braces: tuple[int, int] | None

    @property
    def locals(self) -> list[str]:
        """The names that it makes known in the file."""
        names = [specifier.local for specifier in self.specifiers]
        return [*names, *(name for name in (self.default, self.namespace) if name)]


@dataclass(frozen=True, slots=True)
class Declaration:
    """A name declared at the top of a file. `sole` is False where its statement declares other names too."""

    name: str
    kind: Kind
    start: int  # of the statement, where `export` would stand
    exported: bool
    sole: bool


@dataclass(frozen=True, slots=True)
class Export:
    """A named export: a declaration of the file, or (with `source`) something passed on under its `original` name."""

    name: str
    original: str
    source: str | None
    type_only: bool


@dataclass(slots=True)
class Module:
    """A parsed file."""

    data: bytes
    root: tree_sitter.Node
    imports: list[Import] = field(default_factory=list)
    declarations: dict[str, Declaration] = field(default_factory=dict)
    exports: dict[str, Export] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)  # `export * from` these
    has_default: bool = False
    default_name: str | None = None  # where the default export has one

    @property
    def sound(self) -> bool:
        """Whether the file parses."""
        return not self.root.has_error

    def text(self, node: tree_sitter.Node) -> str:
        return self.data[node.start_byte : node.end_byte].decode()

    @property
    def bound(self) -> set[str]:
        """Names known everywhere in the file."""
        return {name for statement in self.imports for name in statement.locals} | self.declarations.keys()

    @property
    def quote(self) -> str:
        """The quotation mark of its imports."""
        for statement in self.imports:
            return self.data[statement.source_end : statement.source_end + 1].decode()
        return '"'


def is_script(path: str) -> bool:
    """Whether a path is a file of TypeScript or JavaScript that this parser reads."""
    return path.endswith(SCRIPTS)


@lru_cache(maxsize=1024)
def read_module(path: str, text: str) -> Module:
    """Parse a file. Never raises: what does not parse has `sound` False. The result is shared: do not change it."""
    data = text.encode()
    language = _TYPESCRIPT if path.endswith((".ts", ".mts")) else _TSX
    tree = tree_sitter.Parser(language).parse(data)
    module = Module(data, tree.root_node)
    for node in tree.root_node.named_children:
        if node.type == "import_statement":
            if (statement := _import(module, node)) is not None:
                module.imports.append(statement)
        elif node.type == "export_statement":
            _export(module, node)
        else:
            inner = node.named_children[0] if node.type == "ambient_declaration" and node.named_children else node
            _declare(module, inner, node, exported=False)
    return module


def walk(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """A node and all below it, in order of the text."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(reversed(current.named_children))


def _import(module: Module, node: tree_sitter.Node) -> Import | None:
    source = node.child_by_field_name("source")
    if source is None:
        return None
    clause = next((child for child in node.named_children if child.type == "import_clause"), None)
    default = namespace = braces = None
    specifiers: list[Specifier] = []
    for part in clause.named_children if clause else ():
        if part.type == "identifier":
            default = module.text(part)
        elif part.type == "namespace_import":
            namespace = module.text(part.named_children[-1])
        elif part.type == "named_imports":
            braces = (part.start_byte, part.end_byte)
            specifiers = [
                _specifier(module, child) for child in part.named_children if child.type == "import_specifier"
            ]
    return Import(
        source=module.data[source.start_byte + 1 : source.end_byte - 1].decode(),
        source_start=source.start_byte + 1,
        source_end=source.end_byte - 1,
        type_only=any(child.type == "type" for child in node.children),
        default=default,
        namespace=namespace,
        specifiers=tuple(specifiers),
        start=node.start_byte,
        end=node.end_byte,
        clause=(clause.start_byte, clause.end_byte) if clause else None,
        braces=braces,
    )


def _specifier(module: Module, node: tree_sitter.Node) -> Specifier:
    name = node.child_by_field_name("name")
    alias = node.child_by_field_name("alias")
    imported = module.text(name) if name else module.text(node)
    type_only = any(child.type == "type" for child in node.children)
    return Specifier(imported, module.text(alias) if alias else imported, type_only, node.start_byte, node.end_byte)


def _export(module: Module, node: tree_sitter.Node) -> None:
    source = node.child_by_field_name("source")
    target = module.data[source.start_byte + 1 : source.end_byte - 1].decode() if source else None
    type_only = any(child.type == "type" for child in node.children)
    marks = {child.type for child in node.children}
    if "default" in marks:
        module.has_default = True
        module.default_name = _default_name(module, node)
    declared = node.child_by_field_name("declaration")
    if declared is not None:
        _declare(module, declared, node, exported=True, default="default" in marks)
    for child in node.named_children:
        if child.type == "namespace_export":
            name = module.text(child.named_children[-1])
            module.exports[name] = Export(name, "*", target, False)
        elif child.type == "export_clause":
            for entry in child.named_children:
                if entry.type == "export_specifier":
                    given = _specifier(module, entry)
                    _export_name(module, given.local, given.imported, target, type_only or given.type_only)
    if "*" in marks and target is not None:
        module.stars.append(target)


def _export_name(module: Module, name: str, original: str, source: str | None, type_only: bool) -> None:
    if name == "default":
        module.has_default = True
        module.default_name = original if source is None else None
    else:
        module.exports[name] = Export(name, original, source, type_only)


def _default_name(module: Module, node: tree_sitter.Node) -> str | None:
    value = node.child_by_field_name("value")
    if value is not None:
        return module.text(value) if value.type == "identifier" else None
    declared = node.child_by_field_name("declaration")
    name = declared.child_by_field_name("name") if declared else None
    return module.text(name) if name else None


def _declare(
    module: Module, node: tree_sitter.Node, statement: tree_sitter.Node, *, exported: bool, default: bool = False
) -> None:
    kind = _DECLARED.get(node.type)
    if kind is None:
        return
    if node.type in ("lexical_declaration", "variable_declaration"):
        declarators = [child for child in node.named_children if child.type == "variable_declarator"]
        names = [name for child in declarators for name in bound_names(module, child.child_by_field_name("name"))]
    else:
        names = bound_names(module, node.child_by_field_name("name"))
    for name in names:
        if name in module.declarations and kind == "type":  # a value of the same name counts for more
            continue
        module.declarations[name] = Declaration(name, kind, statement.start_byte, exported, len(names) == 1)
        if exported and not default:
            module.exports[name] = Export(name, name, None, kind == "type")


def bound_names(module: Module, pattern: tree_sitter.Node | None) -> list[str]:
    """The names that a pattern (`a`, `{ a, b: c }`, `[a, b = 1]`) binds."""
    if pattern is None:
        return []
    if pattern.type in ("identifier", "type_identifier", "shorthand_property_identifier_pattern"):
        return [module.text(pattern)]
    if pattern.type == "pair_pattern":
        return bound_names(module, pattern.child_by_field_name("value"))
    if pattern.type in ("assignment_pattern", "object_assignment_pattern"):
        return bound_names(module, pattern.child_by_field_name("left"))
    if pattern.type in ("required_parameter", "optional_parameter"):
        return bound_names(module, pattern.child_by_field_name("pattern"))
    if pattern.type in ("object_pattern", "array_pattern", "rest_pattern", "formal_parameters"):
        return [name for child in pattern.named_children for name in bound_names(module, child)]
    return []


def nested_names(module: Module) -> set[str]:
    """Names bound somewhere inside the file's functions: what such a name means elsewhere is not for us to say."""
    found: set[str] = set()
    for node in walk(module.root):
        if node.type == "variable_declarator":
            found.update(bound_names(module, node.child_by_field_name("name")))
        elif node.type in ("required_parameter", "optional_parameter"):
            found.update(bound_names(module, node))
        elif node.type == "type_parameter":
            found.update(bound_names(module, node.child_by_field_name("name")))
        elif node.type == "arrow_function":
            found.update(bound_names(module, node.child_by_field_name("parameter")))
    return found
