"""React code that renders for ever, found without running it: `find_render_loops`.

Looks only at what certainly runs: what stands in a branch, behind an early return or in a handler is nobody's loop.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import tree_sitter

from codegen.fixes.project import Project
from codegen.fixes.syntax import Module, bound_names, is_script, walk
from schemas.checks import Issue, IssueSource, Severity

IN_RENDER = "stich/set-state-in-render"
EVERY_RENDER = "stich/effect-after-every-render"
UNSTABLE = "stich/unstable-effect-dependency"
OWN_STATE = "stich/effect-sets-its-dependency"
SELECTOR = "stich/unstable-selector"

_FUNCTIONS = frozenset({"arrow_function", "function_expression", "function_declaration"})
_OPAQUE = _FUNCTIONS | {"generator_function", "generator_function_declaration", "class_declaration", "class"}
_BRANCHES = frozenset(
    {"if_statement", "ternary_expression", "switch_statement", "for_statement", "for_in_statement", "while_statement"}
    | {"do_statement", "catch_clause"}
)
_LITERALS = frozenset({"true", "false", "null", "undefined", "number", "string"})
# Not slice and concat, which strings have too.
_NEW_ARRAYS = frozenset({"map", "filter", "flatMap", "toSorted", "toReversed", "toSpliced", "flat"})
_EFFECTS = frozenset({"useEffect", "useLayoutEffect"})


def find_render_loops(files: Mapping[str, str]) -> list[Issue]:
    """Issues of the linter's kind, by file and line: errors where the loop is certain, warnings otherwise."""
    project = Project(files, lambda path: True)
    found: list[Issue] = []
    for path in project.scripts():
        module = project.module(path)
        if module.sound and re.search(rb"\buse[A-Z]", module.data):
            finder = _Finder(path, module)
            for component in _components(module):
                with suppress(RecursionError):  # nobody writes code nested a thousand deep, but a model may
                    finder.look_at(component)
            finder.selectors(_stores(project, path), certain=_new_zustand(files))
            found += finder.issues
    return sorted(found, key=lambda issue: (issue.file or "", issue.line or 0, issue.code))


@dataclass(slots=True)
class _Component:
    """A component or hook: its body, its setters by name (with the state each sets), what it makes anew each time."""

    body: tree_sitter.Node
    setters: dict[str, str]
    fresh: set[str]


