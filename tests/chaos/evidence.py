"""What has to be true of a session after any disaster."""

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass

import asyncpg
import orjson

from schemas.session import FileRef, Progress
from stich.demo.request_log import LoggedRequest
from tests.chaos.site import Kept, Run, until
from tests.chaos.watching import Watcher

ESTIMATE = 1.5  # tokens of a text that was broken off are estimated, by another rule than the provider's
LEDGER = {"succeeded": "succeeded", "failed": "failed", "cancelled": "broken off", "lost": "broken off"}


@dataclass(frozen=True)
class Undisturbed:
    """How the same recording ends when nothing happens: contents by path, and the operations of its model calls."""

    files: dict[str, str]
    operations: frozenset[str]


def contents(files: list[FileRef]) -> dict[str, str]:
    return {file.path: file.sha256 for file in files}


KEEPING = 3.0
"""Seconds that a worker on a busy machine may take to keep an answer that has come whole."""


async def verify(
    run: Run, watchers: list[Watcher], undisturbed: Undisturbed, *, twice: int = 0, killed: float | None = None
) -> Progress:
    """Check every promise for a session that is completed and at rest; returns its progress.

    `twice`: how many answers may have reached a worker whole that could not keep them any more, because it was frozen
    or cut off while they came. `killed`: when (by the clock) something was killed that may have held such an answer in
    its hands.
    """
    progress = await run.completed()
    head = await _settled_head(run)
    archive = await run.site.archive(run.id)
    assert sorted(archive) == list(range(1, head + 1)), "the sequence has a gap"
    for watcher in watchers:
        await watcher.catch_up(head)
        watcher.check_against(archive)
        assert len(watcher.snapshots) == (watcher.after is None), "reconnecting never needs a new snapshot"
    async with Watcher(run) as late, Watcher(run, after=None) as newcomer:
        await late.catch_up(head)
        await newcomer.catch_up(head)
        late.check_against(archive)
        newcomer.check_against(archive)
        shown = newcomer.snapshots[0].progress
        assert contents(shown.files) == contents(progress.files)
        assert shown.state.name == "completed"

    await _check_files(run, progress, undisturbed)
    _check_requests(run, archive, undisturbed, twice, killed)
    await _check_ledger(run)
    return progress


async def _settled_head(run: Run) -> int:
    """The last number, once nothing has been added for a while."""
    before = -1

    async def still() -> int | None:
        nonlocal before
        rows = await run.site.sql("SELECT last_seq, pg_sleep(0.15) FROM event_heads WHERE session_id = $1", run.id)
        seq, last = rows[0]["last_seq"], before
        before = seq
        return seq if seq == last else None

    return await until(still, "the log comes to rest", 30)


async def _check_files(run: Run, progress: Progress, undisturbed: Undisturbed) -> None:
    assert contents(progress.files) == undisturbed.files, "the files differ from those of an undisturbed run"
    rows = await run.site.sql(
        """SELECT DISTINCT ON (v.path) v.path, v.sha256, b.content FROM file_versions v LEFT JOIN blobs b USING (sha256)
           WHERE v.session_id = $1 ORDER BY v.path, v.version DESC""",
        run.id,
    )
    stored = {row["path"]: hashlib.sha256(row["content"]).hexdigest() for row in rows if row["sha256"] is not None}
    assert stored == undisturbed.files, "what is stored differs from what is shown"


def _check_requests(
    run: Run, archive: dict[int, Kept], undisturbed: Undisturbed, twice: int, killed: float | None
) -> None:
    """No file that was stored is asked for again, and no answer that came whole to somebody who could keep it."""
    finished: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for kept in archive.values():
        if kept.type == "file_generated":
            event = orjson.loads(kept.data)
            finished[event["operation_id"]].append((kept.at.timestamp(), event["file"]["path"]))
    for operation, files in finished.items():
        paths = [path for _, path in files]
        assert len(paths) == len(set(paths)), f"{operation} finished a file twice: {paths}"
    for request in run.asked():
        done = {path for at, path in finished[request.operation] if at < request.started}
        assert done <= set(request.already_written), (
            f"{request.operation} was asked again for {done - set(request.already_written)}"
        )
    asked = {request.operation for request in run.asked() if not request.operation.startswith("message-")}
    assert asked == undisturbed.operations
    whole = Counter(
        request.operation
        for request in run.asked()
        if request.outcome == "completed" and not (killed and request.ended and -1 < killed - request.ended < KEEPING)
    )
    extra = {operation: count - 1 for operation, count in whole.items() if count > 1}
    assert sum(extra.values()) <= twice, f"answered whole more than once: {extra}"


async def _check_ledger(run: Run) -> None:
    """The ledger has each call that reached the provider, once, and ended as it ended there."""

    async def settled() -> list[asyncpg.Record] | None:
        rows = await run.site.sql("SELECT * FROM model_attempts WHERE session_id = $1", run.id)
        running = any(request.outcome == "running" for request in run.asked())
        return None if running or any(row["outcome"] == "started" for row in rows) else rows

    rows = await until(settled, "every call is settled, here and at the provider", 30)
    calls = Counter(row["operation_id"] for row in rows)
    requests = Counter(request.operation for request in run.asked())
    assert calls == requests, f"the ledger has the calls {calls}, the provider counts {requests}"
    _check_tokens(rows, run.asked())


def _check_tokens(rows: list[asyncpg.Record], requests: list[LoggedRequest]) -> None:
    """Each answer that was kept is charged with what the provider counted, any other with no more than it counted.

    An answer can be whole at the provider and lost on the way to a worker that died: such a call is not one that
    succeeded here, and its tokens are estimated.
    """
    kept = Counter((row["operation_id"], *_charged(row)) for row in rows if row["outcome"] == "succeeded")
    whole = Counter(
        (request.operation, usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens, usage.reasoning_tokens)
        for request in requests
        if request.outcome == "completed" and (usage := request.usage) is not None
    )
    assert not kept - whole, f"charged otherwise than the provider counted: {kept - whole}, not {whole - kept}"
    broken_off = Counter(row["operation_id"] for row in rows if LEDGER[row["outcome"]] == "broken off")
    unseen = Counter(operation for operation, *_ in (whole - kept).elements())
    assert not unseen - broken_off, f"whole answers that the ledger has as something else: {unseen - broken_off}"
    most: dict[str, int] = defaultdict(int)
    for request in requests:
        if request.usage is not None:
            most[request.operation] = max(most[request.operation], request.usage.completion_tokens)
    for row in rows:
        assert row["output_tokens"] <= most[row["operation_id"]] * ESTIMATE + 1, f"charged with too much: {dict(row)}"
        assert row["estimated"] or LEDGER[row["outcome"]] != "broken off"


def _charged(row: asyncpg.Record) -> tuple[int, int, int, int]:
    return (row["input_tokens"], row["cached_input_tokens"], row["output_tokens"], row["reasoning_tokens"])
