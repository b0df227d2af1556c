"""Rules for modules that are not found: a wrong path, a package to install, a file that was never written."""

import re

from codegen.fixes.project import Edit, names_like, paths_like
from codegen.fixes.repair import Left, Repair, mark_types
from codegen.fixes.stubs import imported, is_stub, new_stub, stub_path, stub_text
from codegen.fixes.syntax import Import, is_script, walk

UNTYPED = "src/untyped-packages.d.ts"
_PACKAGE = re.compile(r"(?:@[a-z0-9-][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*")
_NODE = """
assert buffer child_process cluster console constants crypto dgram dns domain events fs http http2 https inspector
module net os path perf_hooks process punycode querystring readline repl stream string_decoder sys timers tls tty url
util v8 vm worker_threads zlib
"""
_BUILT_IN = frozenset(_NODE.split())


def missing_module(repair: Repair, source: str) -> str:
    """TS2307: correct the path, install the package, or put a stand-in where the module should be."""
    statements = [statement for statement in repair.module.imports if statement.source == source]
    if not repair.project.is_local(source):
        return _missing_package(repair, source)
    if not statements:
        if any(
            node.type == "string_fragment" and repair.module.text(node) == source for node in walk(repair.module.root)
        ):
            raise Left(f"“{source}” is not named by an import statement, but in another way.")
        return f"Nothing names {source} any more."
    there = repair.project.resolve(repair.path, source)
    if there is not None:
        return _complete(repair, there, statements)
    target = repair.project.target_path(repair.path, source)
    if target is None:
        raise Left(f"{source} lies outside the project.")
    fitting = _fitting(repair, target, statements)
    if fitting is not None:
        spelled = repair.project.spell(repair.path, fitting) if is_script(fitting) else _with_extension(repair, fitting)
        repair.edit([Edit(each.source_start, each.source_end, spelled) for each in statements])
        if is_script(fitting):
            mark_types(repair, fitting)
        return f"Imported {spelled}, as there is no {source}."
    return _stand_in(repair, target, statements)


def _with_extension(repair: Repair, target: str) -> str:
    return repair.project.spell(repair.path, target + ".ts").removesuffix(".ts")


def _fitting(repair: Repair, target: str, statements: list[Import]) -> str | None:
    """The one file that an import with a wrong path can mean. Raises Left where there is more than one."""
    project = repair.project
    exact = list(paths_like(project.files, target))
    if len(exact) == 1:
        return exact[0]
    if len(exact) > 1:
        raise Left(f"{' and '.join(exact)} are both like {target}.")
    named = {name for statement in statements for name in imported(statement)}
    if not named:
        return None
    fits = [
        path
        for path in names_like(project.files, target)
        if path != repair.path and all(project.knows(path, name) for name in named)
    ]
    if not fits and "default" not in named:
        origins = [project.exporters(name, repair.path) for name in named]
        if all(len(found) == 1 for found in origins):
            fits = sorted({found[0].path for found in origins})
    if len(fits) > 1:
        raise Left(f"{' or '.join(fits)} could be meant.")
    return fits[0] if fits else None


def _stand_in(repair: Repair, target: str, statements: list[Import]) -> str:
    statement = statements[0]
    if len(statements) > 1 or statement.namespace or not statement.locals:
        raise Left(f"{target} is missing, and what it should hold cannot be told from its import.")
    extension = target.rpartition("/")[2].partition(".")[2]
    if extension not in ("", "ts", "tsx", "js", "jsx"):
        raise Left(f"{target} is missing, and it is no script.")
    path = stub_path(target, repair.module, statement)
    slips = [known for known in repair.project.scripts() if _one_slip(known, path)]
    if slips:
        raise Left(f"{path} is missing; {slips[0]} may be meant.")
    if not path.startswith("src/") or not repair.project.create(path, new_stub(path, repair.module, statement)):
        raise Left(f"{path} cannot be written.")
    repair.written.append(path)
    repair.stub = path
    return f"{target} was never written; {path} stands in for it."


def _complete(repair: Repair, path: str, statements: list[Import]) -> str:
    """A module that is there by now: right, unless it is a stand-in, which must then have these names too."""
    text = repair.project.files[path]
    if not is_stub(text):
        return f"{path} is there by now."
    repair.stub = path
    missing = [each for each in statements if not all(repair.project.knows(path, name) for name in imported(each))]
    for statement in missing:
        more = stub_text(path, repair.module, statement, lambda name: repair.project.knows(path, name))
        end = len(repair.project.files[path].encode())
        repair.edit([Edit(end, end, more)], path)
    return f"{path} stands in for it."


def _missing_package(repair: Repair, source: str) -> str:
    parts = source.split("/")
    package = "/".join(parts[: 2 if source.startswith("@") else 1])
    if source.startswith("node:") or package in _BUILT_IN:
        raise Left(f"{source} belongs to Node.js, which a browser does not have.")
    if not _PACKAGE.fullmatch(package) or len(package) > 214:
        raise Left(f"“{source[:100]}” is no package name.")
    if package in repair.packages:
        raise Left(f"{package} is installed and has no {source}.")
    if repair.refused(package):
        raise Left(f"{package} could not be installed.")
    slips = [known for known in repair.packages if _one_slip(known, package)]
    if slips:
        raise Left(f"{package} may be a slip for {sorted(slips)[0]}.")
    repair.install = package
    return f"{package} has to be installed."


def missing_types(repair: Repair, source: str) -> str:
    """TS7016: install the package's types; where an install did not help, declare the package without types."""
    parts = source.split("/")
    package = "/".join(parts[: 2 if source.startswith("@") else 1])
    if repair.project.is_local(source) or not _PACKAGE.fullmatch(package):
        raise Left(f"{source} is no package.")
    types = f"@types/{package.removeprefix('@').replace('/', '__')}"
    if types not in repair.packages and not repair.refused(types):
        repair.install = types
        return f"{types} has to be installed."
    if not re.fullmatch(r"[\w@./-]+", source):
        raise Left(f"“{source[:100]}” is no module name.")
    line = f'declare module "{source}";\n'
    known = repair.project.files.get(UNTYPED, "")
    if line in known:
        return f"{source} is declared by now."
    if known:
        repair.edit([Edit(len(known.encode()), len(known.encode()), line)], UNTYPED)
    elif repair.project.create(UNTYPED, line):
        repair.written.append(UNTYPED)
    else:
        raise Left(f"{UNTYPED} cannot be written.")
    return f"Declared {source} without types."


def _one_slip(one: str, other: str) -> bool:
    """Whether two words differ by one letter: another, one more, one less, or two that changed places."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    at = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    swapped = other[at : at + 2][::-1] + other[at + 2 :]
    return (
        one[at + 1 :] == other[at + 1 :]
        or one[at:] == other[at + 1 :]
        or one[at + 1 :] == other[at:]
        or one[at:] == swapped
    )