class _Finder:
    """Looks through one file."""

    def __init__(self, path: str, module: Module) -> None:
        self._path = path
        self._module = module
        self.issues: list[Issue] = []

    def look_at(self, body: tree_sitter.Node) -> None:
        component = _Component(body, *_state_of(self._module, body))
        if component.setters:
            self._render(component)
            for statement in _statements(body):
                if (call := _effect(self._module, statement)) is not None:
                    self._effect(component, call)

    def _render(self, component: _Component) -> None:
        local = _local_functions(self._module, component.body)
        helpers = {name: node for name, node in local.items() if node.children[0].type != "async"}
        for call in _sure_calls(self._module, component.body, helpers):
            name = _callee(self._module, call)
            if name in component.setters:
                self._report(call, IN_RENDER, f"{name} is called during rendering, which renders again for ever.", True)

    def _effect(self, component: _Component, effect: tree_sitter.Node) -> None:
        arguments = _arguments(effect)
        if not arguments or arguments[0].type not in _FUNCTIONS:
            return
        body = arguments[0].child_by_field_name("body")
        if body is None:
            return
        helpers = {**_local_functions(self._module, component.body), **_local_functions(self._module, body)}
        calls = [
            call
            for call in _sure_calls(self._module, body, helpers)
            if _callee(self._module, call) in component.setters and not _settles(call)
        ]
        for call in calls[:1]:
            name = _callee(self._module, call)
            if len(arguments) == 1:
                text = f"This effect runs after every rendering and calls {name}, which renders again."
                own = component.setters[name]
                self._report(effect, EVERY_RENDER, text, self._makes_new(call) or self._changes(call, own))
            elif arguments[1].type == "array":
                self._dependencies(component, effect, arguments[1], calls)

    def _dependencies(
        self, component: _Component, effect: tree_sitter.Node, array: tree_sitter.Node, calls: list[tree_sitter.Node]
    ) -> None:
        for dependency in array.named_children:
            name = self._module.text(dependency)
            if name in component.fresh or dependency.type in ("object", "array", *_FUNCTIONS):
                shown = name if dependency.type == "identifier" else "A value written in the list"
                text = f"{shown} is made anew by each rendering, so this effect, which sets state, always runs again."
                self._report(effect, UNSTABLE, text, any(self._makes_new(call) for call in calls))
                return
            for call in calls:
                setter = _callee(self._module, call)
                if component.setters[setter] == name and self._changes(call, name):
                    text = f"This effect runs when {name} changes, and changes it itself with {setter}."
                    self._report(effect, OWN_STATE, text, True)
                    return

    def _makes_new(self, call: tree_sitter.Node) -> bool:
        """Whether a setter surely gets another object each time."""
        given = _arguments(call)
        return bool(given) and given[0].type in ("object", "array")

    def _changes(self, call: tree_sitter.Node, state: str) -> bool:
        """Whether a setter surely gets something else than the state it had."""
        given = _arguments(call)
        if not given:
            return False
        value = _unwrapped(given[0])
        if value.type in _FUNCTIONS and (body := value.child_by_field_name("body")) is not None:
            value = _unwrapped(body)
            state = next(iter(_parameters(self._module, given[0])), state)
        if value.type in ("object", "array"):
            return True
        if value.type == "binary_expression":
            operator = value.child_by_field_name("operator")
            sides = [value.child_by_field_name(side) for side in ("left", "right")]
            texts = [self._module.text(side) for side in sides if side]
            return operator is not None and operator.type in "+-" and state in texts and not {"0", "''"} & set(texts)
        if value.type == "unary_expression":
            return self._module.text(value).replace(" ", "") == f"!{state}"
        return _new_array(self._module, value)

    # --- stores -----------------------------------------------------------------------------------------------------

    def selectors(self, stores: set[str], *, certain: bool) -> None:
        """Look at what the file takes out of stores."""
        for call in walk(self._module.root):
            if call.type != "call_expression" or _callee(self._module, call) not in stores:
                continue
            given = _arguments(call)
            if len(given) != 1 or given[0].type not in _FUNCTIONS:
                continue
            result = _result(given[0])
            if result is None:
                continue
            made = result.type in ("object", "array") or _new_array(self._module, result)
            if made or _falls_back_to_new(result):
                text = "This selector returns a new object each time: take single values, or wrap it in useShallow."
                self._report(call, SELECTOR, text, certain and made)

    def _report(self, node: tree_sitter.Node, code: str, message: str, certain: bool) -> None:
        self.issues.append(
            Issue(
                file=self._path,
                line=node.start_point[0] + 1,
                column=node.start_point[1] + 1,
                code=code,
                severity=Severity.ERROR if certain else Severity.WARNING,
                source=IssueSource.LINT,
                message=message,
            )
        )


# --- components and what they hold ---------------------------------------------------------------------------------


def _components(module: Module) -> Iterator[tree_sitter.Node]:
    """Bodies of the functions that are named like components or hooks."""
    for node in walk(module.root):
        name: str | None = None
        function: tree_sitter.Node | None = None
        if node.type == "function_declaration":
            named = node.child_by_field_name("name")
            name, function = module.text(named) if named else None, node
        elif node.type == "variable_declarator":
            named, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            name = module.text(named) if named else None
            while value is not None and value.type == "call_expression":  # memo(...), forwardRef(...)
                wrapped = _arguments(value)
                inside = (_callee(module, value) or "").rpartition(".")[2] in ("memo", "forwardRef")
                value = wrapped[0] if wrapped and inside else None
            function = value if value is not None and value.type in _FUNCTIONS else None
        body = function.child_by_field_name("body") if function else None
        if body is not None and body.type == "statement_block" and name and re.match(r"[A-Z]|use[A-Z]", name):
            yield body


