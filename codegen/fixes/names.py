"""Rules for names: not known in a file, not exported by a module, exported or imported in another way."""

import re

from codegen.fixes import imports
from codegen.fixes.project import Edit, Origin
from codegen.fixes.react_names import TYPES, VALUES
from codegen.fixes.repair import Left, Repair, mark_types
from codegen.fixes.syntax import Import, Kind, Module, Specifier, is_script, nested_names

# Packages that once had a default export and now have it by name.
_NAMED = {("zustand", "create"): "create", ("immer", "produce"): "produce", ("nanoid", "nanoid"): "nanoid"}


def missing_name(repair: Repair, name: str) -> str:
    """TS2304 and its kin: import a name that exactly one file of the project, or react, exports."""
    if name in repair.module.bound:
        return f"{name} is known by now."
    if name in nested_names(repair.module):
        raise Left(f"{name} means something else in another part of the file.")
    found = _offers(repair, name)
    if not found:
        raise Left(f"No file of the project exports {name}.")
    if len(found) > 1:
        raise Left(f"{name} could come from {' or '.join(source for source, _, _ in found)}.")
    source, exported, kind = found[0]
    repair.edit(imports.add(repair.module, exported, source, kind, local=name))
    return f"Imported {name} from {source}."


def missing_react(repair: Repair, name: str) -> str:
    """TS2686: `React.something` in a module that does not import React."""
    if name != "React" or "react" not in repair.packages:
        raise Left(f"{name} is not known to be a package here.")
    if name in repair.module.bound:
        return "React is imported by now."
    repair.edit(imports.add(repair.module, "default", "react", "value", local="React"))
    return "Imported React."


def no_member(repair: Repair, name: str, suggestion: str | None = None) -> str:
    """TS2305, 2459, 2460, 2614, 2724: an import of a name that the module does not export."""
    wrong = [
        (statement, specifier)
        for statement in repair.module.imports
        for specifier in statement.specifiers
        if specifier.imported == name and not _satisfied(repair, statement, name, suggestion)
    ]
    if not wrong:
        if any(name in statement.locals for statement in repair.module.imports):
            return f"The import of {name} is right by now."
        if any(each.name == name or each.original == name for each in repair.module.exports.values() if each.source):
            raise Left(f"{name} is passed on by an export.")
        return f"No import names {name} any more."
    if len({statement.source for statement, _ in wrong}) > 1:
        raise Left(f"More than one import of {name} could be meant.")
    statement, specifier = wrong[0]
    target = repair.project.resolve(repair.path, statement.source)
    if target is None:
        return _library_member(repair, statement, specifier, suggestion)
    if not is_script(target) or not repair.project.module(target).sound:
        raise Left(f"{target} does not parse.")
    how = _project_member(repair, statement, specifier, target, suggestion)
    mark_types(repair, target)
    return how


def _satisfied(repair: Repair, statement: Import, name: str, suggestion: str | None) -> bool:
    target = repair.project.resolve(repair.path, statement.source)
    if target is None:
        # What a package exports is not known here: only a message about it tells.
        about = re.search(r"""^(?:Module )?'"(?P<source>[^"]+)"'""", repair.issue.message)
        return about is None or about["source"] != statement.source
    return not is_script(target) or repair.project.knows(target, name)


def _library_member(repair: Repair, statement: Import, specifier: Specifier, suggestion: str | None) -> str:
    name = specifier.imported
    if suggestion is not None and repair.issue.code == "TS2724":
        repair.edit(imports.rename(specifier, suggestion))
        return f"Imported {suggestion} of {statement.source}, which has no {name}."
    if suggestion is not None and _plain(specifier.local) in _package_words(statement.source):
        repair.edit(imports.to_default(repair.module, statement, specifier))
        return f"Made {name} the default import of {statement.source}."
    raise Left(f"{statement.source} has no export that {name} could mean.")


def _project_member(
    repair: Repair, statement: Import, specifier: Specifier, target: str, suggestion: str | None
) -> str:
    project, name = repair.project, specifier.imported
    module = project.module(target)
    if module.has_default and _names_default(module, target, name):
        repair.edit(imports.to_default(repair.module, statement, specifier))
        return f"Made {name} the default import of {target}."
    renamed = [each.name for each in module.exports.values() if each.source is None and each.original == name]
    if len(renamed) == 1:
        repair.edit(imports.rename(specifier, renamed[0]))
        return f"Imported {renamed[0]}, as {target} exports {name}."
    declared = module.declarations.get(name)
    if declared is not None:
        if declared.exported or not declared.sole or project.protects(target):
            raise Left(f"{target} declares {name} in a way that cannot be exported simply.")
        repair.edit([Edit(declared.start, declared.start, "export ")], target)
        return f"Exported {name} from {target}."
    if suggestion is not None and repair.issue.code == "TS2724" and project.knows(target, suggestion):
        repair.edit(imports.rename(specifier, suggestion))
        return f"Imported {suggestion} of {target}, which has no {name}."
    alike = [each for each in project.exported_names(target) if each.lower() == name.lower()]
    if len(alike) == 1:
        repair.edit(imports.rename(specifier, alike[0]))
        return f"Imported {alike[0]} of {target}, which has no {name}."
    elsewhere = project.exporters(name, repair.path)
    if len(elsewhere) != 1:
        raise Left(f"{target} has no {name}, and {'no other file' if not elsewhere else 'more than one file'} has.")
    return _move(repair, statement, specifier, elsewhere[0])


