"""Playing recordings again: what can be read, in which order things happen, and what is reported."""

import asyncio
import zipfile
from pathlib import Path

import pytest

from schemas.recording import Exchange, Match, Moment, RecordedSession, Recording, Reply
from stich.demo.conductor import Conductor
from stich.demo.library import Library
from stich.demo.prompt import ChatRequest, Metadata, read_prompt
from stich.demo.recording import save
from stich.demo.request_log import LoggedRequest
from stich.errors import StichError
from stich.replay import differing, read

MOMENTS = [
    Moment(kind="begin", exchange=0),
    Moment(kind="begin", exchange=1),
    Moment(kind="end", exchange=1),
    Moment(kind="message", text="hello"),
    Moment(kind="end", exchange=0),
]


def recording(*exchanges: Exchange, moments: list[Moment] | None = None) -> Recording:
    session = RecordedSession(request={"prompt": "p"}, moments=moments or [], files={}, state="completed", version="0")
    return Recording(
        title="t", example_prompt="p", match=["p"], by_order=True, exchanges=list(exchanges), session=session
    )


def exchange(fingerprint: str, operation: str, text: str) -> Exchange:
    return Exchange(
        action="blueprint", match=Match(fingerprint=fingerprint * 64, operation=operation), reply=Reply(text=text)
    )


def entry(number: int) -> LoggedRequest:
    return LoggedRequest(
        number=number, started=0, session="s", operation="o", action="a", phase=None, prompt_sha256="",
        already_written=[],
    )  # fmt: skip


async def test_answers_go_in_the_recorded_order_with_what_people_said_between_them() -> None:
    happened: list[str] = []

    async def act(moment: Moment) -> str | None:
        happened.append(moment.text or moment.kind)
        return None

    conductor = Conductor(MOMENTS, [Reply(text="a"), Reply(text="b")], act)

    async def ask(number: int) -> None:
        logged = entry(number)
        await conductor.may_answer(number, logged)
        happened.append(f"answer {number}")
        logged.end("completed")

    async with asyncio.timeout(10):
        await asyncio.gather(conductor.play(), ask(0), ask(1))
    assert happened == ["answer 1", "hello", "answer 0"]
    assert conductor.differences == []


async def test_a_call_that_never_comes_holds_nothing_up_for_long() -> None:
    async def act(moment: Moment) -> str | None:
        return "it was refused"

    conductor = Conductor(MOMENTS, [Reply(text="a"), Reply(text="b")], act, impatience=0.2)
    logged = entry(0)

    async def ask() -> None:
        await conductor.may_answer(0, logged)
        logged.end("completed")

    async with asyncio.timeout(10):
        await asyncio.gather(conductor.play(), ask())
    assert conductor.differences == ["the recorded call 2 was not made in its turn", "it was refused"]
    async with asyncio.timeout(1):
        await conductor.may_answer(None, entry(9))


async def test_what_broke_off_begins_before_it_ends() -> None:
    """A message that interrupts a call comes while the caller has what was said until then."""
    happened: list[str] = []
    logged = entry(0)

    async def act(moment: Moment) -> str | None:
        happened.append(moment.kind)
        logged.end("aborted")
        return None

    moments = [Moment(kind="begin", exchange=0), Moment(kind="stop"), Moment(kind="end", exchange=0)]
    conductor = Conductor(moments, [Reply(text="half", ends="left")], act)

    async def ask() -> None:
        await conductor.may_answer(0, logged)
        happened.append("streams")

    async with asyncio.timeout(10):
        await asyncio.gather(conductor.play(), ask())
    assert sorted(happened) == ["stop", "streams"]


def asked(library: Library, fingerprint: str, operation: str, text: str = "other words") -> tuple[str | None, bool]:
    chat = ChatRequest.model_validate({"model": "demo", "messages": [{"role": "user", "content": text}]})
    metadata = Metadata(session="s", operation=operation, action="blueprint", fingerprint=fingerprint * 64)
    reply, found = library.answer(read_prompt(chat, metadata))
    return reply.text, found is not None and found.exact


def test_a_call_is_found_by_its_fingerprint_else_by_its_step() -> None:
    library = Library([recording(exchange("a", "one", "1"), exchange("b", "two", "2"), exchange("b", "two", "3"))])
    assert asked(library, "b", "two") == ("2", True)
    assert asked(library, "b", "two") == ("3", True), "the same was asked twice"
    assert asked(library, "b", "two") == ("3", True)
    assert asked(library, "a", "elsewhere") == ("1", True)
    assert asked(library, "c", "one", "<request>p</request>") == ("1", False)
    assert asked(library, "c", "three", "<request>p</request>") == (None, False)


def test_an_exact_answer_is_not_shortened() -> None:
    text = "cat > a.ts << 'EOF'\n1\nEOF\n"
    library = Library([recording(exchange("a", "one", text))])
    prompt = "<request>p</request>\n<already_written>\na.ts\n</already_written>"
    assert asked(library, "a", "one", prompt) == (text, True)


def test_what_can_be_read(tmp_path: Path) -> None:
    good = recording(exchange("a", "one", "line\r\nline"), moments=[Moment(kind="begin", exchange=0)])
    save(tmp_path / "folder", good)
    with zipfile.ZipFile(tmp_path / "good.zip", "w") as archive:
        for path in (tmp_path / "folder").iterdir():
            archive.write(path, path.name)
    assert read(tmp_path / "good.zip") == read(tmp_path / "folder") == good


def test_what_cannot_be_read(tmp_path: Path) -> None:
    def written(name: str, *entries: tuple[str, str]) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for entry_name, text in entries:
                archive.writestr(entry_name, text)
        return tmp_path / name

    (tmp_path / "no.zip").write_bytes(b"no archive")
    wrong = recording(exchange("a", "one", "x"), moments=[Moment(kind="end", exchange=7)])
    answers = wrong.model_copy(update={"session": None})
    cases = [
        (tmp_path / "nowhere.zip", "cannot be read"),
        (tmp_path / "no.zip", "not a recording"),
        (written("out.zip", ("../recording.json", "{}")), "leaves its folder"),
        (written("empty.zip"), "cannot be read"),
        (written("moment.zip", ("recording.json", wrong.model_dump_json())), "not there"),
        (written("answers.zip", ("recording.json", answers.model_dump_json())), "answers only"),
    ]
    for path, sentence in cases:
        with pytest.raises(StichError, match=sentence):
            read(path)


def test_files_are_compared() -> None:
    assert differing({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}) == [
        "the file b has another content",
        "the file c is missing",
        "the file d is new",
    ]