def _state_of(module: Module, body: tree_sitter.Node) -> tuple[dict[str, str], set[str]]:
    """The setters of a body with the state each sets, and the names whose value each rendering makes anew."""
    setters: dict[str, str] = {}
    fresh: set[str] = set()
    for statement in _statements(body):
        if statement.type == "function_declaration" and (named := statement.child_by_field_name("name")) is not None:
            fresh.add(module.text(named))
        if statement.type != "lexical_declaration":
            continue
        for declarator in statement.named_children:
            pattern, value = declarator.child_by_field_name("name"), declarator.child_by_field_name("value")
            if pattern is None or value is None:
                continue
            names = bound_names(module, pattern)
            if pattern.type == "array_pattern" and value.type == "call_expression" and len(names) == 2:
                if (_callee(module, value) or "").removeprefix("React.") == "useState":
                    setters[names[1]] = names[0]
            elif pattern.type == "identifier" and _is_fresh(module, value):
                fresh.add(names[0])
    return setters, fresh


def _is_fresh(module: Module, value: tree_sitter.Node) -> bool:
    value = _unwrapped(value)
    return value.type in ("object", "array", "new_expression", *_FUNCTIONS) or _new_array(module, value)


def _stores(project: Project, path: str) -> set[str]:
    """Names in a file under which it knows hooks that zustand's `create` made."""
    module = project.module(path)
    names = _created(module)
    for statement in module.imports:
        target = project.resolve(path, statement.source)
        if target is None or not is_script(target):
            continue
        for specifier in statement.specifiers:
            origin = project.origin(target, specifier.imported)
            if origin is not None and origin.name in _created(project.module(origin.path)):
                names.add(specifier.local)
        if statement.default and (origin := project.origin(target, "default")):
            made_in = project.module(origin.path)
            if made_in.default_name in _created(made_in):
                names.add(statement.default)
    return names


def _created(module: Module) -> set[str]:
    makers = {
        specifier.local
        for statement in module.imports
        if statement.source == "zustand"
        for specifier in statement.specifiers
        if specifier.imported == "create"
    }
    found: set[str] = set()
    for node in walk(module.root) if makers else ():
        if node.type == "variable_declarator":
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            while value is not None and value.type == "call_expression":
                value = value.child_by_field_name("function")
            if name is not None and value is not None and module.text(value) in makers:
                found.add(module.text(name))
    return found


def _new_zustand(files: Mapping[str, str]) -> bool:
    """Whether the project has a zustand (5 or newer) that does not compare what selectors return."""
    try:
        version = str(json.loads(files.get("package.json", "{}")).get("dependencies", {}).get("zustand", ""))
    except (ValueError, AttributeError):
        return False
    major = re.match(r"[\^~]?(\d+)", version)
    return major is not None and int(major[1]) >= 5


# --- what certainly runs -------------------------------------------------------------------------------------------


def _statements(body: tree_sitter.Node) -> list[tree_sitter.Node]:
    return body.named_children if body.type == "statement_block" else [body]


def _sure_calls(
    module: Module, body: tree_sitter.Node, helpers: Mapping[str, tree_sitter.Node]
) -> Iterator[tree_sitter.Node]:
    """Calls that happen whenever `body` runs. With `helpers`, also those within functions that it calls or awaits."""
    for statement in _statements(body):
        yield from _sure_calls_in(module, statement, helpers)
        if statement.type in _BRANCHES or statement.type == "try_statement":
            if any(node.type in ("return_statement", "throw_statement") for node in walk(statement)):
                return  # what follows may never be reached
        elif statement.type in ("return_statement", "throw_statement"):
            return


def _sure_calls_in(
    module: Module, node: tree_sitter.Node, helpers: Mapping[str, tree_sitter.Node]
) -> Iterator[tree_sitter.Node]:
    if node.type in _OPAQUE or node.type in _BRANCHES:
        return
    if node.type == "binary_expression":
        operator = node.child_by_field_name("operator")
        if operator is not None and operator.type in ("&&", "||", "??"):
            left = node.child_by_field_name("left")
            if left is not None:
                yield from _sure_calls_in(module, left, helpers)
            return
    if node.type == "try_statement":
        block = node.child_by_field_name("body")
        if block is not None:
            yield from _sure_calls(module, block, helpers)
        return
    if node.type == "statement_block":
        yield from _sure_calls(module, node, helpers)
        return
    if node.type == "call_expression":
        yield node
        for function in _entered(module, node, helpers):
            inner = function.child_by_field_name("body")
            if inner is not None:
                rest = {name: helper for name, helper in helpers.items() if helper != function}
                yield from _sure_calls(module, inner, rest)
    for child in node.named_children:
        yield from _sure_calls_in(module, child, helpers)


