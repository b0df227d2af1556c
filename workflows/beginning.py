"""How a session begins: its request is looked at, its first picture drawn, and it is stored."""

import re
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from activities.session import SessionActivities
    from schemas.operations import CreateSessionInput
    from schemas.session import Progress, SessionRequest, StateInfo
    from workflows.options import SESSION_STEP
    from workflows.picture import CAN
    from workflows.steps import Session

SESSION_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,43}")  # it names hosts of previews and folders of workspaces


def validated(given: Any) -> SessionRequest:
    """The request, or a failure of the workflow that says what is wrong with it."""
    if not SESSION_ID.fullmatch(workflow.info().workflow_id):
        sentence = "A session's workflow id has at most 44 lower-case letters, digits and hyphens."
        raise ApplicationError(sentence, type="invalid_session_id", non_retryable=True)
    try:
        return SessionRequest.model_validate(given)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, wrong["loc"])) or "the argument"
        sentence = f"This is not a SessionRequest: {where}: {wrong['msg']}."
        raise ApplicationError(sentence, type="invalid_request", non_retryable=True) from None


def first_picture(request: SessionRequest) -> Progress:
    """A session of which nothing is done yet."""
    now = workflow.now()
    return Progress(
        session_id=workflow.info().workflow_id,
        title=request.prompt.splitlines()[0][:60],
        prompt=request.prompt,
        mode=request.mode,
        template=request.template,
        state=StateInfo(name="starting", since=now, reason="Starting.", can=list(CAN["starting"])),
        images=request.images,
        forked_from=request.fork,
        created_at=now,
    )


async def create(session: Session, request: SessionRequest) -> None:
    """Store the session, and learn which model it has."""
    progress = session.progress
    # In smart mode the same amount is what a round may spend before it asks.
    budget = request.max_cost_usd if request.mode == "deterministic" else None
    created = await session.step(
        SessionActivities.create,
        lambda common: CreateSessionInput(
            **common, progress=progress, max_cost_usd=budget, asked=request.told_beside_progress
        ),
        session.operation("create", "create", "Setting up the session"),
        SESSION_STEP,
        state=("starting", "Setting up the session."),
    )
    progress.model, progress.demo = created.model, created.demo
    session.show_info()
