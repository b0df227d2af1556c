"""People with accounts, for tests: who they are, how they sign in, what they find in their mail."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import httpx
from argon2 import PasswordHasher

from api.settings import ApiSettings
from schemas.accounts import Role, SignedIn, Tokens
from storage.database import Database
from storage.users import User, Users
from tests.api.conftest import Service

PASSWORD = "correct horse battery"


@cache
def password_hash() -> str:
    """The hash of PASSWORD, at a cost that tests can bear."""
    return PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)


async def add_user(database: Database, email: str, role: Role = "user") -> User:
    """Somebody with PASSWORD, named after the address."""
    name = email.partition("@")[0].title()
    return await Users(database).add(email=email, name=name, role=role, password_hash=password_hash())


class Person(NamedTuple):
    """Somebody who is signed in, as a browser is."""

    user: User
    browser: httpx.AsyncClient

    @property
    def id(self) -> str:
        return self.user.id


@asynccontextmanager
async def browser_of(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that shows the service's page."""
    headers = {"Origin": service.url, "Sec-Fetch-Site": "same-origin"}
    async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=20) as client:
        yield client


@asynccontextmanager
async def signed_in(service: Service, email: str, role: Role = "user") -> AsyncIterator[Person]:
    """A new user in a browser of its own."""
    user = await add_user(service.database, email, role)
    async with browser_of(service) as browser:
        answer = await browser.post("/api/auth/sign-in", json={"email": email, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        yield Person(user, browser)


async def program_tokens(service: Service, email: str) -> Tokens:
    """The tokens of a program that signs in as an existing user."""
    body = {"email": email, "password": PASSWORD, "client": "program"}
    answer = await service.anonymous.post("/api/auth/sign-in", json=body)
    assert answer.status_code == 200, answer.text
    tokens = SignedIn.model_validate_json(answer.content).tokens
    assert tokens is not None
    assert "set-cookie" not in answer.headers
    return tokens


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def mails(service: Service) -> list[str]:
    """The mails that were sent so far, oldest first."""
    await service.app.state.services.background.settle()
    folder = mail_folder(service.settings)
    return [path.read_text() for path in sorted(folder.glob("*.txt"))]


def mail_folder(settings: ApiSettings) -> Path:
    assert settings.mail_folder is not None
    return settings.mail_folder


def token_in(mail: str, what: str) -> str:
    found = re.search(rf"/sign-in#{what}=(\S+)", mail)
    assert found is not None, mail
    return found[1]
