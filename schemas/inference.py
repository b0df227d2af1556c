"""What crosses the boundary of one model call: the request, the streamed answer, and the record of the attempt.

Tokens are counted in the same way for every provider: `input_tokens` is everything that was sent (cached tokens
included), `output_tokens` everything that was generated (reasoning included). Money is `Decimal` US dollars.
Times are seconds. Deltas are slotted dataclasses because a stream makes thousands of them.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class ActionKey(StrEnum):
    """What a model call is for. Each key has its own configuration."""

    TEMPLATE_SELECTION = "template_selection"
    BLUEPRINT = "blueprint"
    PROJECT_SETUP = "project_setup"
    PHASE_GENERATION = "phase_generation"
    FIRST_PHASE_IMPLEMENTATION = "first_phase_implementation"
    PHASE_IMPLEMENTATION = "phase_implementation"
    CODE_REVIEW = "code_review"
    FILE_REGENERATION = "file_regeneration"
    SCREENSHOT_ANALYSIS = "screenshot_analysis"
    FAST_CODE_FIXER = "fast_code_fixer"
    REALTIME_CODE_FIXER = "realtime_code_fixer"
    CONVERSATION = "conversation"
    DEEP_DEBUGGER = "deep_debugger"
    SMART_BUILDER = "smart_builder"
    README = "readme"


Effort = Literal["none", "low", "medium", "high"]
Dialect = Literal["openai", "anthropic", "google"]
RoutingPolicy = Literal["quality", "cost", "speed"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
Outcome = Literal["started", "succeeded", "failed", "cancelled", "lost"]
"""`started` is a call in flight, `lost` one whose worker died: its tokens are what had been seen until then."""


class Frozen(BaseModel):
    """Base of the data here: immutable, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# --- the request -----------------------------------------------------------------------------------------------------


class TextPart(Frozen):
    type: Literal["text"] = "text"
    text: str


class ImagePart(Frozen):
    """An image, either `data` (base64, without the data-URL prefix) with its `media_type`, or an https `url`."""

    type: Literal["image"] = "image"
    media_type: str = "image/png"
    data: str | None = None
    url: str | None = None


ContentPart = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class ReasoningBlock(Frozen):
    """Reasoning as a provider signed it, carried back unchanged in the next turn.

    `dialect` and `model` say who can read it; for any other the block is left out. `payload` is opaque.
    """

    dialect: Dialect
    model: str = ""
    payload: dict[str, JsonValue]


class ToolCall(Frozen):
    """A call that the model asks for. `arguments` is the JSON text as the model wrote it; it may be invalid."""

    id: str
    name: str
    arguments: str = "{}"
    signature: str | None = None


class Message(Frozen):
    """One turn. `name` of a tool message is the tool's; `is_error` marks a tool result that reports a failure."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | tuple[ContentPart, ...] = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    is_error: bool = False
    reasoning: tuple[ReasoningBlock, ...] = ()

    @property
    def text(self) -> str:
        """The text of the message, images left out."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))


SideEffect = Literal["none", "reads", "writes", "external", "exclusive"]
"""What a call of a tool does to the world. `none` touches nothing, `reads` and `writes` touch the project or what they
name, `exclusive` runs alone. `external` works on what is outside, and is not carried out again after a crash: nobody
can know what came of it."""


class ToolSpec(Frozen):
    """A tool as the model sees it: `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: dict[str, JsonValue]
    strict: bool = False


class ModelOverrides(Frozen):
    """What a user, a session or a call site sets instead of the action's configuration. None leaves it as it is."""

    model: str | None = None
    fallback: str | None = None
    effort: Effort | None = None
    max_output_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    policy: RoutingPolicy | None = None


class ModelCall(Frozen):
    """One request to whichever model serves `action`.

    `cacheable_prefix` is the number of leading messages that stay the same from call to call (prompt-cache markers go
    there). `call_number` tells apart several calls within one attempt of an operation. `context_parts` names what
    filled the window (label -> characters), for the record.
    """

    action: ActionKey
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: Literal["auto", "none", "required"] = "auto"
    output_schema: dict[str, JsonValue] | None = None
    output_name: str = "answer"
    session_id: str = ""
    operation_id: str = ""
    user_id: str | None = None
    call_number: int = Field(default=0, ge=0)
    cacheable_prefix: int = Field(default=0, ge=0)
    context_parts: dict[str, int] = Field(default_factory=dict)
    overrides: ModelOverrides = ModelOverrides()


class AgentConfig(Frozen):
    """How one action calls a model. Model names are `provider/model`; `enabled=False` switches the action off."""

    model: str
    fallback: str | None = None
    effort: Effort = "none"
    max_output_tokens: int = Field(ge=1, le=200_000)
    temperature: float = Field(ge=0, le=2)
    enabled: bool = True


