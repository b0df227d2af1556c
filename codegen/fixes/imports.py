"""Edits of import statements that leave everything around them as it is."""

from codegen.fixes.project import Edit
from codegen.fixes.syntax import Import, Kind, Module, Specifier


def add(module: Module, name: str, source: str, kind: Kind, *, local: str | None = None) -> list[Edit]:
    """Import `name` (or `default`, as `local`) from `source`: in a statement that is there, or in a new one."""
    local = local or name
    word = name if name == local else f"{name} as {local}"
    if name == "default":
        host = next((each for each in module.imports if _takes_default(each, source, kind)), None)
        if host is not None and host.braces is not None:
            return [Edit(host.braces[0], host.braces[0], f"{local}, ")]
        return [_new(module, f"import {'type ' if kind == 'type' else ''}{local} from", source)]
    if kind == "type":
        host = next((each for each in module.imports if each.source == source and each.type_only and each.braces), None)
        if host is not None:
            return [_insert(module, host, word)]
    host = next((each for each in module.imports if each.source == source and not each.type_only and each.braces), None)
    if host is not None:
        return [_insert(module, host, f"type {word}" if kind == "type" else word)]
    return [_new(module, f"import {'type ' if kind == 'type' else ''}{{ {word} }} from", source)]


def remove(module: Module, statement: Import, specifier: Specifier) -> list[Edit]:
    """Take one name out of a statement; with its last name, the statement goes."""
    others = [each for each in statement.specifiers if each != specifier]
    if others:
        return [_without(module, statement, specifier)]
    if statement.default is not None:
        assert statement.clause is not None and statement.braces is not None
        before = module.data[statement.clause[0] : statement.braces[0]].decode().rstrip().rstrip(",").rstrip()
        return [Edit(statement.clause[0], statement.braces[1], before)]
    end = statement.end
    if module.data[end : end + 2] == b"\r\n":
        end += 2
    elif module.data[end : end + 1] == b"\n":
        end += 1
    return [Edit(statement.start, end, "")]


def to_default(module: Module, statement: Import, specifier: Specifier) -> list[Edit]:
    """Turn one name in braces into the default import, keeping all others."""
    others = len(statement.specifiers) > 1
    if statement.default is not None or (statement.type_only and others) or (specifier.type_only and others):
        prefix = "type " if specifier.type_only else ""
        return [Edit(specifier.start, specifier.end, f"{prefix}default as {specifier.local}")]
    assert statement.braces is not None
    start, end = statement.braces
    if not others:
        return [Edit(start, end, f"type {specifier.local}" if specifier.type_only else specifier.local)]
    return [Edit(start, start, f"{specifier.local}, "), _without(module, statement, specifier)]


def to_named(module: Module, statement: Import, name: str, *, is_type: bool) -> list[Edit]:
    """Turn the default import into the named import `name`, keeping the name it has in the file."""
    assert statement.default is not None and statement.clause is not None
    word = name if name == statement.default else f"{name} as {statement.default}"
    if is_type and not statement.type_only:
        word = f"type {word}"
    start, end = statement.clause
    if statement.braces is not None and statement.specifiers:
        # `import Thing, { a }` becomes `import { Thing, a }`.
        inside = statement.braces[0] + 1
        gap = "" if module.data[inside : inside + 1].isspace() else " "
        return [Edit(start, inside, f"{{ {word},{gap}")]
    if statement.namespace is not None:
        return []
    if is_type and not statement.type_only:
        return [Edit(start, end, f"type {{ {word.removeprefix('type ')} }}")]
    return [Edit(start, end, f"{{ {word} }}")]


def rename(specifier: Specifier, name: str) -> list[Edit]:
    """Import another name, which keeps the name that the file uses."""
    word = name if name == specifier.local else f"{name} as {specifier.local}"
    return [Edit(specifier.start, specifier.end, f"type {word}" if specifier.type_only else word)]


def mark_type(module: Module, statement: Import, name: str) -> list[Edit]:
    """Say that an imported name is a type."""
    for specifier in statement.specifiers:
        if specifier.local == name and not specifier.type_only:
            if len(statement.specifiers) == 1 and statement.default is None and statement.braces is not None:
                return [Edit(statement.braces[0], statement.braces[0], "type ")]
            return [Edit(specifier.start, specifier.start, "type ")]
    if statement.default == name and statement.clause is not None and not statement.specifiers:
        return [Edit(statement.clause[0], statement.clause[0], "type ")]
    return []


def _takes_default(statement: Import, source: str, kind: Kind) -> bool:
    return (
        kind == "value"
        and statement.source == source
        and not statement.type_only
        and statement.default is None
        and statement.braces is not None
    )


def _insert(module: Module, statement: Import, word: str) -> Edit:
    """After the last name, as the names are laid out: in a line, or one a line."""
    assert statement.braces is not None
    if not statement.specifiers:
        return Edit(statement.braces[0], statement.braces[1], f"{{ {word} }}")
    last = statement.specifiers[-1]
    before = statement.specifiers[-2].end if len(statement.specifiers) > 1 else statement.braces[0] + 1
    gap = module.data[before : last.start].decode().lstrip(",")
    return Edit(last.end, last.end, f",{gap if gap.strip() == '' and gap else ' '}{word}")


def _without(module: Module, statement: Import, specifier: Specifier) -> Edit:
    index = statement.specifiers.index(specifier)
    if index + 1 < len(statement.specifiers):
        return Edit(specifier.start, statement.specifiers[index + 1].start, "")
    return Edit(statement.specifiers[index - 1].end, specifier.end, "")


def _new(module: Module, head: str, source: str) -> Edit:
    """A statement of its own after the last import, or before the first statement."""
    data = module.data
    newline = "\r\n" if b"\r\n" in data else "\n"
    last = module.imports[-1] if module.imports else None
    semicolon = ";" if last is None or data[last.end - 1 : last.end] == b";" else ""
    line = f"{head} {module.quote}{source}{module.quote}{semicolon}"
    if last is not None:
        return Edit(last.end, last.end, newline + line)
    start = 0
    for node in module.root.named_children:
        is_directive = (
            node.type == "expression_statement"
            and node.named_child_count == 1
            and node.named_children[0].type == "string"
        )
        if not is_directive and node.type not in ("hash_bang_line", "comment"):
            break
        if is_directive or node.type == "hash_bang_line":
            start = node.end_byte
    return Edit(start, start, newline + line if start else line + newline)
