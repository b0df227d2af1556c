"""Plays a recorded session again, in a stich of its own: with the recorded answers, or with another model.

With the recorded answers everything has to come out as it did: the same prompts, the same messages at the same points,
the same files. The first thing that does not is reported.
"""

import asyncio
import base64
import contextlib
import io
import os
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from schemas.http import CreateSession, PostMessage
from schemas.recording import Moment, RecordedSession, Recording
from schemas.session import RESTING_STATES, Progress, State
from stich.client import Sequenced, StichClient, StichHttpError
from stich.demo.conductor import Conductor
from stich.demo.library import Library
from stich.demo.recording import RecordingInvalid, load
from stich.demo.request_log import LoggedRequest
from stich.demo.server import DemoModel
from stich.environment import checked_settings
from stich.errors import StichError
from stich.home import listen, port_of
from stich.serving import serving
from stich.supervisor import PLAIN_VARIABLES, Supervisor

LARGEST: Final = 512 * 1024 * 1024
"""Bytes of a recording when it is unpacked."""
REST_SECONDS: Final = 900.0
POINT_SECONDS: Final = 30.0
GOES_ON_WITHIN: Final = 5.0
KEPT_VARIABLES: Final = (*PLAIN_VARIABLES, "PYTHONPATH", "STICH_UNSAFE_LOCAL", "STICH_SANDBOX_CACHE", "STICH_LOG_LEVEL")

_OWN: Final = {"PORT": "0", "STICH_PREVIEW_PORT": "0", "STICH_API_PROCESSES": "1"}


class Played(NamedTuple):
    """How it went. `differences` are in order: the first is where the two sessions part."""

    session_id: str
    calls: int
    messages: int
    progress: Progress
    differences: list[str]
    files: dict[str, str]
    archive: bytes


def read(path: Path) -> Recording:
    """A recording from an archive or a folder, its moments checked. Raises StichError."""
    try:
        if path.is_dir():
            recording = load(path)
        else:
            with TemporaryDirectory(prefix="stich-recording-") as folder:
                _unpack(path, Path(folder))
                recording = load(Path(folder))
    except OSError as error:
        raise StichError(f"{path} cannot be read ({error.strerror}).") from None
    except (RecordingInvalid, zipfile.BadZipFile) as error:
        raise StichError(f"{path} is not a recording: {error}") from None
    if recording.session is None:
        raise StichError(f"{path} has answers only; a session's export has all that is needed (`stich export`).")
    for moment in recording.session.moments:
        if moment.kind in ("begin", "end") and not 0 <= (moment.exchange or 0) < len(recording.exchanges):
            raise StichError(f"{path} is not a recording: a moment names an exchange that is not there.")
    return recording


