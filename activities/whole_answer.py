"""An answer longer than a model may say at once: gone on with where its output limit cut it."""

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from temporalio.exceptions import ApplicationError

from activities.model_call import CannotContinue, stream_model
from activities.step import Step
from schemas.inference import ActionKey, Delta, Finish, Message, TextDelta


async def stream_whole(
    step: Step, action: ActionKey, messages: Sequence[Message], call_numbers: deque[int]
) -> AsyncGenerator[Delta, None]:
    """The answer of the model that serves `action`, delta by delta, with `Finish` as the last.

    One that the output limit cut is handed to the model as the beginning of its own, and what follows comes as if it
    had never been cut. Each call takes one of `call_numbers`. When they are used up, or the model cannot or will not go
    on, the reason of `Finish` stays `length`. Raises ApplicationError.
    """
    answer, end = "", None
    while call_numbers and (end is None or (end.reason == "length" and answer.strip())):
        beginning = answer.rstrip()  # providers refuse one that ends in white space: the model says that again
        gap, number, heard = answer[len(beginning) :], call_numbers.popleft(), False
        try:
            async with aclosing(
                stream_model(step, action, messages, call_number=number, beginning=beginning)
            ) as deltas:
                async for delta in deltas:
                    heard = True
                    if isinstance(delta, Finish):
                        end = delta
                    elif isinstance(delta, TextDelta):
                        gap, text = _without(gap, delta.text)
                        answer += text
                        yield TextDelta(text)
                    else:
                        yield delta
        except CannotContinue:
            call_numbers.appendleft(number)  # no call was made
            break
        except ApplicationError:
            if heard or end is None:
                raise
            break
    if end is not None:
        yield end


def _without(gap: str, text: str) -> tuple[str, str]:
    """How much of the white space before `text` may still be said again, and `text` without what was."""
    same = next((at for at, (here, there) in enumerate(zip(gap, text, strict=False)) if here != there), None)
    same = min(len(gap), len(text)) if same is None else same
    return (gap[same:] if same == len(text) else "", text[same:])
