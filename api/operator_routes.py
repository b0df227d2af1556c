"""What operators see and change: users, and the log of security-relevant acts."""

from typing import Final

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api.audit import note
from api.auth import operator_of
from api.bodies import read_query
from api.endpoints import Answer, Endpoint, JsonResponse, body_of
from api.examples import EXAMPLE_TIME
from api.problems import DATABASE_AWAY, INVALID, NO_USER, TOO_SLOW, Refusal
from api.services import services_of
from schemas.accounts import AuditEntry, AuditLog, ChangeUser, UserInfo, UserList
from storage.users import User, UserMissing


class UsersQuery(BaseModel):
    """Query of `GET /api/users`."""

    after: str = Field(default="", max_length=100, description="The `next` of the page before.")
    limit: int = Field(default=100, ge=1, le=500, description="How many users at most.")


class AuditQuery(BaseModel):
    """Query of `GET /api/audit`."""

    before: int | None = Field(default=None, ge=1, le=2**62, description="The `next` of the page before.")
    limit: int = Field(default=100, ge=1, le=500, description="How many acts at most.")
    user: str | None = Field(default=None, max_length=100, description="Only acts by or about this user.")


async def list_users(request: Request) -> Response:
    query = read_query(request, UsersQuery)
    users = await services_of(request).users.list(query.limit + 1, query.after)
    page = users[: query.limit]
    more = page[-1].id if len(users) > len(page) else None
    return JsonResponse(UserList(users=[_info(user) for user in page], next=more))


async def change_user(request: Request) -> Response:
    services, operator, body = services_of(request), operator_of(request), body_of(request, ChangeUser)
    user_id: str = request.path_params["user_id"]
    if user_id == operator.user_id:
        raise Refusal(INVALID, "Operators cannot take away their own rights; another operator can.")
    try:
        if body.role is not None:
            await services.users.set_role(user_id, body.role)
            await note(request, "role_changed", subject=user_id, role=body.role)
        if body.disabled is not None:
            await services.users.set_disabled(user_id, body.disabled)
            await note(request, "user_disabled" if body.disabled else "user_enabled", subject=user_id)
        return JsonResponse(_info(await services.users.get(user_id)))
    except UserMissing:
        raise Refusal(NO_USER, "There is no user with this id.") from None


async def audit_log(request: Request) -> Response:
    query = read_query(request, AuditQuery)
    entries = await services_of(request).audit.list(query.limit + 1, query.before, query.user)
    page = entries[: query.limit]
    return JsonResponse(AuditLog(entries=page, next=page[-1].id if len(entries) > len(page) else None))


def _info(user: User) -> UserInfo:
    return UserInfo(**user.model_dump(include=set(UserInfo.model_fields)), disabled=user.disabled_at is not None)


AWAY: Final = (DATABASE_AWAY, TOO_SLOW)
EXAMPLE_USER: Final = UserInfo(
    id="user-k3v7q2m5x4h6w2yt",
    email="ada@example.org",
    name="Ada",
    role="user",
    disabled=False,
    created_at=EXAMPLE_TIME,
)
EXAMPLE_AUDIT: Final = AuditLog(
    entries=[
        AuditEntry(
            id=17,
            at=EXAMPLE_TIME,
            act="sign_in",
            outcome="done",
            actor=EXAMPLE_USER.id,
            subject=EXAMPLE_USER.id,
            address="192.0.2.7",
            request_id="5f2c7e1a90b34d68",
            detail={"means": "password"},
        )
    ]
)

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/users",
        handler=list_users,
        name="list_users",
        summary="Everybody who has an account",
        query=UsersQuery,
        answer=Answer(description="A page of users.", schema=UserList, example=UserList(users=[EXAMPLE_USER])),
        problems=AWAY,
        scope="operator",
    ),
    Endpoint(
        method="PATCH",
        path="/api/users/{user_id}",
        handler=change_user,
        name="change_user",
        summary="Change a user's role; disable a user, who is then refused at once",
        body=ChangeUser,
        body_example=ChangeUser(disabled=True),
        answer=Answer(description="The user.", schema=UserInfo, example=EXAMPLE_USER),
        problems=(NO_USER, *AWAY),
        scope="operator",
    ),
    Endpoint(
        method="GET",
        path="/api/audit",
        handler=audit_log,
        name="audit_log",
        summary="Security-relevant acts: who, what, when, from where, with what outcome",
        query=AuditQuery,
        answer=Answer(description="A page of acts, newest first.", schema=AuditLog, example=EXAMPLE_AUDIT),
        problems=AWAY,
        scope="operator",
    ),
)
