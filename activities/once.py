"""A judgement that was paid for is kept: a step that is tried again takes it up instead of asking anew."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import BaseModel

from activities.step import Step

T = TypeVar("T", bound=BaseModel)


async def once(step: Step, schema: type[T], ask: Callable[[], Awaitable[T]], part: str | None = None) -> T:
    """What `ask` answered in this step, or in a part of it, the first time, whichever attempt that was."""
    operations, name = step.rooms.operations, step.id if part is None else f"{step.id}/{part}"
    begun = await operations.begin(step.session_id, name)
    if begun.result is not None:
        return schema.model_validate_json(begun.result)
    answer = await ask()
    return schema.model_validate_json(await operations.finish(step.session_id, name, answer.model_dump_json()))
