"""What is kept about a person, to be handed over: everything but secrets, and what could be made from the rest."""

from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from storage.database import Database

PAGE: Final = 500

ABOUT: Final = {
    "profile": "SELECT id, email, name, role, disabled_at, created_at FROM users WHERE id = $1",
    "sign-ins": """SELECT id, means, client, address, user_agent, created_at, last_seen_at, expires_at, revoked_at,
                     revoked_because FROM sign_ins WHERE user_id = $1 ORDER BY created_at, id""",
    "accounts-elsewhere": """SELECT provider, subject, email, created_at FROM user_identities WHERE user_id = $1
                             ORDER BY provider""",
    "api-keys": """SELECT id, name, hint, scopes, created_at, expires_at, last_used_at, revoked_at FROM api_keys
                   WHERE user_id = $1 ORDER BY created_at, id""",
    "provider-keys": """SELECT name AS provider, bound AS address, hint, note, created_at, checked_at, last_used_at,
                          calls_per_minute, tokens_per_minute FROM vault_secrets WHERE user_id = $1 ORDER BY name""",
    "own-servers": """SELECT id, title, base_url, models, created_at, updated_at FROM custom_providers
                      WHERE user_id = $1 ORDER BY id""",
    "webhooks": """SELECT id, url, events, description, created_at, disabled_at, disabled_reason FROM webhooks
                   WHERE user_id = $1 ORDER BY created_at, id""",
    "webhook-deliveries": """SELECT id, webhook_id, session_id, seq, event, created_at, tries, delivered_at,
                               answer_status, error FROM webhook_deliveries WHERE user_id = $1
                             ORDER BY created_at, id""",
    "model-settings": "SELECT action, settings, updated_at FROM model_settings WHERE user_id = $1 ORDER BY action",
    "budgets": """SELECT scope, owner, kind, set_by, limit_usd, updated_at FROM budgets
                  WHERE scope = 'user' AND owner = $1
                    OR scope = 'session' AND owner IN (SELECT id FROM sessions WHERE user_id = $1)
                  ORDER BY scope, owner, kind, set_by""",
    "spending": "SELECT cheaper_near_limit FROM spending_choices WHERE user_id = $1",
    "budget-notices": """SELECT owner, kind, period_start, limit_usd, percent, session_id, spent_usd, at
                         FROM budget_notices WHERE user_id = $1 ORDER BY at, id""",
    "model-calls": """SELECT * FROM model_attempts WHERE user_id = $1
                      ORDER BY started_at, session_id, operation_id, execution, attempt, call_number""",
    "audit": """SELECT at, act, outcome, actor, subject, address, detail FROM audit_log
                WHERE actor = $1 OR subject = $1 ORDER BY id""",
    "shared-with-me": """SELECT session_id, access, created_at FROM session_shares WHERE user_id = $1
                         ORDER BY created_at, session_id, link_id""",
    "messages-elsewhere": """SELECT m.session_id, m.id, m.text, m.created_at FROM messages m
                             WHERE m.author = $1 AND m.session_id NOT IN (SELECT id FROM sessions WHERE user_id = $1)
                             ORDER BY m.created_at, m.session_id, m.id""",
    "changes-elsewhere": """SELECT session_id, version, path, reason, created_at FROM file_versions
                            WHERE user_id = $1 AND session_id NOT IN (SELECT id FROM sessions WHERE user_id = $1)
                            ORDER BY created_at, session_id, version""",
}
"""What is kept about a user besides sessions, by the name under which it is handed over."""

