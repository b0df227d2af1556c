"""Writes security-relevant acts of requests into the audit log."""

from typing import Literal

import structlog
from starlette.requests import Request

from api.addresses import client_address
from api.auth import Principal
from api.problems import request_id_of
from api.services import services_of

log: structlog.stdlib.BoundLogger = structlog.get_logger("audit")


async def note(
    request: Request,
    act: str,
    outcome: Literal["done", "refused"] = "done",
    *,
    actor: str | None = None,
    subject: str | None = None,
    **detail: str | int | list[str],
) -> None:
    """Write down what this request did. `act` is a name such as `api_key_made`; the principal acts unless another does.

    Ids only: no secret and no e-mail address may be in `subject` or `detail`. Raises what the database raises: an act
    that cannot be written down fails.
    """
    services = services_of(request)
    principal = request.state.principal
    if actor is None and isinstance(principal, Principal):
        actor = principal.user_id
        if principal.api_key_id is not None:
            detail["api_key"] = principal.api_key_id
    await services.audit.record(
        act,
        outcome,
        actor=actor,
        subject=subject,
        address=client_address(request, services.settings.trusted_proxies),
        request_id=request_id_of(request.scope),
        detail=detail,
    )
    log.info("audit", act=act, outcome=outcome, actor=actor, subject=subject)
