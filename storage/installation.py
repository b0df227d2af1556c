"""Which jurisdiction a database holds the data of: said once, while it is empty, and never changed."""

from storage.database import Database


class Installation:
    """The one row that says whose data these are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, jurisdiction: str | None) -> tuple[str | None, bool]:
        """The jurisdiction that the database belongs to, and whether that is `jurisdiction`.

        A database that belongs to none yet becomes that of `jurisdiction` as long as it holds no session.
        """
        async with self._database.transaction() as connection:
            if jurisdiction is not None:
                await connection.execute(
                    """INSERT INTO installation (jurisdiction) SELECT $1 WHERE NOT EXISTS (SELECT FROM sessions)
                       ON CONFLICT DO NOTHING""",
                    jurisdiction,
                )
            known: str | None = await connection.fetchval("SELECT jurisdiction FROM installation")
            return known, known == jurisdiction