# --- the answer ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Usage:
    """Tokens of one call. `estimated` is set when the provider gave no count (a stream that was cut or cancelled)."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.estimated or other.estimated,
        )


@dataclass(slots=True)
class TextDelta:
    text: str
    type: Literal["text"] = "text"


@dataclass(slots=True)
class ReasoningDelta:
    text: str
    type: Literal["reasoning"] = "reasoning"


@dataclass(slots=True)
class ToolCallDelta:
    """A fragment of a tool call. `index` is the call's place in the answer, `id` and `name` come with the first."""

    index: int
    id: str
    name: str
    arguments: str
    type: Literal["tool_call"] = "tool_call"


@dataclass(slots=True)
class ToolCallDone:
    """A complete tool call; its arguments are not validated yet."""

    index: int
    call: ToolCall
    type: Literal["tool_call_done"] = "tool_call_done"


@dataclass(slots=True)
class UsageDelta:
    """The count so far; a later one replaces it."""

    usage: Usage
    type: Literal["usage"] = "usage"


@dataclass(slots=True)
class Finish:
    """The end of an answer, always the last delta. An answer without it is not an answer.

    `reason` "length" means that the output limit cut the text: the caller continues or fails, it is not complete.
    `provider`, `model` and `route_reason` say who served the call and why; `demo` marks the demo model.
    """

    reason: FinishReason
    usage: Usage
    model: str = ""
    provider: str = ""
    served_model: str = ""
    response_id: str = ""
    raw_reason: str = ""
    reasoning: tuple[ReasoningBlock, ...] = ()
    route_reason: str = ""
    demo: bool = False
    price: Decimal | None = None
    time_to_first_token: float | None = None
    duration: float = 0.0
    type: Literal["finish"] = "finish"


Delta = Annotated[
    TextDelta | ReasoningDelta | ToolCallDelta | ToolCallDone | UsageDelta | Finish, Field(discriminator="type")
]


@dataclass(slots=True)
class Answer:
    """A whole answer, gathered from its deltas."""

    text: str = ""
    reasoning: str = ""
    tool_calls: list[ToolCall] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    finish: Finish | None = None

    def message(self) -> Message:
        """The assistant turn to append to the conversation, with the signed reasoning that belongs to it."""
        blocks = self.finish.reasoning if self.finish else ()
        return Message(role="assistant", content=self.text, tool_calls=tuple(self.tool_calls), reasoning=blocks)


# --- the record ------------------------------------------------------------------------------------------------------


class AttemptRecord(Frozen):
    """One row of the ledger: one call to a provider, whatever came of it.

    The key is (session_id, operation_id, execution, attempt, call_number): a workflow that starts a step anew counts
    `execution` up, Temporal counts `attempt`. `price` is None where no price is known;
    `price_source` names the price table and its version. `reserved` is the most that the call can cost, which binds
    budgets while the outcome is `started`. `credential` is "platform", "user" or "none".
    """

    session_id: str
    operation_id: str
    execution: int = Field(default=0, ge=0)
    attempt: int = Field(ge=1)
    call_number: int = Field(default=0, ge=0)
    user_id: str | None = None
    action: ActionKey
    provider: str
    model: str
    served_model: str = ""
    route_reason: str = ""
    credential: Literal["platform", "user", "none"] = "platform"
    via_gateway: bool = False
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False
    price: Decimal | None = None
    price_source: str = ""
    reserved: Decimal = Decimal(0)
    time_to_first_token: float | None = None
    duration: float = 0.0
    outcome: Outcome
    finish_reason: FinishReason | None = None
    error_code: str | None = None
    context_parts: dict[str, int] = Field(default_factory=dict)
    started_at: datetime


class Speed(Frozen):
    """How fast a model was of late at one provider: output tokens per second, and seconds to the first token."""

    tokens_per_second: float = Field(gt=0)
    time_to_first_token: float = Field(ge=0)
    samples: int = Field(ge=1)


class BreakerState(Frozen):
    """Health of one provider, or of one model at it (`key` is `provider` or `provider/model`)."""

    key: str
    state: Literal["closed", "open", "half_open"]
    failures: int
    last_error: str | None = None
    opened_at: datetime | None = None
    retry_at: datetime | None = None


class ServedAt(Frozen):
    """A model at one provider: its id there, and its price in US dollars per million tokens, None where unknown."""

    provider: str
    id: str
    input_price: Decimal | None
    output_price: Decimal | None


class ModelRow(Frozen):
    """One model as listings show it. `available` is whether it can be called now; `reason` says why not. Its prices are
    those of the first provider that can be used, or of the vendor."""

    name: str
    title: str
    providers: tuple[str, ...]
    usable_providers: tuple[str, ...]
    served: tuple[ServedAt, ...]
    context_window: int
    output_limit: int
    abilities: tuple[str, ...]
    input_price: Decimal | None
    output_price: Decimal | None
    size: Literal["lite", "regular", "large"]
    available: bool
    reason: str = ""
