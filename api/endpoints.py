"""What a route of the HTTP interface is: its address, its models, its problems, and a bound on its time.

The table of endpoints is the one source of the routes that answer and of the OpenAPI document.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import structlog
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.auth import operator_of, principal_of, require_scope
from api.bodies import JSON_LIMIT, read_json
from api.limits import headers_of, limit_requests, refusal
from api.problems import DATABASE_AWAY, TOO_SLOW, Kind, Refusal
from schemas.accounts import Scope
from storage.database import is_transient
from storage.limits import LimitReached

Handler = Callable[[Request], Awaitable[Response]]
T = TypeVar("T")

ROUTE: Final = "stich.route"
"""Where a request's scope has the path of its endpoint, for those that see it pass."""
ANSWER_SECONDS: Final = 2.8
"""A request that only asks or tells something is answered within this time, be it with a problem."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("api")


class JsonResponse(Response):
    """A pydantic model as JSON."""

    def __init__(self, model: BaseModel, status_code: int = 200, headers: dict[str, str] | None = None) -> None:
        super().__init__(model.model_dump_json(), status_code, headers, media_type="application/json")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an endpoint answers when all goes well. `schema` is any type pydantic can describe; None is no body."""

    description: str
    status: int = 200
    media_type: str = "application/json"
    schema: Any = None
    example: BaseModel | str | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One method on one path.

    `body` is read and validated before the handler runs, which finds it through `body_of`; a `body_example` with
    secrets is a mapping, because its model would mask them. `upload` are the media types of a body that the handler
    reads itself. `seconds` bounds the handler; None means that the answer is a stream, which takes its time. `scope` is
    what a credential needs; without one, `read` for GET and `sessions:write` for changes. A route for operators has the
    scope `operator`. `guests` lets people look who came by a link, without an account. Where the handler `proves`, it
    sees to sign-in, scope and limits itself, with more patience than others have.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    handler: Handler
    name: str
    summary: str
    answer: Answer
    body: type[BaseModel] | None = None
    upload: tuple[str, ...] = ()
    body_limit: int = JSON_LIMIT
    body_example: BaseModel | Mapping[str, object] | None = None
    query: type[BaseModel] | None = None
    headers: type[BaseModel] | None = None
    problems: tuple[Kind, ...] = ()
    open: bool = False
    scope: Scope | None = None
    seconds: float | None = ANSWER_SECONDS
    proves: bool = False
    guests: bool = False

    def route(self) -> Route:
        route = Route(self.path, self.respond, methods=[self.method], name=self.name)
        if self.seconds is None and route.methods:
            route.methods.discard("HEAD")  # a HEAD of a stream would run the stream for nobody
        return route

    @property
    def needed_scope(self) -> Scope:
        return self.scope or ("read" if self.method == "GET" else "sessions:write")

    async def respond(self, request: Request) -> Response:
        """The handler's response. Raises Refusal; a limit that is reached, and a database that is away, are one too."""
        request.scope[ROUTE] = self.path
        if self.proves:
            return await self.handler(request)
        if self.needed_scope == "operator":
            operator_of(request)
        elif not self.open:
            require_scope(principal_of(request), self.needed_scope)
        standing: dict[str, str] = {}
        try:
            if not self.open and (counted := await within(ANSWER_SECONDS, limit_requests(request))):
                standing = headers_of("requests", counted)
            if self.body is not None:
                request.state.body = await read_json(request, self.body, self.body_limit)
            if self.seconds is None:
                response = await self.handler(request)
            else:
                response = await within(self.seconds, self.handler(request))
            response.headers.update(standing)
            return response
        except (Refusal, LimitReached) as error:
            told = error if isinstance(error, Refusal) else refusal(error)
            told.headers = standing | told.headers
            raise told from None
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("database is not available", error=f"{type(error).__name__}: {error}"[:300])
            raise Refusal(DATABASE_AWAY, "The database cannot be reached right now.") from None


Body = TypeVar("Body", bound=BaseModel)


def body_of(request: Request, model: type[Body]) -> Body:
    """The validated body of a request to an endpoint that declares `model` as its body."""
    body = request.state.body
    assert isinstance(body, model)
    return body


async def within(seconds: float, work: Awaitable[T]) -> T:
    """The result of `work`, which is given up after `seconds`. Raises Refusal TOO_SLOW.

    What is given up is told to stop but not waited for: a database that is frozen, not gone, holds up even the clean-up
    of a cancelled query.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            raise Refusal(TOO_SLOW, f"No answer was ready within {seconds:g} seconds.")
        return task.result()
    finally:
        if not task.done():
            task.add_done_callback(_forget)
            task.cancel()


def _forget(task: "asyncio.Future[T]") -> None:
    if not task.cancelled():
        task.exception()
