"""Values that examples of several routes share."""

from datetime import UTC, datetime
from typing import Final

EXAMPLE_TIME: Final = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
