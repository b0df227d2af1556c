"""Checks arguments against a JSON schema that somebody else wrote.

Nothing is fetched for it, and `pattern` is not applied: an expression could keep this process busy for ever. Who wrote
the schema checks what it is given.
"""

from collections.abc import Mapping
from typing import Any, Final

from jsonschema import validators  # type: ignore[import-untyped]  # it comes without types
from referencing import Registry

_Validator: Final = validators.extend(
    validators.Draft202012Validator,
    {"pattern": lambda *_: iter(()), "patternProperties": lambda *_: iter(())},
)


def check_form(form: Mapping[str, Any]) -> None:
    """Raises ValueError where this is no JSON schema that can be applied."""
    try:
        _Validator.check_schema(form)
        next(_Validator(form, registry=Registry()).iter_errors({}), None)
    except Exception as error:
        raise ValueError(f"its schema is not valid ({type(error).__name__})") from None


def fault_in(arguments: Mapping[str, Any], form: Mapping[str, Any]) -> str | None:
    """The first thing that does not fit, in words for a model."""
    try:
        errors = list(_Validator(form, registry=Registry()).iter_errors(arguments))
    except Exception as error:
        return f"the tool's schema cannot be applied ({type(error).__name__})"
    if not errors:
        return None
    first = min(errors, key=lambda error: (len(error.path), [str(part) for part in error.path]))
    where = ".".join(map(str, first.path)) or "the arguments"
    return f"{where}: {first.message[:300]}"