def _entered(module: Module, call: tree_sitter.Node, helpers: Mapping[str, tree_sitter.Node]) -> list[tree_sitter.Node]:
    """The functions whose code a call runs: a helper, the function it is written on, or what `then` is given."""
    callee = call.child_by_field_name("function")
    if callee is None:
        return []
    if callee.type == "identifier":
        helper = helpers.get(module.text(callee))
        return [helper] if helper is not None else []
    if callee.type == "parenthesized_expression":
        return [node for node in callee.named_children if node.type in _FUNCTIONS]
    if callee.type == "member_expression" and module.text(callee).endswith(".then"):
        return [node for node in _arguments(call)[:1] if node.type in _FUNCTIONS]
    return []


def _local_functions(module: Module, body: tree_sitter.Node) -> dict[str, tree_sitter.Node]:
    found: dict[str, tree_sitter.Node] = {}
    for statement in _statements(body):
        holders = statement.named_children if statement.type == "lexical_declaration" else [statement]
        for holder in holders:
            name, value = holder.child_by_field_name("name"), holder.child_by_field_name("value")
            function = holder if holder.type == "function_declaration" else value
            if name is not None and function is not None and function.type in _FUNCTIONS:
                found[module.text(name)] = function
    return found


# --- expressions ---------------------------------------------------------------------------------------------------


def _effect(module: Module, statement: tree_sitter.Node) -> tree_sitter.Node | None:
    """The call of useEffect that a statement is."""
    call = statement.named_children[0] if statement.type == "expression_statement" else None
    if call is None or call.type != "call_expression":
        return None
    return call if (_callee(module, call) or "").removeprefix("React.") in _EFFECTS else None


def _callee(module: Module, call: tree_sitter.Node) -> str:
    function = call.child_by_field_name("function")
    return module.text(function) if function is not None else ""


def _arguments(call: tree_sitter.Node) -> list[tree_sitter.Node]:
    given = call.child_by_field_name("arguments")
    return [node for node in given.named_children if node.type != "comment"] if given else []


def _parameters(module: Module, function: tree_sitter.Node) -> list[str]:
    single = function.child_by_field_name("parameter")
    return bound_names(module, single or function.child_by_field_name("parameters"))


def _settles(call: tree_sitter.Node) -> bool:
    """Whether a setter gets the same plain value each time: React then stops by itself."""
    given = _arguments(call)
    return not given or given[0].type in _LITERALS


def _unwrapped(node: tree_sitter.Node) -> tree_sitter.Node:
    while node.type in ("parenthesized_expression", "as_expression", "satisfies_expression", "non_null_expression"):
        if not node.named_children:
            break
        node = node.named_children[0]
    return node


def _new_array(module: Module, value: tree_sitter.Node) -> bool:
    """Whether a call makes a new array: `x.filter(...)`, `Object.keys(x)`, `[...]` aside."""
    if value.type != "call_expression":
        return False
    callee = value.child_by_field_name("function")
    if callee is None or callee.type != "member_expression":
        return False
    owner, method = callee.child_by_field_name("object"), callee.child_by_field_name("property")
    if owner is None or method is None:
        return False
    if module.text(owner) == "Object":
        return module.text(method) in ("keys", "values", "entries", "fromEntries")
    return module.text(method) in _NEW_ARRAYS


def _result(function: tree_sitter.Node) -> tree_sitter.Node | None:
    """What a function returns, where that is one expression."""
    body = function.child_by_field_name("body")
    if body is None:
        return None
    if body.type != "statement_block":
        return _unwrapped(body)
    returns = [node for node in walk(body) if node.type == "return_statement"]
    if len(returns) != 1 or returns[0].parent != body or not returns[0].named_children:
        return None
    return _unwrapped(returns[0].named_children[0])


def _falls_back_to_new(result: tree_sitter.Node) -> bool:
    """`something ?? []`: new each time that something is missing."""
    operator = result.child_by_field_name("operator")
    right = result.child_by_field_name("right")
    if result.type != "binary_expression" or operator is None or right is None or operator.type not in ("??", "||"):
        return False
    return _unwrapped(right).type in ("object", "array")
