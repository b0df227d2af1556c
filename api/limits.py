"""Limits of requests, and how answers tell of them and of other limits (RateLimit headers, Retry-After)."""

import math

from starlette.requests import Request

from api.auth import principal_of
from api.problems import LIMIT_REACHED, Refusal
from api.services import services_of
from storage.limits import LimitReached, Standing


async def limit_requests(request: Request) -> Standing | None:
    """Count the request for its principal. Raises Refusal 429, and whatever the database raises: without it nothing
    is let through."""
    try:
        return await services_of(request).limits.take_request(principal_of(request).user_id)
    except LimitReached as error:
        raise refusal(error) from None


def headers_of(name: str, standing: Standing) -> dict[str, str]:
    """The limit and what is left of it."""
    rate = standing.rate
    return {
        "RateLimit-Policy": f'"{name}";q={rate.count};w={rate.seconds}',
        "RateLimit": f'"{name}";r={standing.remaining};t={math.ceil(standing.reset)}',
    }


def refusal(error: LimitReached) -> Refusal:
    """The answer to what came too early."""
    seconds = math.ceil(error.retry_after)
    headers = {"Retry-After": str(seconds)}
    if error.rate is not None:
        headers |= headers_of(error.name.replace("_", "-"), Standing(error.rate, 0, error.retry_after))
    return Refusal(LIMIT_REACHED, f"{error.sentence} Try again in {seconds} seconds.", headers=headers)
