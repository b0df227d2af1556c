"""The three dialects by name: how each writes a request and reads an answer."""

from collections.abc import Callable

from inference import anthropic_messages, google_generate, openai_answer, openai_chat
from inference.structured import OutputMode
from inference.wire import AnswerReader, Target, WireRequest
from schemas.inference import Dialect, Message, ModelCall

Builder = Callable[[ModelCall, list[Message], Target, OutputMode], WireRequest]

BUILDERS: dict[Dialect, Builder] = {
    "openai": openai_chat.build,
    "anthropic": anthropic_messages.build,
    "google": google_generate.build,
}
READERS: dict[Dialect, type[AnswerReader]] = {
    "openai": openai_answer.OpenAIReader,
    "anthropic": anthropic_messages.AnthropicReader,
    "google": google_generate.GoogleReader,
}
