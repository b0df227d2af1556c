"""GitHub's interface, as far as an export needs it: whose token, is the repository there, make it."""

from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx
from pydantic import SecretStr

from api.problems import GITHUB_AWAY, GITHUB_REFUSED, NO_GITHUB_REPOSITORY, Refusal
from schemas.github import ExportToGithub

PUBLIC_API: Final = "https://api.github.com"
PUBLIC_SITE: Final = "https://github.com"
SECONDS: Final = 20.0


def site_of(api: str) -> str:
    """Where repositories are, for an interface: a server of one's own has it below its address."""
    if api == PUBLIC_API:
        return PUBLIC_SITE
    parts = urlsplit(api)
    return f"{parts.scheme}://{parts.netloc}"


class Github:
    """One user's view of it. Redirects are not followed: the token goes to the operator's address only."""

    def __init__(self, client: httpx.AsyncClient, api: str, token: SecretStr) -> None:
        self._client = client
        self._api = api
        self._token = token

    async def login(self) -> str:
        """Whose token it is. Raises Refusal."""
        answer = await self._ask("GET", "/user")
        if answer.status_code != 200:
            raise _refused(answer)
        return str(_json(answer).get("login", ""))

    async def ensure(self, wanted: ExportToGithub, description: str) -> bool:
        """Make the repository where it is not there and that is wished. Whether it was made. Raises Refusal."""
        owner, _, name = wanted.repository.partition("/")
        answer = await self._ask("GET", f"/repos/{quote(owner)}/{quote(name)}")
        if answer.status_code == 200:
            return False
        if answer.status_code != 404:
            raise _refused(answer)
        if not wanted.create:
            raise Refusal(NO_GITHUB_REPOSITORY, f"The token shows no repository {wanted.repository}.")
        own = (await self.login()).lower() == owner.lower()
        body = {"name": name, "private": wanted.private, "auto_init": False, "description": description}
        made = await self._ask("POST", "/user/repos" if own else f"/orgs/{quote(owner)}/repos", body)
        if made.status_code != 201:
            raise _refused(made)
        return True

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        headers = {
            "authorization": f"Bearer {self._token.get_secret_value()}",
            "accept": "application/vnd.github+json",
            "x-github-api-version": "2022-11-28",
        }
        try:
            return await self._client.request(method, f"{self._api}{path}", json=body, headers=headers)
        except httpx.HTTPError as error:
            raise Refusal(GITHUB_AWAY, f"GitHub cannot be reached ({type(error).__name__}).") from None


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _refused(answer: httpx.Response) -> Refusal:
    if answer.status_code >= 500 or answer.status_code == 429:
        return Refusal(GITHUB_AWAY, f"GitHub answered with status {answer.status_code}.")
    said = str(_json(answer).get("message", ""))[:200]
    return Refusal(GITHUB_REFUSED, f"GitHub refused with status {answer.status_code}{f': {said}' if said else ''}.")
