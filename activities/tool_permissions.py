"""What a model may do with a tool, by where the text came from that it has read.

A page of the web can hold orders. Whoever wrote one cannot make the model carry anything out of the project: once a
page was read, only addresses can be fetched that a person named or that stand in what was read, letter by letter.
"""

from collections.abc import Sequence

from activities.tools import Tool, ToolFailed
from activities.tools.external import PREFIX, ExternalTool
from activities.tools.web import FetchPage
from schemas.inference import Message


def permit(tool: Tool, thread: Sequence[Message]) -> None:
    """Raises ToolFailed, with a sentence for the model, where `thread` forbids this call."""
    pages = [message.text for message in thread if _is_page(message)]
    if isinstance(tool, ExternalTool) and pages and not tool.after_pages:
        raise ToolFailed("After a page of the web was read, tools of other programs cannot be used in this round.")
    pages += [message.text for message in thread if _is_outside(message)]
    if not isinstance(tool, FetchPage) or not pages:
        return
    people = [message.text for message in thread if message.role == "user"]
    address = tool.url.partition("#")[0].rstrip("/")
    if not any(address in text for text in (*people, *pages)):
        raise ToolFailed(
            "After a page of the web was read, an address can be fetched only if the person named it or it stands in a"
            " page that was read."
        )


def _is_page(message: Message) -> bool:
    return message.role == "tool" and message.name == FetchPage.name and not message.is_error


def _is_outside(message: Message) -> bool:
    return message.role == "tool" and (message.name or "").startswith(PREFIX) and not message.is_error
