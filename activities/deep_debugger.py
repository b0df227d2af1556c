"""Find the cause of what is wrong, and mend it: a model with tools that read, look, try and change little."""

from temporalio import activity

from activities.context import Rooms
from activities.material import blueprint_of, describe, message_texts, template_named
from activities.project_files import changes_of
from activities.step import Step, running
from activities.tool_turns import Conversation, digest
from activities.tools import DEBUGGER_TOOLS, Bench, ToolFailed, parse, summary_of
from activities.tools.diagnosis import Report
from codegen.prompts import render
from inference import agents
from schemas.inference import ActionKey, Message, ToolCall
from schemas.session import ChatMessage
from schemas.tool_turns import DebugInput, DebugResult

ACTION = ActionKey.DEEP_DEBUGGER
SAME = 3  # calls with one result that end the search
SILENT = "You called no tool. Go on searching, or report."
LAST = "This is your last turn: report what you know."
NOTHING = "The debugger did not come to a result."
OFF = "The debugger is switched off in your settings, so nobody looked for the cause."


class DeepDebuggerActivities:
    """The deep debugger."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="debug_deeply")
    async def debug(self, given: DebugInput) -> DebugResult:
        """Search until the model reports. Another attempt goes on from the transcript of the one before."""
        async with running(self._rooms, given) as step:
            access = await step.model_access()
            report = await _Search(step, given).run() if access.enabled(ACTION) else None
            diagnosis = report.diagnosis if report else NOTHING if access.enabled(ACTION) else OFF
            await step.say(
                ChatMessage(id=f"{step.id}/diagnosis", role="assistant", text=diagnosis, at=given.operation.since)
            )
            files, deleted = await changes_of(self._rooms, given.session_id, step.id)
            seq, usage = await step.ended()
            return DebugResult(
                last_seq=seq,
                usage=usage,
                files=files,
                deleted=deleted,
                diagnosis=diagnosis,
                solved=report is not None and report.solved,
            )


class _Search:
    """One search. Its thread is the step's."""

    def __init__(self, step: Step, given: DebugInput) -> None:
        self._step = step
        self._given = given
        self._conversation = Conversation(step, ACTION, step.id, DEBUGGER_TOOLS)
        self._results: list[str] = []

    async def run(self) -> Report | None:
        """The debugger's report; None where it ends without one."""
        system, opening = await self._opening()
        await self._conversation.tell("opening", opening.text)
        depth = agents.depth(ACTION)
        silent = False
        for number in range(1, depth + 1):
            turn = f"{self._step.id}/turn-{number}"
            if number == depth:
                await self._conversation.tell(f"{turn}/last", LAST)
            said, cut = await self._conversation.turn(turn, system, call_number=number)
            if said.text.strip():
                await self._step.say(
                    ChatMessage(id=turn, role="assistant", text=said.text, at=self._given.operation.since)
                )
            if not said.tool_calls and not cut:
                if silent:
                    return None
                silent = True
                await self._conversation.tell(f"{turn}/silent", SILENT)
                continue
            for index, call in enumerate(said.tool_calls):
                if await self._use(f"{turn}/tool-{index}", call):
                    return await self._report(call)
            if self._in_circles():
                return None
        return None

    async def _opening(self) -> tuple[Message, Message]:
        rooms, given = self._step.rooms, self._given
        session = await rooms.sessions.get(given.session_id)
        blueprint = await blueprint_of(rooms, given.session_id)
        system, opening = render(
            "deep_debugger",
            template=template_named(rooms, given.template),
            request=session.prompt,
            blueprint=blueprint.model_dump_json(indent=1) if blueprint else None,
            files=[file.path for file in await rooms.files.current(given.session_id)],
            issues=describe(given.issues),
            messages=await message_texts(rooms, given.session_id, given.message_ids),
        )
        return system, opening

    async def _use(self, operation_id: str, call: ToolCall) -> bool:
        """Carry out a call, unless that is done. True when it ended the search."""
        if (known := await self._conversation.said(operation_id)) is not None:
            self._results.append(digest(call, known.text))
            return call.name == Report.name and not known.is_error
        bench = Bench(
            step=self._step,
            template=self._given.template,
            phase_id=self._given.phase_id,
            reason=f"Debugging: {summary_of(call, DEBUGGER_TOOLS)}",
            action=ACTION,
            author="fix",
            one_call=False,
        )
        result, _ = await self._conversation.use(operation_id, bench, call)
        self._results.append(digest(call, result.text))
        return result.completed

    async def _report(self, call: ToolCall) -> Report | None:
        try:
            report = parse(call, DEBUGGER_TOOLS)
        except ToolFailed:
            return None
        return report if isinstance(report, Report) else None

    def _in_circles(self) -> bool:
        return bool(self._results) and self._results.count(self._results[-1]) >= SAME
