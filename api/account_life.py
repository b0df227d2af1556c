"""The life of an account's data over HTTP: everything of it to take along, and the end of it."""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.audit import note
from api.auth import Principal, principal_of
from api.endpoints import ANSWER_SECONDS, Answer, Endpoint, body_of, within
from api.problems import (
    DATABASE_AWAY,
    LIMIT_REACHED,
    NO_ACCOUNTS,
    SIGN_IN_AGAIN,
    TEMPORAL_AWAY,
    TOO_MANY_ATTEMPTS,
    TOO_SLOW,
    WRONG_PASSWORD,
    Refusal,
)
from api.services import Services, services_of
from api.sign_in_routes import ACCOUNT_FREE, HASHING_SECONDS, account_bucket, count_attempt, need_accounts
from api.zips import Entry, zipped
from schemas.accounts import DeleteAccount
from storage.blobs import BlobMissing
from storage.personal import ABOUT, OF_SESSION, Personal
from storage.traffic import Traffic
from storage.users import User, UserMissing
from storage.vault import VaultLocked

RECENT: Final = timedelta(minutes=10)
"""Who has no password may delete the account for so long after signing in."""

README: Final = """Everything that this service keeps about you, but what is secret: passwords, keys and the secrets of
links are kept only in forms that nobody can use, and are not in here.

account/            who you are, where you are signed in, your keys (masked), settings, budgets, the calls of models
                    that were made for you and their cost, the log of security-relevant acts; one JSON object per line
pictures/           what you uploaded
sessions/ID/        a session: its facts, messages, blueprints, versions, conflicts, commits, transcripts and answers of
                    models, events, what is published, one JSON object a line
sessions/ID/files/  the project as it stands
sessions/ID/contents/  every content that a file, a screenshot or the site of it has or had, named as in versions.jsonl
"""


async def export(request: Request) -> Response:
    services, principal = services_of(request), principal_of(request)
    if principal.user_id in services.exporting:
        raise Refusal(
            LIMIT_REACHED, "Your data are being downloaded already; one at a time.", headers={"Retry-After": "10"}
        )
    await within(ANSWER_SECONDS, note(request, "account_exported", subject=principal.user_id))
    now = datetime.now(UTC)
    return StreamingResponse(
        _held(services, principal, now),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="stich-{now:%Y-%m-%d}.zip"'},
    )


async def _held(services: Services, principal: Principal, now: datetime) -> AsyncIterator[bytes]:
    services.exporting.add(principal.user_id)
    try:
        async for piece in zipped(_everything(services, principal.user_id), now):
            yield piece
    finally:
        services.exporting.discard(principal.user_id)


async def _everything(services: Services, user_id: str) -> AsyncIterator[Entry]:
    personal = Personal(services.database)
    yield "README.txt", README.encode()
    for name in ABOUT:
        yield f"account/{name}.jsonl", _lines(personal.about(name, user_id))
    for picture in await personal.pictures(user_id):
        yield f"pictures/{picture.name}", await services.blobs.get(picture.sha256)
    for session_id in await personal.sessions(user_id):
        folder = f"sessions/{session_id}"
        for name in OF_SESSION:
            yield f"{folder}/{name}.jsonl", _lines(personal.of_session(name, session_id))
        yield f"{folder}/answers.jsonl", _answers(services, session_id)
        try:
            for file in await services.files.current(session_id):
                yield f"{folder}/files/{file.path}", await services.blobs.get(file.sha256)
            for sha256 in await personal.contents(session_id):
                yield f"{folder}/contents/{sha256}", await services.blobs.get(sha256)
        except BlobMissing:  # the session is deleted meanwhile
            continue


async def _lines(rows: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async for row in rows:
        yield row.encode() + b"\n"


async def _answers(services: Services, session_id: str) -> AsyncIterator[bytes]:
    """What models answered, as far as it is kept; nothing where the keys that it was sealed with are lost."""
    with suppress(VaultLocked):
        async for entry in Traffic(services.database, services.vault).each(session_id):
            yield entry.model_dump_json(exclude_defaults=True).encode() + b"\n"


async def delete(request: Request) -> Response:
    services, principal, body = need_accounts(request), principal_of(request), body_of(request, DeleteAccount)
    user = await services.users.get(principal.user_id)
    await _require_proof(request, services, user, body)
    await note(request, "account_deleted", subject=user.id)
    await services.workflows.erase_user(user.id)
    with suppress(UserMissing):  # the workflow may be quicker
        await services.users.set_disabled(user.id, True)  # at once, also where no worker runs just now
    response = Response(status_code=202)
    services.sign_in.cookie.clear(response)
    return response


async def _require_proof(request: Request, services: Services, user: User, body: DeleteAccount) -> None:
    """Raises Refusal unless the account's own person asks: by the password, or where there is none, by having signed in
    just now."""
    if user.password_hash is None:
        sign_in = principal_of(request).sign_in_id
        if sign_in is None or not await services.sign_ins.began_within(sign_in, RECENT):
            raise Refusal(SIGN_IN_AGAIN, "The account is deleted only shortly after you have signed in.")
        return
    bucket = account_bucket(services, user.email or user.id)
    await count_attempt(services, bucket, ACCOUNT_FREE)
    if body.password is None or not await services.passwords.fits(body.password, user.password_hash):
        await note(request, "account_deleted", "refused", subject=user.id)
        raise Refusal(WRONG_PASSWORD, "The password is wrong.")
    for name in (bucket, f"mail {bucket}"):
        await services.attempts.succeeded(name)


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/account/export",
        handler=export,
        name="export_account",
        summary="Everything that is kept about you, as a zip: sessions with files and versions, settings, ledger",
        answer=Answer(description="The archive, streamed.", media_type="application/zip", schema=bytes),
        problems=(LIMIT_REACHED, DATABASE_AWAY, TOO_SLOW),
        scope="account",
        seconds=None,
    ),
    Endpoint(
        method="DELETE",
        path="/api/account",
        handler=delete,
        name="delete_account",
        summary="Delete your account for good, with every session; asks for the password, or for a recent sign-in",
        body=DeleteAccount,
        body_example={"password": "your password"},
        answer=Answer(
            status=202,
            description="You are signed out everywhere; everything of yours is being deleted, whatever breaks.",
        ),
        problems=(
            NO_ACCOUNTS,
            WRONG_PASSWORD,
            SIGN_IN_AGAIN,
            TOO_MANY_ATTEMPTS,
            TEMPORAL_AWAY,
            DATABASE_AWAY,
            TOO_SLOW,
        ),
        scope="account",
        seconds=HASHING_SECONDS,
    ),
)
