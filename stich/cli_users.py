"""`stich users`."""

import argparse
import asyncio
import os
from typing import Final

from schemas.accounts import Role, Scope
from stich.environment import checked_settings
from stich.operator import Added, Installation, installation
from stich.settings import Settings

KEY_SCOPES: Final[tuple[Scope, ...]] = ("read", "sessions:write")
"""What `stich build`, `batch` and `mcp` need."""


def run(arguments: argparse.Namespace) -> int:
    asyncio.run(carry_out(arguments, checked_settings(os.environ)))
    return 0


async def carry_out(arguments: argparse.Namespace, settings: Settings) -> None:
    async with installation(settings) as here:
        match arguments.what:
            case "add":
                role: Role = "operator" if arguments.operator else "user"
                show_link(await here.add_user(arguments.email, arguments.name, role))
            case "link":
                show_link(await here.new_link(arguments.email))
            case "key":
                print(
                    await here.make_key(arguments.email, arguments.name, arguments.scope or KEY_SCOPES, arguments.days)
                )
            case "role":
                await here.set_role(arguments.email, arguments.role)
                print(f"{arguments.email} is now {'an operator' if arguments.role == 'operator' else 'a user'}")
            case "disable" | "enable":
                await here.set_disabled(arguments.email, arguments.what == "disable")
                print(f"{arguments.email} is {arguments.what}d")
            case _:
                await show_all(here)


def show_link(added: Added) -> None:
    print(f"{added.user.email} ({added.user.role}) sets a password here, within seven days:\n\n    {added.link}\n")


async def show_all(here: Installation) -> None:
    async for user in here.users():
        state = "disabled" if user.disabled_at is not None else user.role
        print(f"{user.id:<24} {state:<9} {user.created_at:%Y-%m-%d} {user.email or '(signs in by token)'}")
