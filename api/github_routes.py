"""A session's repository at GitHub: the user's token in the vault, and pushes with it."""

from typing import Final

import httpx
from dulwich.objects import ObjectID
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from api.access import session_of
from api.audit import note
from api.auth import principal_of
from api.endpoints import ANSWER_SECONDS, Answer, Endpoint, JsonResponse, body_of, within
from api.git import history_of
from api.git_push import Diverged, PushRefused, Remote, push
from api.github import SECONDS, Github, site_of
from api.problems import (
    DATABASE_AWAY,
    GITHUB_AWAY,
    GITHUB_OFF,
    GITHUB_REFUSED,
    NO_FILE,
    NO_GITHUB_REPOSITORY,
    NO_GITHUB_TOKEN,
    NO_SESSION,
    TOO_SLOW,
    VAULT_LOCKED,
    Refusal,
)
from api.services import Services, services_of
from schemas.github import ExportToGithub, GithubAccount, GithubExport, PutGithubToken
from storage.vault import VaultLocked

NAME: Final = "github:token"
PUSH_SECONDS: Final = 90.0
GIT_USER: Final = "x-access-token"  # what GitHub wants beside a token


async def show(request: Request) -> Response:
    stored = await services_of(request).vault.list(principal_of(request).user_id)
    found = next((each for each in stored if each.name == NAME), None)
    account = GithubAccount(stored=True, login=found.note, hint=found.hint) if found else GithubAccount(stored=False)
    return JsonResponse(account)


async def put_token(request: Request) -> Response:
    services, token = services_of(request), body_of(request, PutGithubToken).token
    api = _api(services)
    async with _client() as client:
        login = await Github(client, api, token).login()
    try:
        stored = await services.vault.put(
            principal_of(request).user_id, NAME, token, bound=api, note=login[:100], checked=True
        )
    except VaultLocked:
        raise Refusal(VAULT_LOCKED, "The vault cannot be opened by this service.") from None
    await note(request, "github_token_stored")
    return JsonResponse(GithubAccount(stored=True, login=stored.note, hint=stored.hint))


async def delete_token(request: Request) -> Response:
    if not await services_of(request).vault.delete(principal_of(request).user_id, NAME):
        raise Refusal(NO_GITHUB_TOKEN, "You have stored no token of GitHub.")
    await note(request, "github_token_deleted")
    return Response(status_code=204)


async def export(request: Request) -> Response:
    session, services = await within(ANSWER_SECONDS, session_of(request, "own")), services_of(request)
    wanted, api = body_of(request, ExportToGithub), _api(services)
    token = await _token(services, principal_of(request).user_id, api)
    history = await history_of(services, session.id)
    if not history.commits:
        raise Refusal(NO_FILE, "The session has no files yet.", next_action="Wait until the first file is written.")
    names = [commit.sha1 for commit in history.commits]
    url = f"{site_of(api)}/{wanted.repository}"
    async with _client() as client:
        title = session.record.title if session.record else ""
        created = await Github(client, api, token).ensure(wanted, title[:200])
        remote = Remote(url, GIT_USER, token.get_secret_value())
        try:
            before = await push(client, remote, history.repository, ObjectID(names[-1].encode()), wanted.branch)
        except Diverged as error:
            raise Refusal(GITHUB_REFUSED, str(error), next_action="Choose another branch or repository.") from None
        except PushRefused as error:
            raise Refusal(GITHUB_REFUSED, str(error)) from None
        except httpx.HTTPError as error:
            raise Refusal(GITHUB_AWAY, f"GitHub cannot be reached ({type(error).__name__}).") from None
    await note(request, "session_sent_to_github", subject=session.id, repository=wanted.repository)
    done = GithubExport(
        url=url if wanted.branch == "main" else f"{url}/tree/{wanted.branch}",
        repository=wanted.repository,
        branch=wanted.branch,
        commit=names[-1],
        pushed=len(names) - (names.index(before) + 1 if before in names else 0),
        created=created,
    )
    return JsonResponse(done)


def _api(services: Services) -> str:
    api = services.settings.github_api
    if api is None:
        raise Refusal(GITHUB_OFF, "Sending sessions to GitHub is switched off here.")
    return api


async def _token(services: Services, user_id: str, api: str) -> SecretStr:
    try:
        found = (await services.vault.open(user_id, {NAME: api}, only=[NAME])).get(NAME)
    except VaultLocked:
        raise Refusal(VAULT_LOCKED, "The vault cannot be opened by this service.") from None
    if found is None:
        raise Refusal(NO_GITHUB_TOKEN, "You have stored no token of GitHub.")
    await services.vault.used(user_id, [NAME])
    return found


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=SECONDS, headers={"user-agent": "stich"}, follow_redirects=False)


EXAMPLE_ACCOUNT: Final = GithubAccount(stored=True, login="ada", hint="…4f2a")
EXAMPLE: Final = GithubExport(
    url="https://github.com/ada/board",
    repository="ada/board",
    branch="main",
    commit="5f6c0a4d9be1c2f7a8d3e4b5c6d7e8f901234567",
    pushed=12,
    created=True,
)
AWAY: Final = (GITHUB_OFF, GITHUB_REFUSED, GITHUB_AWAY, VAULT_LOCKED, DATABASE_AWAY, TOO_SLOW)

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/github",
        handler=show,
        name="show_github_account",
        summary="Whether you stored a token of GitHub, and whose it is",
        answer=Answer(description="Never the token.", schema=GithubAccount, example=EXAMPLE_ACCOUNT),
        problems=(DATABASE_AWAY, TOO_SLOW),
        scope="keys",
    ),
    Endpoint(
        method="PUT",
        path="/api/github/token",
        handler=put_token,
        name="put_github_token",
        summary="Store your token of GitHub in the vault, after GitHub has accepted it",
        body=PutGithubToken,
        body_example={"token": "the token as GitHub shows it"},
        answer=Answer(description="It is stored.", schema=GithubAccount, example=EXAMPLE_ACCOUNT),
        problems=AWAY,
        scope="keys",
        seconds=SECONDS + 5,
    ),
    Endpoint(
        method="DELETE",
        path="/api/github/token",
        handler=delete_token,
        name="delete_github_token",
        summary="Forget your token of GitHub",
        answer=Answer(description="It is gone.", status=204),
        problems=(NO_GITHUB_TOKEN, DATABASE_AWAY, TOO_SLOW),
        scope="keys",
    ),
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/github",
        handler=export,
        name="export_to_github",
        summary="Push the session's repository to GitHub: all of its commits, or those that are new since",
        body=ExportToGithub,
        body_example=ExportToGithub(repository="ada/board", create=True),
        answer=Answer(description="It is there.", schema=GithubExport, example=EXAMPLE),
        problems=(NO_SESSION, NO_FILE, NO_GITHUB_TOKEN, NO_GITHUB_REPOSITORY, *AWAY),
        seconds=PUSH_SECONDS,
    ),
)
