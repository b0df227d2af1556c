"""A step calls models with its own user's keys and settings, and says so when it cannot."""

import pytest
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError

from activities.model_access import ModelAccess, model_access
from activities.session import SessionActivities
from inference import Inference
from inference.settings import InferenceSettings, ProviderSettings
from schemas.inference import ActionKey, ModelOverrides
from schemas.model_settings import ActionSettings, CustomModel
from schemas.operations import CreateSessionInput
from schemas.session import Progress, StateInfo
from storage.keyring import KeyRing, KeySource, new_key
from storage.model_choices import CustomProvider
from storage.vault import Vault
from tests.activities.conftest import ModelRooms
from tests.inference.conftest import shared_client

DEMO = InferenceSettings(providers={"demo": ProviderSettings(base_url="http://127.0.0.1:9/v1")})


async def access_of(rooms: ModelRooms, user_id: str = "local") -> ModelAccess:
    return await model_access(rooms.rooms, "s1", user_id)


async def test_a_user_without_anything(model_rooms: ModelRooms) -> None:
    assert await access_of(model_rooms) == ModelAccess()


async def test_keys_and_servers_are_their_users_own(model_rooms: ModelRooms) -> None:
    rooms = model_rooms.rooms
    lab = CustomProvider(id="lab", title="Lab", base_url="https://lab.example/v1", models=(CustomModel(id="m"),))
    await rooms.model_choices.put_provider("ann", lab)
    await rooms.vault.put("ann", "lab", SecretStr("lab-key-123456"), bound=lab.base_url)
    await rooms.vault.put("ann", "groq", SecretStr("gsk-123456789"))
    ann = (await access_of(model_rooms, "ann")).user
    assert ann is not None
    assert (set(ann.keys), set(ann.servers)) == ({"groq"}, {"lab"})
    key = ann.servers["lab"].key
    assert key is not None and key.get_secret_value() == "lab-key-123456"
    assert "gsk-123456789" not in repr(ann) and "lab-key" not in repr(ann)
    assert (await access_of(model_rooms, "bob")).user is None
    await rooms.model_choices.put_provider("ann", lab.model_copy(update={"base_url": "https://thief.example/v1"}))
    moved = (await access_of(model_rooms, "ann")).user
    assert moved is not None and moved.servers["lab"].key is None, "a key stays with the address it was given for"


async def test_a_key_that_does_not_open_is_not_replaced_by_another(model_rooms: ModelRooms) -> None:
    rooms = model_rooms.rooms
    await rooms.vault.put("ann", "openai", SecretStr("sk-123456789012"))
    rooms.vault = Vault(rooms.database, KeySource.given(KeyRing([new_key()]).text()))
    with pytest.raises(ApplicationError) as caught:
        await access_of(model_rooms, "ann")
    assert (caught.value.type, caught.value.non_retryable) == ("VaultLocked", True)


async def test_settings_are_those_the_session_began_with(model_rooms: ModelRooms) -> None:
    choices = model_rooms.rooms.model_choices
    chosen = ActionSettings(model="openai/gpt-5-mini", temperature=0.0, enabled=False)
    await choices.put_settings("local", ActionKey.FAST_CODE_FIXER, chosen)
    assert (await access_of(model_rooms)).settings == {}, "it has taken nothing"
    await choices.take("s1", "local")
    await choices.put_settings("local", ActionKey.FAST_CODE_FIXER, ActionSettings(effort="high"))
    await choices.take("s1", "local")
    access = await access_of(model_rooms)
    assert access.settings == {ActionKey.FAST_CODE_FIXER: chosen}
    assert not access.enabled(ActionKey.FAST_CODE_FIXER) and access.enabled(ActionKey.BLUEPRINT)
    own = ModelOverrides(temperature=0.5)
    merged = access.overrides(ActionKey.FAST_CODE_FIXER, model_rooms.rooms.inference.settings, own)
    assert (merged.model, merged.temperature) == ("openai/gpt-5-mini", 0.5)
    await choices.take("s1", "local", again=True)
    assert (await access_of(model_rooms)).settings == {ActionKey.FAST_CODE_FIXER: ActionSettings(effort="high")}


async def test_the_next_session_after_a_key_is_no_demo(model_rooms: ModelRooms) -> None:
    rooms = model_rooms.rooms
    rooms.inference = Inference(DEMO, client=shared_client())
    shown = Progress(
        session_id="s1",
        title="",
        prompt="A board",
        mode="deterministic",
        state=StateInfo(name="starting", since="2026-01-01T00:00:00Z", reason=""),
        created_at="2026-01-01T00:00:00Z",
    )
    for user_id, demo, model in (("local", True, "demo/demo"), ("ann", False, "openai/gpt-5")):
        if not demo:
            await rooms.vault.put(user_id, "openai", SecretStr("sk-123456789012"))
        given = CreateSessionInput(**model_rooms.common("create", "create") | {"user_id": user_id}, progress=shown)
        created = await model_rooms.run(SessionActivities(rooms).create, given)
        assert (created.demo, created.model) == (demo, model)
