"""One rule for each error of the type checker that can be mended without judgement.

A rule works by the names in the message, never by line: an issue whose cause is gone is found mended, so that a second
application changes nothing. Where more than one repair would do, it leaves the issue to somebody who can judge.
"""

from collections.abc import Callable

from codegen.fixes.modules import missing_module, missing_types
from codegen.fixes.names import missing_name, missing_react, no_default, no_member, type_import

_NAME = r"'(?P<name>[^']+)'"
_CANNOT_FIND = (rf"Cannot find (?:name|namespace) {_NAME}\.", missing_name)
_NO_MEMBER = (
    rf"""(?:Module )?'"[^"]+"' has no exported member (?:named )?{_NAME}\."""
    r"""(?: Did you mean (?:'(?P<suggestion>[\w$]+)'|to use 'import (?P<wanted>[\w$]+) from))?""",
    no_member,
)
_LOCAL_MEMBER = (rf"""Module '"[^"]+"' declares {_NAME} locally""", no_member)
_NO_DEFAULT = (
    r"""Module '"(?P<name>[^"]+)"' has no default export\."""
    r"""(?: Did you mean to use 'import \{ (?P<suggestion>[\w$]+) \} from)?""",
    no_default,
)

RULES: dict[str, tuple[str, Callable[..., str]]] = {
    "TS1192": _NO_DEFAULT,
    "TS1484": (rf"{_NAME} is a type and must be imported", type_import),
    "TS2304": _CANNOT_FIND,
    "TS2305": _NO_MEMBER,
    "TS2307": (rf"Cannot find module {_NAME}", missing_module),
    "TS2459": _LOCAL_MEMBER,
    "TS2460": _LOCAL_MEMBER,
    "TS2503": _CANNOT_FIND,
    "TS2552": _CANNOT_FIND,
    "TS2613": _NO_DEFAULT,
    "TS2614": _NO_MEMBER,
    "TS2686": (rf"{_NAME} refers to a UMD global", missing_react),
    "TS2724": _NO_MEMBER,
    "TS7016": (rf"Could not find a declaration file for module {_NAME}", missing_types),
    "TS18004": (rf"No value exists in scope for the shorthand property {_NAME}", missing_name),
}
