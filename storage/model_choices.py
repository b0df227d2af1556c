"""What users choose for model calls: servers of their own, and settings per action, as each session began with them."""

import json
from datetime import datetime

from pydantic import BaseModel, TypeAdapter

from schemas.inference import ActionKey
from schemas.model_settings import ActionSettings, CustomModel, ModelSettings, SessionSettings
from storage.database import Database

_SETTINGS: TypeAdapter[ModelSettings] = TypeAdapter(ModelSettings)
_MODELS: TypeAdapter[tuple[CustomModel, ...]] = TypeAdapter(tuple[CustomModel, ...])


class CustomProvider(BaseModel):
    """A user's server. Its key is in the vault, under its id and bound to the address."""

    id: str
    title: str
    base_url: str
    models: tuple[CustomModel, ...]


class ModelChoices:
    """Repository of servers and settings."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    # --- servers ---------------------------------------------------------------------------------------------------

    async def providers(self, user_id: str) -> list[CustomProvider]:
        """A user's servers, by id."""
        rows = await self._pool.fetch(
            "SELECT id, title, base_url, models FROM custom_providers WHERE user_id = $1 ORDER BY id", user_id
        )
        return [
            CustomProvider(
                id=row["id"],
                title=row["title"],
                base_url=row["base_url"],
                models=_MODELS.validate_json(row["models"]),
            )
            for row in rows
        ]

    async def put_provider(self, user_id: str, provider: CustomProvider) -> None:
        await self._pool.execute(
            """
            INSERT INTO custom_providers (user_id, id, title, base_url, models) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (user_id, id) DO UPDATE SET title = excluded.title, base_url = excluded.base_url,
              models = excluded.models, updated_at = now()
            """,
            user_id,
            provider.id,
            provider.title,
            provider.base_url,
            _MODELS.dump_json(provider.models).decode(),
        )

    async def delete_provider(self, user_id: str, provider_id: str) -> bool:
        """False where there is none."""
        status: str = await self._pool.execute(
            "DELETE FROM custom_providers WHERE user_id = $1 AND id = $2", user_id, provider_id
        )
        return status != "DELETE 0"

    # --- settings --------------------------------------------------------------------------------------------------

    async def settings(self, user_id: str) -> ModelSettings:
        """What a user set, by action. An action that this version does not know is left out."""
        rows = await self._pool.fetch("SELECT action, settings FROM model_settings WHERE user_id = $1", user_id)
        known = {key.value for key in ActionKey}
        return {
            ActionKey(row["action"]): ActionSettings.model_validate_json(row["settings"])
            for row in rows
            if row["action"] in known
        }

    async def put_settings(self, user_id: str, action: ActionKey, settings: ActionSettings) -> None:
        await self._pool.execute(
            """
            INSERT INTO model_settings (user_id, action, settings) VALUES ($1, $2, $3)
            ON CONFLICT (user_id, action) DO UPDATE SET settings = excluded.settings, updated_at = now()
            """,
            user_id,
            action.value,
            settings.model_dump_json(exclude_none=True),
        )

    async def reset_settings(self, user_id: str, action: ActionKey | None = None) -> None:
        """Back to the defaults: one action, or all."""
        await self._pool.execute(
            "DELETE FROM model_settings WHERE user_id = $1 AND ($2::text IS NULL OR action = $2)",
            user_id,
            action.value if action else None,
        )

    # --- what a session goes by --------------------------------------------------------------------------------------

    async def take(self, session_id: str, user_id: str, *, again: bool = False) -> SessionSettings:
        """Keep the user's settings as they are now for a session. Those it has stay, unless they are taken `again`."""
        settings = await self.settings(user_id)
        change = "UPDATE SET settings = excluded.settings, taken_at = now()" if again else "NOTHING"
        await self._pool.execute(
            f"""
            INSERT INTO session_model_settings (session_id, user_id, settings) VALUES ($1, $2, $3)
            ON CONFLICT (session_id) DO {change}
            """,
            session_id,
            user_id,
            _SETTINGS.dump_json(settings, exclude_none=True).decode(),
        )
        taken = await self.taken(session_id)
        assert taken is not None
        return taken

    async def taken(self, session_id: str) -> SessionSettings | None:
        """What a session goes by; None where it has taken nothing yet."""
        row = await self._pool.fetchrow(
            "SELECT settings, taken_at FROM session_model_settings WHERE session_id = $1", session_id
        )
        if row is None:
            return None
        taken_at: datetime = row["taken_at"]
        known = {key.value for key in ActionKey}
        settings = {name: value for name, value in json.loads(row["settings"]).items() if name in known}
        return SessionSettings(settings=_SETTINGS.validate_python(settings), taken_at=taken_at)
