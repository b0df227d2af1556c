"""Tool calls: one result each whatever happens, in parallel where they may, and loops that end."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from pydantic import BaseModel

from inference.errors import StreamBroken
from inference.tools import EVERYTHING, IDENTICAL, Tool, ToolError, conflict, execute, loop
from schemas.inference import (
    ActionKey,
    Delta,
    Finish,
    FinishReason,
    Message,
    ModelCall,
    TextDelta,
    ToolCall,
    ToolCallDone,
    Usage,
)


class Path(BaseModel):
    path: str
    times: int = 1


class Recorder:
    """Tools that note when they begin and end."""

    def __init__(self) -> None:
        self.log: list[str] = []

    async def read(self, given: Path) -> str:
        self.log.append(f"+read {given.path}")
        await asyncio.sleep(0.01)
        self.log.append(f"-read {given.path}")
        return given.path * given.times

    async def write(self, given: Path) -> dict[str, str]:
        self.log.append(f"+write {given.path}")
        await asyncio.sleep(0.01)
        self.log.append(f"-write {given.path}")
        return {"written": given.path}

    async def fail(self, given: Path) -> str:
        if given.path == "told":
            raise ToolError("There is no such file; list the files first.")
        raise ZeroDivisionError("token sk-secret-0123456789abc")

    async def finish(self, given: Path) -> str:
        return f"all done: {given.path}"

    def tools(self) -> list[Tool[Path]]:
        def file(given: Path) -> list[str]:
            return [f"file:{given.path}"]

        return [
            Tool("read", "Read.", Path, self.read, "reads", file, limit=100),
            Tool("write", "Write.", Path, self.write, "writes", file),
            Tool("write_all", "Write.", Path, self.write, "writes", lambda _: ["file:*"]),
            Tool("deploy", "Deploy.", Path, self.write),
            Tool("fail", "Fail.", Path, self.fail, "none"),
            Tool("finish", "Finish.", Path, self.finish, "none", ends=True),
        ]


def asked(*calls: tuple[str, str]) -> list[ToolCall]:
    return [ToolCall(id=f"c{n}", name=name, arguments=arguments) for n, (name, arguments) in enumerate(calls)]


def path(name: str) -> str:
    return f'{{"path": "{name}"}}'


async def test_every_call_gets_its_result_in_order() -> None:
    recorder = Recorder()
    started: list[str] = []
    ended: list[str] = []
    calls = asked(
        ("read", path("a")),
        ("nonsense", "{}"),
        ("read", "{not json"),
        ("read", '{"times": "many"}'),
        ("fail", path("told")),
        ("fail", path("x")),
        ("write", path("b")),
    )
    results = await execute(
        calls,
        recorder.tools(),
        on_start=lambda call: started.append(call.id),
        on_result=lambda call, message: ended.append(message.tool_call_id or ""),
    )
    assert [result.tool_call_id for result in results] == [call.id for call in calls]
    assert [result.is_error for result in results] == [False, True, True, True, True, True, False]
    texts = [result.text for result in results]
    assert texts[0] == "a" and texts[6] == '{"written":"b"}'
    assert "no tool 'nonsense'" in texts[1] and "deploy" in texts[1]
    assert "not valid JSON" in texts[2]
    assert "path: Field required" in texts[3] and "times" in texts[3]
    assert texts[4].startswith("There is no such file")
    assert "ZeroDivisionError" in texts[5] and "sk-secret" not in texts[5]
    assert sorted(started) == sorted(ended) == [call.id for call in calls], "each begins and ends for whoever watches"


async def test_independent_calls_run_together_and_conflicting_ones_in_order() -> None:
    recorder = Recorder()
    await execute(asked(("read", path("a")), ("read", path("b")), ("write", path("c"))), recorder.tools())
    assert all(line.startswith("+") for line in recorder.log[:3])
    recorder.log.clear()
    await execute(asked(("write", path("a")), ("read", path("a")), ("write", path("a"))), recorder.tools())
    assert recorder.log == ["+write a", "-write a", "+read a", "-read a", "+write a", "-write a"]
    recorder.log.clear()
    await execute(asked(("write", path("a")), ("write_all", path("z")), ("read", path("b"))), recorder.tools())
    assert recorder.log == ["+write a", "-write a", "+write z", "-write z", "+read b", "-read b"]
    recorder.log.clear()
    await execute(asked(("deploy", path("x")), ("read", path("b"))), recorder.tools())
    assert recorder.log == ["+write x", "-write x", "+read b", "-read b"]


def test_conflicts() -> None:
    assert not conflict("reads", ["a"], "reads", ["a"])
    assert conflict("reads", ["a"], "writes", ["a"])
    assert not conflict("writes", ["a"], "writes", ["b"])
    assert conflict("writes", EVERYTHING, "reads", ["b"])
    assert conflict("writes", ["file:src/*"], "writes", ["file:src/lib/*"])
    assert not conflict("none", EVERYTHING, "writes", EVERYTHING)
    assert conflict("exclusive", [], "none", [])


async def test_long_results_are_cut_in_the_middle() -> None:
    (result,) = await execute(asked(("read", '{"path": "0123456789", "times": 50}')), Recorder().tools())
    assert len(result.text) < 160 and "400 characters left out" in result.text
    assert result.text.startswith("0123456789") and result.text.endswith("0123456789")


async def test_cancelling_cancels_the_handlers() -> None:
    gone = asyncio.Event()

    async def wait(given: Path) -> str:
        try:
            await asyncio.sleep(60)
        finally:
            gone.set()
        return ""

    tool = Tool("wait", "Wait.", Path, wait)
    task = asyncio.ensure_future(execute(asked(("wait", path("a"))), [tool]))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone.is_set()


class Script:
    """A model that says what it was told to say, turn by turn."""

    def __init__(self, *turns: list[ToolCall] | str, reason: FinishReason = "stop") -> None:
        self.turns = list(turns)
        self.reason = reason
        self.calls: list[ModelCall] = []

    async def ask(self, call: ModelCall) -> AsyncGenerator[Delta, None]:
        self.calls.append(call)
        turn = self.turns[min(len(self.calls), len(self.turns)) - 1]
        if isinstance(turn, str):
            yield TextDelta(turn)
        else:
            for index, each in enumerate(turn):
                yield ToolCallDone(index, each)
        yield Finish(self.reason, Usage(10, 0, 0, 5, 0))


CALL = ModelCall(action=ActionKey.CONVERSATION, messages=(Message(role="user", content="Go."),), call_number=3)


async def test_a_loop_until_the_model_answers() -> None:
    script = Script(asked(("read", path("a"))), "It says a.")
    result = await loop(script.ask, CALL, Recorder().tools())
    assert (result.stopped, result.text, result.turns) == ("answered", "It says a.", 2)
    assert result.usage == Usage(20, 0, 0, 10, 0)
    assert [message.role for message in result.messages] == ["assistant", "tool", "assistant"]
    assert [call.call_number for call in script.calls] == [3, 4]
    assert script.calls[1].messages == (*CALL.messages, *result.messages[:2])
    assert CALL.messages == (Message(role="user", content="Go."),), "the caller's history is not changed"


async def test_the_third_identical_call_ends_the_loop_unrun() -> None:
    recorder = Recorder()
    script = Script(
        asked(("read", '{"path": "a", "times": 1}')),
        asked(("read", '{"times": 1, "path": "a"}')),
        asked(("read", '{"path":"a","times":1}')),
    )
    result = await loop(script.ask, CALL, recorder.tools())
    assert result.stopped == "repeated_call" and "read" in result.detail
    assert recorder.log.count("+read a") == IDENTICAL - 1


async def test_a_repeated_call_has_its_result_too() -> None:
    script = Script(
        asked(("read", path("a"))), asked(("read", path("a"))), asked(("read", path("a")), ("read", path("b")))
    )
    result = await loop(script.ask, CALL, Recorder().tools())
    assert result.stopped == "repeated_call"
    assert [message.role for message in result.messages[-3:]] == ["assistant", "tool", "tool"]
    assert [message.tool_call_id for message in result.messages[-2:]] == ["c0", "c1"]
    assert all(message.is_error for message in result.messages[-2:])


async def test_a_call_after_a_change_is_not_a_repetition() -> None:
    recorder = Recorder()
    turns: list[list[ToolCall]] = []
    for fix in ("x", "y", "z"):
        turns += [asked(("read", path("a"))), asked(("write", path(fix)))]
    result = await loop(Script(*turns, "Done.").ask, CALL, recorder.tools())
    assert result.stopped == "answered" and recorder.log.count("+read a") == 3


async def test_a_failed_change_and_the_same_change_again_are_no_change() -> None:
    failing = [turn for _ in range(9) for turn in (asked(("read", path("a"))), asked(("write", '{"no": 1}')))]
    assert (await loop(Script(*failing).ask, CALL, Recorder().tools(), depth=18)).stopped == "repeated_call"
    circling = [turn for _ in range(9) for turn in (asked(("deploy", path("a"))), asked(("write", path("b"))))]
    assert (await loop(Script(*circling).ask, CALL, Recorder().tools(), depth=18)).stopped == "repeated_call"


async def test_a_completion_tool_ends_the_loop() -> None:
    result = await loop(Script(asked(("finish", path("yes")))).ask, CALL, Recorder().tools())
    assert (result.stopped, result.detail) == ("completed", "all done: yes")


async def test_the_depth_of_the_action_ends_the_loop() -> None:
    script = Script(*(asked(("read", path(str(number)))) for number in range(50)))
    result = await loop(script.ask, CALL, Recorder().tools())
    assert (result.stopped, result.turns) == ("depth", 7)
    script = Script(*(asked(("read", path(str(number)))) for number in range(50)))
    assert (await loop(script.ask, CALL, Recorder().tools(), depth=2)).turns == 2


async def test_calls_of_a_truncated_answer_are_not_run() -> None:
    recorder = Recorder()
    result = await loop(Script(asked(("write", path("a"))), reason="length").ask, CALL, recorder.tools())
    assert result.stopped == "length" and recorder.log == []


async def test_a_failing_call_is_the_callers_to_see() -> None:
    async def broken(call: ModelCall) -> AsyncGenerator[Delta, None]:
        yield TextDelta("half")
        raise StreamBroken("cut")

    with pytest.raises(StreamBroken):
        await loop(broken, CALL, Recorder().tools())
