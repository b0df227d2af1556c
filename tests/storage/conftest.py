"""What the tests of storage share: a running log of events, and the files of sessions."""

from collections.abc import AsyncIterator

import pytest

from storage.database import Database
from storage.events import EventLog
from storage.files import Files


@pytest.fixture
def files(database: Database) -> Files:
    return Files(database)


@pytest.fixture
async def event_log(database: Database) -> AsyncIterator[EventLog]:
    event_log = EventLog(database)
    await event_log.start()
    yield event_log
    await event_log.aclose()
