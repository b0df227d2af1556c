"""The people of an installation."""

import asyncio

import pytest

from storage.database import Database
from storage.users import EmailTaken, UserMissing, Users


async def test_the_local_user_is_an_operator(database: Database) -> None:
    local = await Users(database).get("local")
    assert (local.role, local.email) == ("operator", None)


async def test_one_of_many_who_take_an_address_at_once_gets_it(database: Database) -> None:
    users = Users(database)
    taken = await asyncio.gather(
        *(users.add(email="ada@example.org", name=f"Ada {n}") for n in range(8)), return_exceptions=True
    )
    (ada,) = [user for user in taken if not isinstance(user, BaseException)]
    assert sum(isinstance(error, EmailTaken) for error in taken) == 7
    assert await users.by_email("ada@example.org") == ada
    assert await users.by_email("bob@example.org") is None


async def test_what_changes_about_a_user(database: Database) -> None:
    users = Users(database)
    ada = await users.add(email="ada@example.org", name="Ada")
    await users.set_role(ada.id, "operator")
    await users.set_name(ada.id, "Ada L.")
    await users.set_password(ada.id, "a hash")
    await users.set_disabled(ada.id, True)
    changed = await users.get(ada.id)
    assert (changed.role, changed.name, changed.password_hash) == ("operator", "Ada L.", "a hash")
    assert changed.disabled_at is not None
    assert "a hash" not in repr(changed)
    await users.set_disabled(ada.id, False)
    assert (await users.get(ada.id)).disabled_at is None
    assert [user.id for user in await users.list()] == sorted(["local", ada.id])


async def test_nobody_is_changed_who_is_not_there(database: Database) -> None:
    users = Users(database)
    for change in (users.get("nobody"), users.set_name("nobody", "x"), users.set_disabled("nobody", True)):
        with pytest.raises(UserMissing):
            await change