OF_SESSION: Final = {
    "session": """SELECT id, title, prompt, mode, template, request, state, state_reason, state_since, progress,
                    created_at, updated_at, archived_at FROM sessions WHERE id = $1""",
    "messages": """SELECT m.id, m.role, m.author, m.text, m.options, m.state, m.phase_id, m.created_at,
                     (SELECT json_agg(i.image_id ORDER BY i.position) FROM message_images i
                      WHERE i.session_id = m.session_id AND i.message_id = m.id) AS images
                   FROM messages m WHERE m.session_id = $1 ORDER BY m.position""",
    "blueprints": "SELECT operation_id, blueprint, created_at FROM blueprints WHERE session_id = $1 ORDER BY position",
    "versions": """SELECT version, path, sha256, size, parent, author, user_id, reason, phase_id, created_at
                   FROM file_versions WHERE session_id = $1 ORDER BY version""",
    "transcripts": """SELECT thread, operation_id, message, created_at FROM transcripts WHERE session_id = $1
                      ORDER BY position""",
    "screenshots": """SELECT id, sha256, media_type, width, height, phase_id, note, created_at FROM screenshots
                      WHERE session_id = $1 ORDER BY created_at, id""",
    "model-settings": "SELECT settings, taken_at FROM session_model_settings WHERE session_id = $1",
    "shares": """SELECT user_id, access, created_at FROM session_shares WHERE session_id = $1
                 ORDER BY created_at, user_id, link_id""",
    "share-links": """SELECT id, access, created_at, expires_at, revoked_at FROM share_links WHERE session_id = $1
                      ORDER BY created_at, id""",
    "steps": "SELECT id, begun_at, finished_at, result FROM operations WHERE session_id = $1 ORDER BY begun_at, id",
    "events": "SELECT seq, at, type, data FROM events WHERE session_id = $1 AND chunk_of IS NULL ORDER BY seq",
    "conflicts": """SELECT path, version, base_sha256, mine_sha256, user_id, choice, since, resolved_at
                    FROM file_conflicts WHERE session_id = $1 ORDER BY position""",
    "commits": """SELECT sha1, version, encode(content, 'escape') AS content FROM git_commits
                  WHERE session_id = $1 ORDER BY position""",
    "published": "SELECT digest, files, published_at FROM published_sites WHERE session_id = $1",
    "preview": "SELECT server, server_at, pages, pages_at FROM preview_reports WHERE session_id = $1",
    "batches": """SELECT operation_id, call_number, provider, batch_id, name, state, reason, sent_at
                  FROM model_batches WHERE session_id = $1 ORDER BY sent_at, operation_id, call_number""",
}
"""What is kept of a session, in the same way. Pieces of texts are left out: the texts are in the other lists."""


class Content(NamedTuple):
    """A picture or a file's text, by its hash and the name under which it is handed over."""

    name: str
    sha256: str


class Personal:
    """Reads what is kept about a person."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def about(self, name: str, user_id: str) -> AsyncIterator[str]:
        """One of `ABOUT`: a JSON object per row."""
        async for row in self._rows(ABOUT[name], user_id):
            yield row

    async def of_session(self, name: str, session_id: str) -> AsyncIterator[str]:
        """One of `OF_SESSION`: a JSON object per row."""
        async for row in self._rows(OF_SESSION[name], session_id):
            yield row

    async def sessions(self, user_id: str) -> list[str]:
        """The user's sessions, oldest first, those that are put away too."""
        rows = await self._pool.fetch("SELECT id FROM sessions WHERE user_id = $1 ORDER BY created_at, id", user_id)
        return [row["id"] for row in rows]

    async def pictures(self, user_id: str) -> list[Content]:
        """The pictures that the user uploaded."""
        rows = await self._pool.fetch(
            "SELECT id, media_type, sha256 FROM images WHERE user_id = $1 ORDER BY created_at, id", user_id
        )
        return [Content(f"{row['id']}.{row['media_type'].rpartition('/')[2]}", row["sha256"]) for row in rows]

    async def contents(self, session_id: str) -> list[str]:
        """Hashes of every content that a file of the session had, or a screenshot, an edit or its site has."""
        rows = await self._pool.fetch(
            """SELECT sha256 FROM file_versions WHERE session_id = $1 AND sha256 IS NOT NULL
               UNION SELECT given_sha256 FROM file_versions WHERE session_id = $1 AND given_sha256 IS NOT NULL
               UNION SELECT sha256 FROM screenshots WHERE session_id = $1
               UNION SELECT mine_sha256 FROM file_conflicts WHERE session_id = $1 AND mine_sha256 IS NOT NULL
               UNION SELECT jsonb_path_query(files, '$.*') #>> '{}' FROM published_sites WHERE session_id = $1
               ORDER BY 1""",
            session_id,
        )
        return [row["sha256"] for row in rows]

    async def _rows(self, query: str, owner: str) -> AsyncIterator[str]:
        """Page by page: who downloads slowly holds no connection."""
        for page in range(1 << 31):
            rows = await self._pool.fetch(
                f"SELECT row_to_json(found)::text AS line FROM ({query} LIMIT {PAGE} OFFSET $2) found",
                owner,
                page * PAGE,
            )
            for row in rows:
                yield row["line"]
            if len(rows) < PAGE:
                return
