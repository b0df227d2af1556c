"""The steps of ending what is old. Each may run again after any break; what is done stays done."""

from temporalio import activity

from activities.context import Rooms
from schemas.retention import Forgotten, OldSessions, RetentionRules
from storage.retention import Retention


class RetentionActivities:
    """Short statements, many of them: each batch is a heartbeat."""

    def __init__(self, rooms: Rooms) -> None:
        self._retention = Retention(rooms.database)

    @activity.defn(name="archive_idle_sessions")
    async def archive(self, rules: RetentionRules) -> Forgotten:
        """Put sessions away that nobody used for long."""
        if rules.archive_sessions is None:
            return Forgotten()
        return Forgotten(counts={"archived": await self._retention.archive(rules.archive_sessions, activity.heartbeat)})

    @activity.defn(name="expired_sessions")
    async def expired(self, rules: RetentionRules) -> OldSessions:
        """Some of the sessions whose time is over."""
        if rules.delete_sessions is None:
            return OldSessions()
        return OldSessions(sessions=await self._retention.expired(rules.delete_sessions))

    @activity.defn(name="forget_old_rows")
    async def forget(self, rules: RetentionRules) -> Forgotten:
        """Delete rows that nothing needs any more."""
        return Forgotten(counts=await self._retention.forget(rules, activity.heartbeat))
