"""What models are told: one template per operation, rendered strictly into messages.

A template has a block `system`, which is the same for every call of the operation (providers cache it), and a block
`user` with what is particular. Text that people, models or programs wrote is put between tags by the filter `fenced`,
and cannot close its own fence.
"""

import re
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


def fenced(text: str, tag: str, **attributes: str) -> str:
    """`text` between `<tag>` and `</tag>` on lines of their own; closing tags inside the text are made harmless."""
    body = str(text).removesuffix("\n")
    harmless = re.sub(rf"<(\s*/\s*{re.escape(tag)}\b)", r"&lt;\1", body, flags=re.IGNORECASE)
    quoted = "".join(f' {name}="{value.replace(chr(34), "&quot;")}"' for name, value in attributes.items())
    return f"<{tag}{quoted}>\n{harmless}\n</{tag}>"


_environment.filters["fenced"] = fenced


def render(operation: str, **values: object) -> tuple[Message, ...]:
    """The messages that open `operation`: a system and a user message.

    Raises jinja2.UndefinedError when a value that the template uses is missing.
    """
    template = _environment.get_template(f"{operation}.j2")
    context = template.new_context(values)
    system = "".join(template.blocks["system"](context)).strip()
    user = "".join(template.blocks["user"](context)).strip()
    return (Message(role="system", content=system), Message(role="user", content=user))