def _move(repair: Repair, statement: Import, specifier: Specifier, origin: Origin) -> str:
    """Import a name from the one file that has it instead of from the file that has not."""
    source = repair.project.spell(repair.path, origin.path)
    kind: Kind = "type" if origin.kind == "type" or statement.type_only or specifier.type_only else "value"
    added = imports.add(repair.module, origin.name, source, kind, local=specifier.local)
    repair.edit([*added, *imports.remove(repair.module, statement, specifier)])
    return f"Imported {specifier.imported} from {source}, the only file that has it."


def _names_default(module: Module, path: str, name: str) -> bool:
    """Whether a file's default export is what `name` means: it has that name, or has none and the file is named so."""
    if module.default_name is not None:
        return module.default_name.lower() == name.lower()
    parts = re.sub(r"(?:/index)?\.\w+$", "", path).split("/")
    return _plain(parts[-1]) == _plain(name)


def no_default(repair: Repair, _: str, suggestion: str | None = None) -> str:
    """TS2613 and TS1192: a default import of a module that has none."""
    told = re.search(r"""^Module '"(?P<module>[^"]+)"'""", repair.issue.message)
    wrong = [
        (statement, target)
        for statement in repair.module.imports
        if statement.default and _means(repair, statement.source, told["module"] if told else "")
        for target in [repair.project.resolve(repair.path, statement.source)]
        if target is None or (is_script(target) and not repair.project.knows(target, "default"))
    ]
    if not wrong:
        return "No import asks for a default export that is not there."
    for statement, target in wrong:
        name, is_type = _by_name(repair, statement, target, suggestion)
        if name is not None:
            repair.edit(imports.to_named(repair.module, statement, name, is_type=is_type))
            return f"Imported {name} of {statement.source} by name."
    raise Left(f"{wrong[0][0].source} has no export that {wrong[0][0].default} could mean.")


def _by_name(repair: Repair, statement: Import, target: str | None, suggestion: str | None) -> tuple[str | None, bool]:
    """The export that a default import means, and whether it is a type. For packages only the compiler knows."""
    wanted = statement.default or ""
    if target is None:
        return wanted if wanted == suggestion else _NAMED.get((statement.source, wanted)), False
    names = repair.project.exported_names(target)
    alike = [name for name in names if name == wanted] or [name for name in names if name.lower() == wanted.lower()]
    if len(alike) != 1:
        return None, False
    origin = repair.project.origin(target, alike[0])
    return alike[0], origin is not None and origin.kind == "type"


def _means(repair: Repair, source: str, told: str) -> bool:
    """Whether a message's module, which is an absolute path without extension, is the one that `source` names."""
    target = repair.project.resolve(repair.path, source)
    if target is None:
        package = "/".join(source.split("/")[: 2 if source.startswith("@") else 1])
        return told == source or f"/node_modules/{package}/" in f"{told}/"
    stem = re.sub(r"(?:\.d)?\.\w+$", "", target)
    return f"/{told}".endswith(f"/{stem}")


def type_import(repair: Repair, name: str) -> str:
    """TS1484: a type imported as if it were a value."""
    for statement in repair.module.imports:
        if not statement.type_only and (edits := imports.mark_type(repair.module, statement, name)):
            repair.edit(edits)
            return f"Imported {name} as a type."
    if any(name in statement.locals for statement in repair.module.imports):
        return f"{name} is imported as a type by now."
    raise Left(f"{name} is not named in an import statement.")


def _offers(repair: Repair, name: str) -> list[tuple[str, str, Kind]]:
    """Where a name can come from, as (module, exported name, kind)."""
    project = repair.project
    found = [
        (project.spell(repair.path, origin.path), origin.name, origin.kind)
        for origin in project.exporters(name, repair.path)
    ]
    if "react" in repair.packages and name in VALUES | TYPES:
        found.append(("react", name, "value" if name in VALUES else "type"))
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _package_words(source: str) -> set[str]:
    last = source.rpartition("/")[2]
    return {_plain(source), _plain(last), _plain(last.rpartition("-")[2])}
