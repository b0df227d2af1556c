"""What models are told: one template per operation, rendered strictly into messages.

A template has a block `system`, which is the same for every call of the operation (providers cache it), and a block
`user` with what is particular. Text that people, models or programs wrote is put between tags by the filter `fenced`.
The tags carry a code that no such text can know, so that none can end its fence or pretend to be another.
"""

import re
import secrets
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from schemas.inference import Message

# Nothing is escaped for HTML: the text goes to a model. `fenced` is what keeps data in its place.
_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    autoescape=False,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


class _Fence:
    """The code that the tags around material carry. Nobody who writes material knows it."""

    code = secrets.token_hex(4)


def set_fence(code: str) -> None:
    """Use a code of the installation's own instead of one per process: providers then cache prompts across workers."""
    if not re.fullmatch(r"[0-9a-f]{8,32}", code):
        raise ValueError("the code must be 8 to 32 hexadecimal digits")
    _Fence.code = code


def fence_code() -> str:
    return _Fence.code


def fenced(text: str, tag: str, **attributes: str) -> str:
    """`text` between `<tag-CODE>` and `</tag-CODE>` on lines of their own.

    The text stays as it is, but for the code itself: a model that was made to repeat it cannot close a fence with it.
    """
    code = _Fence.code
    body = re.sub(code, "(code)", str(text).removesuffix("\n"), flags=re.IGNORECASE)
    quoted = "".join(f' {name}="{_attribute(value)}"' for name, value in attributes.items())
    return f"<{tag}-{code}{quoted}>\n{body}\n</{tag}-{code}>"


def parts_of(messages: Sequence[Message]) -> dict[str, int]:
    """How many characters of `messages` each kind of material takes, by the tag that it is fenced with."""
    code = _Fence.code
    parts: Counter[str] = Counter()
    for message in messages:
        for found in re.finditer(rf"<([a-z_]+)-{code}.*?</\1-{code}>", message.text, flags=re.DOTALL):
            parts[found[1].replace("_", " ")] += len(found[0])
    return dict(parts)


def _attribute(value: str) -> str:
    escaped = value.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(_Fence.code, "(code)", " ".join(escaped.split()), flags=re.IGNORECASE)


_environment.filters["fenced"] = fenced
_environment.globals["fence_code"] = fence_code


def render(operation: str, **values: object) -> tuple[Message, ...]:
    """The messages that open `operation`: a system and a user message.

    Raises jinja2.UndefinedError when a value that the template uses is missing.
    """
    template = _environment.get_template(f"{operation}.j2")
    context = template.new_context(values)
    system = "".join(template.blocks["system"](context)).strip()
    user = "".join(template.blocks["user"](context)).strip()
    return (Message(role="system", content=system), Message(role="user", content=user))
