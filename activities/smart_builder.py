"""One turn of the model that drives a session, and one use of a tool."""

from temporalio import activity

from activities.context import Rooms
from activities.images import pictures
from activities.material import asked_for, blueprint_of, describe, template_named
from activities.project_files import changes_of
from activities.step import Step, fail, running
from activities.tool_turns import Conversation, digest
from activities.tools import BUILDER_TOOLS, Bench, Result, Tools, summary_of
from activities.tools.external import PREFIX, external_tools
from codegen.prompts import fenced, render
from schemas.failures import Failure
from schemas.inference import ActionKey, ImagePart, Message, ToolCall
from schemas.session import ChatMessage
from schemas.tool_turns import BuilderTurnInput, BuilderTurnResult, ToolInput, ToolRequest, ToolResult
from storage.images import PROMPT

OPENING = "opening"
REMEMBERED = 12  # turns of the conversation that a later round begins with


class SmartBuilderActivities:
    """Turns and tools. The transcript lives in storage; the workflow sees names and summaries only."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="builder_turn")
    async def turn(self, given: BuilderTurnInput) -> BuilderTurnResult:
        """Tell the model what is new, and let it speak and choose tools."""
        async with running(self._rooms, given) as step:
            tools = await self._tools()
            conversation = Conversation(step, ActionKey.SMART_BUILDER, given.phase_id, tools)
            system, opening = await self._opening(given)
            await conversation.tell(OPENING, opening.text)
            await self._tell_news(conversation, given)
            shown: tuple[ImagePart, ...] = ()
            if given.turn == 1 or await step.reads_images(
                ActionKey.SMART_BUILDER
            ):  # a model that does not says so once
                shown = await pictures(step, ActionKey.SMART_BUILDER, [PROMPT, *given.message_ids])
            said, cut = await conversation.turn(step.id, system, images=shown)
            if said.text.strip():
                await step.say(ChatMessage(id=step.id, role="assistant", text=said.text, at=given.operation.since))
            seq, usage = await step.ended()
            calls = [_request(call, index, tools) for index, call in enumerate(said.tool_calls)]
            return BuilderTurnResult(last_seq=seq, usage=usage, calls=calls, cut=cut)

    async def _tools(self) -> Tools:
        """The builder's own, and those of the programs that the operator allows."""
        return {**BUILDER_TOOLS, **await external_tools(self._rooms.mcp)}

    async def _opening(self, given: BuilderTurnInput) -> tuple[Message, Message]:
        """The system message, and the user's with which the thread of a phase begins: it is kept as it first was."""
        rooms = self._rooms
        session = await rooms.sessions.get(given.session_id)
        blueprint = await blueprint_of(rooms, given.session_id)
        turns = [turn.message for turn in await rooms.messages.list(given.session_id)]
        system, opening = render(
            "smart_builder",
            template=template_named(rooms, given.template),
            request=session.prompt,
            blueprint=blueprint.model_dump_json(indent=1) if blueprint else None,
            files=[file.path for file in await rooms.files.current(given.session_id)],
            history=[turn for turn in turns if turn.id not in given.message_ids][-REMEMBERED:],
        )
        return system, opening

    async def _tell_news(self, conversation: Conversation, given: BuilderTurnInput) -> None:
        turns = {turn.message.id: turn for turn in await self._rooms.messages.list(given.session_id)}
        for message_id in given.message_ids:
            if message_id in turns:
                await conversation.tell(f"message/{message_id}", fenced(asked_for(turns[message_id]), "user_message"))
        news = [fenced(line, "issue") for line in describe(given.issues)]
        if news:
            news.insert(0, "You declared the work done, but the checks find this:")
        if news := [*news, *given.notes]:
            await conversation.tell(f"{given.operation.id}/news", "\n".join(news))

    @activity.defn(name="use_tool")
    async def use_tool(self, given: ToolInput) -> ToolResult:
        """Carry out one tool call, once. Whatever goes wrong with it is told to the model as the tool's result."""
        async with running(self._rooms, given) as step:
            tools = await self._tools() if given.call.name.startswith(PREFIX) else BUILDER_TOOLS
            conversation = Conversation(step, ActionKey.SMART_BUILDER, given.phase_id, tools)
            call = await self._call(conversation, given)
            begun = await self._rooms.operations.begin(given.session_id, step.id)
            if begun.result is not None:
                kept = ToolResult.model_validate_json(begun.result)
                seq, usage = await step.ended()
                return kept.model_copy(update={"last_seq": seq, "usage": usage})
            bench = Bench(
                step=step,
                template=given.template,
                phase_id=given.phase_id,
                reason=given.call.summary,
                action=ActionKey.SMART_BUILDER,
            )
            result, failed = await conversation.use(step.id, bench, call)
            outcome = await self._outcome(step, call, result, failed)
            await self._rooms.operations.finish(given.session_id, step.id, outcome.model_dump_json())
            kind = tools.get(call.name)
            seq, usage = await step.ended(kind.calls if kind is not None else None)
            return outcome.model_copy(update={"last_seq": seq, "usage": usage})

    async def _call(self, conversation: Conversation, given: ToolInput) -> ToolCall:
        said = await conversation.said(given.turn_id)
        if said is None or given.call.index >= len(said.tool_calls):
            raise fail(Failure(code="call_missing", sentence="The transcript of this turn is not there."))
        return said.tool_calls[given.call.index]

    async def _outcome(self, step: Step, call: ToolCall, result: Result, failed: bool) -> ToolResult:
        files, deleted = await changes_of(self._rooms, step.session_id, step.id)
        return ToolResult(
            last_seq=0,
            outcome="error" if failed else "completed" if result.completed else "ok",
            digest=digest(call, result.text),
            files=files,
            deleted=deleted,
            question=result.question,
            blueprint=result.blueprint,
            preview=result.preview,
            report=result.report,
            screenshots=result.screenshots,
        )


def _request(call: ToolCall, index: int, tools: Tools) -> ToolRequest:
    kind = tools.get(call.name)
    return ToolRequest(
        id=call.id,
        name=call.name[:100],
        summary=summary_of(call, tools),
        index=index,
        queue=kind.queue if kind is not None else "inference",
        effect=kind.effect if kind is not None else "none",
    )
