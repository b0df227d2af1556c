"""`stich github`: push a session's repository to GitHub."""

import argparse
import asyncio
import os
import sys

from pydantic import SecretStr, ValidationError

from schemas.github import ExportToGithub
from stich.client import StichHttpError, StichUnreachable
from stich.environment import checked_settings
from stich.errors import StichError
from stich.service import Address, find


def run(arguments: argparse.Namespace) -> int:
    address = find(checked_settings(os.environ))
    try:
        if arguments.token:
            print(asyncio.run(store(address, sys.stdin.read().strip())))
            return 0
        if arguments.session is None or arguments.repository is None:
            raise StichError("Name a session and a repository, as in `stich github SESSION ada/board`.")
        wanted = ExportToGithub(
            repository=arguments.repository,
            branch=arguments.branch,
            create=arguments.create,
            private=not arguments.public,
        )
        print(asyncio.run(export(address, arguments.session, wanted)))
    except ValidationError as error:
        field = error.errors(include_url=False, include_input=False)[0]["loc"][0]
        raise StichError(f"The {field} cannot be used; a repository is named like ada/board.") from None
    except (StichHttpError, StichUnreachable) as error:
        raise StichError(str(error)) from None
    return 0


async def store(address: Address, token: str) -> str:
    """Whose token was stored."""
    if not token:
        raise StichError("The token is read from stdin, as in `stich github --token < token.txt`.")
    async with address.client() as client:
        account = await client.put_github_token(SecretStr(token))
    return f"stored the token of {account.login} ({account.hint})"


async def export(address: Address, session_id: str, wanted: ExportToGithub) -> str:
    """Where it is, and what is new there."""
    async with address.client() as client:
        done = await client.export_to_github(session_id, wanted)
    return f"{done.url}\n{done.pushed} commits pushed{', repository made' if done.created else ''}"