def _unpack(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > LARGEST:
            raise RecordingInvalid(f"it is larger than {LARGEST // 1024**2} MB")
        for entry in entries:
            name = PurePosixPath(entry.filename)
            if len(name.parts) != 1 or name.name in ("", ".", "..") or "\\" in entry.filename:
                raise RecordingInvalid(f"it has a path that leaves its folder: {entry.filename[:100]!r}")
            (folder / name.name).write_bytes(archive.read(entry))


async def replay(
    recording: Recording, env: Mapping[str, str], home: Path, model: str | None, say: Callable[[str], None]
) -> Played:
    """Play a session in a new home, whose stich is stopped again at the end. Raises StichError."""
    if model is not None:
        async with _running({**env, **_OWN, "STICH_HOME": str(home), "STICH_MODEL": model}, say) as client:
            return await _Player(recording, client, say).with_a_model()
    player: _Player | None = None

    async def act(moment: Moment) -> str | None:
        assert player is not None, "nothing is played before it is there"
        return await player.act(moment)

    assert recording.session is not None
    replies = [exchange.reply for exchange in recording.exchanges]
    conductor = Conductor(recording.session.moments, replies, act)
    demo = DemoModel(Library([recording.model_copy(update={"match": []})]), rate=None, conductor=conductor)
    listener = listen("127.0.0.1", 0)
    own = {name: env[name] for name in KEPT_VARIABLES if name in env}
    own |= {**_OWN, "STICH_HOME": str(home), "STICH_DEMO_URL": f"http://127.0.0.1:{port_of(listener)}/v1"}
    async with serving(demo.app, listener), _running(own, say) as client:
        player = _Player(recording, client, say)
        return await player.with_answers(conductor, demo)


@contextlib.asynccontextmanager
async def _running(env: Mapping[str, str], say: Callable[[str], None]) -> AsyncIterator[StichClient]:
    """A whole stich, while the block lasts."""
    supervisor = Supervisor(checked_settings(env), {"PATH": os.defpath, **env}, lambda line: say(f"  {line}"))
    try:
        running = await supervisor.start()
        async with StichClient(running.local_url, running.token) as client:
            yield client
    finally:
        await supervisor.stop()


class _Player:
    """One session that is played again."""

    def __init__(self, recording: Recording, client: StichClient, say: Callable[[str], None]) -> None:
        assert recording.session is not None
        self._recording = recording
        self._session: RecordedSession = recording.session
        self._client = client
        self._say = say
        self._id = ""
        self._images: dict[str, str] = {}
        self._files = 0
        self._checks = 0
        self._chosen = ""
        self._phases: set[str] = set()
        self._state: State = "starting"
        self._news = asyncio.Condition()
        self._messages = 0

    async def with_answers(self, conductor: Conductor, demo: DemoModel) -> Played:
        """Play it with the recorded answers, and compare."""
        async with self._started():
            playing = asyncio.create_task(conductor.play())
            failing = asyncio.create_task(self._until_failed())
            await asyncio.wait([playing, failing], return_when=asyncio.FIRST_COMPLETED)
            if not playing.done():
                playing.cancel()
                await asyncio.wait([playing])
            failing.cancel()
            progress = await self._rest()
        log = demo.log.all()
        differences = [*self._of_requests(log), *conductor.differences, *self._missing(log)]
        return await self._conclude(progress, differences, len(log), compare=True)

    async def with_a_model(self) -> Played:
        """Play what people said and decided, each once as many phases are over as were then."""
        async with self._started():
            for moment in self._session.moments:
                if moment.kind in ("begin", "end"):
                    continue
                await self._phases_over(moment)
                if problem := await self.act(moment.model_copy(update={"state": None, "files": 0})):
                    self._say(problem)
            progress = await self._rest()
        return await self._conclude(progress, [], progress.usage.calls, compare=False)

    async def _phases_over(self, moment: Moment) -> None:
        """Wait until as many phases are over as were then, or the session rests."""
        await self._wait(lambda: self._state in RESTING_STATES or len(self._phases) >= moment.phases, REST_SECONDS)

    async def act(self, moment: Moment) -> str | None:
        """Carry out a message or a decision, once the session is where it was. Returns why that was not possible."""
        if moment.state is not None:
            seconds = REST_SECONDS if moment.state in RESTING_STATES else POINT_SECONDS
            await self._wait(lambda: self._state == moment.state, seconds)
        if moment.kind in ("stop", "edit") or moment.interrupt:
            await self._wait(lambda: self._files >= moment.files, POINT_SECONDS)
        try:
            match moment.kind:
                case "message":
                    assert moment.text is not None
                    images = [self._images[image] for image in moment.images if image in self._images]
                    message = PostMessage(id=moment.id, text=moment.text, interrupt=moment.interrupt, image_ids=images)
                    await self._client.message(self._id, message)
                    self._messages += 1
                case "stop":
                    await self._client.stop(self._id)
                case "resume":
                    await self._client.resume(self._id)
                case "edit":
                    await self._edit(moment)
                case "restore":
                    await self._restore(moment)
                case "choose":
                    await self._choose(moment)
                case "retry":
                    await self._client.history.retry_phase(self._id, moment.id or "")
                case "check":
                    before = self._checks
                    await self._client.history.check(self._id)
                    await self._wait(lambda: self._checks > before, REST_SECONDS)
        except StichHttpError as error:
            return f"the recorded {moment.kind} was refused: {error}"
        what = moment.text or moment.path or (moment.kind != "message" and moment.id) or ""
        self._say(f"{moment.kind} {what[:70]!r}" if what else moment.kind)
        return None

    async def _edit(self, moment: Moment) -> None:
        assert moment.path is not None
        now = {file.path: file.sha256 for file in (await self._client.files(self._id)).files}
        if moment.text is None:
            await self._client.history.delete(self._id, moment.path, now.get(moment.path))
        else:
            await self._client.history.write(self._id, moment.path, moment.text, now.get(moment.path))

    async def _restore(self, moment: Moment) -> None:
        """Go back to what the recorded step made, whatever its number is here."""
        found = (await self._client.history.versions(self._id, limit=200)).versions
        made = [each.version for each in found if each.operation_id == moment.step]
        assert moment.version is not None
        version = moment.version if moment.version in made or not made else made[0]
        await self._client.history.restore(self._id, version, moment.path)

    async def _choose(self, moment: Moment) -> None:
        """Choose a candidate, and wait until the session goes on from it."""
        await self._client.choose(self._id, moment.id or "")
        await self._wait(lambda: self._chosen == moment.id, REST_SECONDS)

    @contextlib.asynccontextmanager
    async def _started(self) -> AsyncIterator[None]:
        """The session, followed while the block lasts."""
        for image in self._session.images:
            uploaded = await self._client.history.upload(base64.b64decode(image.data), image.media_type)
            self._images[image.id] = uploaded.id
        asked = dict(self._session.request)
        wanted = asked.pop("image_ids", [])
        ids = [self._images[str(image)] for image in wanted] if isinstance(wanted, list) else []
        session = await self._client.start(CreateSession.model_validate({**asked, "image_ids": ids}), "replay")
        self._id = session.id
        self._say(f"session {session.id}: {self._recording.title}")
        following = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            following.cancel()
            await asyncio.wait([following])

    async def _follow(self) -> None:
        async for item in self._client.follow(self._id, after=0):
            if not isinstance(item, Sequenced):
                continue
            event = item.event
            if event.type == "file_generated":
                self._files += 1
            elif event.type == "candidate" and event.candidate.chosen:
                self._chosen = event.candidate.id
            elif event.type == "checks":
                self._checks += 1
            elif event.type == "phase" and event.phase.status == "completed":
                self._phases.add(event.phase.id)
            elif event.type == "session_state":
                self._state = event.state.name
            async with self._news:
                self._news.notify_all()

    async def _until_failed(self) -> None:
        """Until the session failed and stays so, where the recorded one did not: then nothing more will come."""
        async with self._news:
            await self._news.wait_for(lambda: self._state == "failed" != self._session.state)
        await asyncio.sleep(GOES_ON_WITHIN)
        if self._state != "failed":
            await self._until_failed()

    async def _rest(self) -> Progress:
        try:
            async with asyncio.timeout(REST_SECONDS):
                while True:
                    progress = await self._client.wait(self._id)
                    checked = all(phase.status in ("completed", "failed") for phase in progress.phases)
                    if not progress.operations and (checked or progress.state.name != "completed"):
                        return progress
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise StichError(f"The session did not come to rest within {REST_SECONDS:.0f} s.") from None

    async def _wait(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait until what is followed shows it, or so many seconds are over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(condition)

    def _of_requests(self, log: list[LoggedRequest]) -> list[str]:
        found = []
        for number, entry in enumerate(log, 1):
            where = f"call {number} ({entry.action}, step {entry.operation})"
            if entry.exchange is None:
                found.append(f"{where} is not in the recording")
            elif not entry.exact:
                found.append(f"{where} was asked in other words than recorded")
        return found

    def _missing(self, log: list[LoggedRequest]) -> list[str]:
        asked = {entry.exchange for entry in log}
        return [
            f"the recorded call {number} ({exchange.action}) was never made"
            for number, exchange in enumerate(self._recording.exchanges, 1)
            if number - 1 not in asked
        ]

    async def _conclude(self, progress: Progress, differences: list[str], calls: int, *, compare: bool) -> Played:
        files = {file.path: file.sha256 for file in (await self._client.files(self._id)).files}
        if compare and progress.state.name != self._session.state:
            differences.append(f"the session ended {progress.state.name}, not {self._session.state}")
        if compare:
            differences += differing(self._session.files, files)
        archive = await self._client.export(self._id) if files else _empty()
        return Played(self._id, calls, self._messages, progress, differences, files, archive)


def differing(recorded: Mapping[str, str], played: Mapping[str, str]) -> list[str]:
    """The files that are not the same, in order of path."""
    found = []
    for path in sorted({*recorded, *played}):
        if path not in played:
            found.append(f"the file {path} is missing")
        elif path not in recorded:
            found.append(f"the file {path} is new")
        elif recorded[path] != played[path]:
            found.append(f"the file {path} has another content")
    return found


def _empty() -> bytes:
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, "w").close()
    return buffer.getvalue()
