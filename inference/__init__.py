"""One model call, done right, at whichever provider serves it."""

from inference.client import Completion, Inference, Plan

__all__ = ["Completion", "Inference", "Plan"]
