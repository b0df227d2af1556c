"""One attempt at a call, resolved before it is made, and what happened while it ran."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from inference import routing, tokens
from inference.custom import UserCredentials
from inference.errors import (
    InferenceError,
    RateLimited,
)
from inference.gateway import Endpoint
from inference.providers import PROVIDERS
from inference.routing import Step, Tried
from inference.wire import AnswerReader, Target
from schemas.inference import (
    ModelCall,
    Usage,
)


@dataclass(slots=True)
class Plan:
    """One attempt, resolved: where it goes and with which parameters. The key is inside `endpoint`, as a SecretStr.

    What happened is written here while the call runs: `usage` (the provider's count, or an estimate), times, and what
    the provider said of itself. It is complete when the stream has ended, however it ended.
    """

    call: ModelCall
    attempt: int
    step: Step
    target: Target
    endpoint: Endpoint
    steps: list[Step]
    tried: Sequence[Tried] = ()
    avoid: Set[str] = frozenset()
    user: UserCredentials | None = None
    reader: AnswerReader | None = None
    started: float = 0.0
    first_token: float | None = None
    duration: float = 0.0

    @property
    def demo(self) -> bool:
        return self.step.provider == "demo"

    @property
    def steps_left(self) -> int:
        """How many other steps there are that have not rejected this call."""
        rejected = {(each.provider, each.model) for each in self.tried if each.rejected}
        return sum((step.provider, step.model.name) not in rejected for step in self.steps[1:])

    def breaker(self, error: InferenceError) -> str | None:
        """The key of the breaker that `error` counts for: a limit is the model's, all else the provider's. None where
        it says nothing about the platform's providers: a user's key has limits of its own, the demo has no rival."""
        if not error.health or self.demo or self.endpoint.credential == "user":
            return None
        return self.step.keys[isinstance(error, RateLimited)]

    def next_step(self, error: InferenceError) -> Step:
        """The step that the next attempt takes after `error`, as far as can be known now."""
        taken = Tried(self.step.provider, self.step.model.name, rejected=not error.retryable)
        opened = self.breaker(error) if error.retry_after is not None else None
        avoid = self.avoid | {opened} if opened else self.avoid
        return routing.ordered(self.steps, (*self.tried, taken), avoid)[0]

    def after(self, error: InferenceError) -> str:
        """What the next attempt does after `error`, in plain words."""
        following = self.next_step(error)
        known = PROVIDERS.get(following.provider)
        place = known.title if known else following.provider
        if following.model.name != self.step.model.name:
            return f"It goes on with {following.model.title} at {place}."
        if following.provider != self.step.provider:
            return f"It goes on at {place}, with the same model."
        return "It is tried again."

    def waits(self, error: InferenceError) -> bool:
        """Whether the next attempt goes to where the limit holds that `error` speaks of."""
        if isinstance(error, RateLimited):
            return not error.health or self.step.keys[1] in self.next_step(error).keys
        return self.next_step(error).provider == self.step.provider

    @property
    def usage(self) -> Usage:
        """The tokens so far: the provider's own count where it gave one, an estimate marked as such where not."""
        seen = self.reader.usage if self.reader else Usage()
        if seen.output_tokens and seen.input_tokens and self.reader and self.reader.reason:
            return seen
        if self.reader is None or not 200 <= self.reader.status < 300:
            return seen
        written = round(self.reader.characters / tokens.CHARACTERS)
        if not (written or seen.input_tokens or seen.output_tokens):
            return seen
        return replace(
            seen,
            input_tokens=seen.input_tokens or tokens.of_call(self.call),
            output_tokens=max(seen.output_tokens, written),
            estimated=True,
        )
