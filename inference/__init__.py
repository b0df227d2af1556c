"""One model call, done right, at whichever provider serves it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference.client import Inference
    from inference.plan import Plan

__all__ = ["Inference", "Plan"]


def __getattr__(name: str) -> object:
    """Loads the client when it is asked for: who only reads the catalogue starts without it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from inference import client, plan

    return getattr(plan if name == "Plan" else client, name)
