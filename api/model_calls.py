"""Small model calls that the service makes itself, to try a key or a model: on record like any other."""

import secrets
import time
from contextlib import aclosing
from datetime import UTC, datetime

from inference import Inference
from inference.agents import NotAllowed
from inference.custom import UserCredentials
from inference.errors import InferenceError
from inference.records import attempt_record, most_tokens
from schemas.budgets import budget_name
from schemas.failures import OVER_BUDGET
from schemas.inference import ActionKey, Finish, Message, ModelCall, ModelOverrides, Outcome, TextDelta
from schemas.model_settings import TryAnswer
from storage.budgets import OverBudget
from storage.ledger import Ledger

QUESTION = "Answer with the one word: ready"
ANSWER_TOKENS = 256
SHOWN = 200
SECONDS = 30.0
"""How long a call may take from its first byte to its last."""


class ModelCalls:
    """Makes the calls. Their rows in the ledger belong to the user and to no session."""

    def __init__(self, inference: Inference, ledger: Ledger) -> None:
        self._inference = inference
        self._ledger = ledger

    async def ask(
        self, purpose: str, user_id: str, user: UserCredentials | None, action: ActionKey, overrides: ModelOverrides
    ) -> TryAnswer:
        """Ask `action`'s model for one word. Whatever goes wrong is told in the answer, without a secret. Raises
        LimitReached."""
        call = ModelCall(
            action=action,
            messages=(Message(role="user", content=QUESTION),),
            operation_id=f"{purpose}-{secrets.token_hex(8)}",
            user_id=user_id,
            overrides=overrides.model_copy(update={"max_output_tokens": ANSWER_TOKENS}),
        )
        try:
            plan = self._inference.plan(call, user=user)
        except NotAllowed as error:
            return TryAnswer(ok=False, code="model_not_allowed", sentence=f"{error}.", next_action="Choose another.")
        except InferenceError as error:
            return _failed(error)
        started_at, began, text, finish = datetime.now(UTC), time.monotonic(), "", None
        try:
            await self._ledger.reserve(attempt_record(plan, "started", started_at=started_at), most_tokens(plan))
        except OverBudget as error:
            sentence = f"{budget_name(error.budget.kind).capitalize()} does not allow this call."
            return TryAnswer(ok=False, code=OVER_BUDGET, sentence=sentence, next_action="Raise the budget.")
        failure: InferenceError | None = None
        try:
            async with aclosing(self._inference.run(plan)) as deltas:
                async for delta in deltas:
                    if isinstance(delta, TextDelta):
                        text += delta.text
                    elif isinstance(delta, Finish):
                        finish = delta
        except InferenceError as error:
            failure = error
        finally:
            outcome: Outcome = "failed" if failure else "cancelled" if finish is None else "succeeded"
            record = attempt_record(plan, outcome, started_at=started_at, error=failure, finish=finish)
            await self._ledger.settle(record, most_tokens(plan))
        facts = {
            "model": plan.step.model.name,
            "provider": plan.step.provider,
            "credential": record.credential,
            "demo": plan.demo,
            "seconds": time.monotonic() - began,
            "input_tokens": record.input_tokens,
            "output_tokens": record.output_tokens,
            "price": record.price,
        }
        if failure is not None:
            return _failed(failure).model_copy(update=facts)
        return TryAnswer.model_validate({"ok": True, "text": text.strip()[:SHOWN], **facts})


def _failed(error: InferenceError) -> TryAnswer:
    return TryAnswer(
        ok=False,
        provider=error.provider,
        model=error.model,
        code=error.code,
        sentence=str(error),
        next_action=error.next_action,
    )
