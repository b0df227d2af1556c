"""One turn of the model that drives a session, and one use of a tool."""

from pydantic import ValidationError
from temporalio import activity

from activities.builder_tools import (
    TOOLS,
    BuilderTool,
    Complete,
    DeleteFile,
    EditFile,
    InstallPackages,
    ListFiles,
    ReadFile,
    RunChecks,
    SearchFiles,
    WriteFile,
)
from activities.context import Rooms
from activities.images import pictures, with_images
from activities.material import describe, gather, message_texts
from activities.model_call import stream_model
from activities.project_files import ProjectFiles, changes_of
from activities.project_setup import store_packages
from activities.step import Step, running
from activities.workspace import workspace_of
from codegen.prompts import fenced, render
from codegen.search_replace import apply_search_replace
from sandbox import SandboxError, Workspace
from schemas.events import ConversationDelta
from schemas.inference import ActionKey, Answer, Finish, Message, TextDelta, ToolCall, ToolCallDone, ToolSpec
from schemas.operations import BuilderTurnInput, BuilderTurnResult, ToolInput, ToolRequest, ToolResult
from schemas.session import ChatMessage
from storage.images import PROMPT

SPECS = tuple(
    ToolSpec(name=tool.name, description=tool.__doc__ or "", parameters=tool.model_json_schema())
    for tool in TOOLS.values()
)
MAX_RESULT = 20_000  # characters of one tool's result that the model sees
MAX_HITS = 100


class SmartBuilderActivities:
    """Turns and tools. The transcript lives in storage; the workflow sees names and summaries only."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="builder_turn")
    async def turn(self, given: BuilderTurnInput) -> BuilderTurnResult:
        """Let the model speak and choose tools. A turn that was taken already is not paid for again."""
        async with running(self._rooms, given) as step:
            said = await self._rooms.transcripts.said(given.session_id, given.phase_id, step.id)
            if said is None:
                said = await self._ask(step, given)
                await self._rooms.transcripts.append(given.session_id, given.phase_id, step.id, said)
            if said.text.strip():
                await step.say(ChatMessage(id=step.id, role="assistant", text=said.text, at=given.operation.since))
            seq, usage = await step.ended()
            calls = [
                ToolRequest(id=call.id, name=call.name, summary=_summary_of(call)[:200]) for call in said.tool_calls
            ]
            return BuilderTurnResult(last_seq=seq, usage=usage, calls=calls)

    async def _ask(self, step: Step, given: BuilderTurnInput) -> Message:
        rooms = self._rooms
        material = await gather(rooms, given.session_id, given.template, [])
        opening = render(
            "smart_builder", template=material.template, request=material.request, turns=given.remaining_turns
        )
        thread = [_as_material(said) for said in await rooms.transcripts.messages(given.session_id, given.phase_id)]
        news = [
            fenced(text, "user_message") for text in await message_texts(rooms, given.session_id, given.message_ids)
        ]
        news += [fenced(line, "issue") for line in describe(given.issues)]
        if news:
            opening = (*opening, Message(role="user", content="\n\n".join(news)))
        shown = await pictures(step, ActionKey.SMART_BUILDER, [PROMPT, *given.message_ids])
        opening = with_images(opening, shown)
        answer = Answer()
        async for delta in stream_model(step, ActionKey.SMART_BUILDER, (*opening, *thread), tools=SPECS):
            if isinstance(delta, TextDelta):
                step.emit(
                    ConversationDelta(
                        operation_id=step.id, message_id=step.id, offset=len(answer.text), text=delta.text
                    )
                )
                answer.text += delta.text
            elif isinstance(delta, ToolCallDone):
                answer.tool_calls.append(delta.call)
            elif isinstance(delta, Finish):
                answer.finish = delta
        return answer.message()

    @activity.defn(name="use_tool")
    async def use_tool(self, given: ToolInput) -> ToolResult:
        """Carry out one tool call. Whatever goes wrong with it is told to the model as the tool's result."""
        async with running(self._rooms, given) as step:
            thread = await self._rooms.transcripts.messages(given.session_id, given.phase_id)
            call = next(call for said in reversed(thread) for call in said.tool_calls if call.id == given.call.id)
            use = _Use(self._rooms, step, given)
            text, failed = await use.run(call)
            await self._rooms.transcripts.append(
                given.session_id,
                given.phase_id,
                step.id,
                Message(role="tool", content=text[:MAX_RESULT], tool_call_id=call.id, name=call.name, is_error=failed),
            )
            files, deleted = await changes_of(self._rooms, given.session_id, step.id)
            seq, usage = await step.ended()
            return ToolResult(
                last_seq=seq,
                usage=usage,
                outcome="error" if failed else "completed" if use.completed else "ok",
                files=files,
                deleted=deleted,
            )


class _Use:
    """One tool call being carried out."""

    def __init__(self, rooms: Rooms, step: Step, given: ToolInput) -> None:
        self._rooms = rooms
        self._given = given
        self.files = ProjectFiles(
            step, given.template, phase_id=given.phase_id, reason=given.call.summary, author="model"
        )
        self._step = step
        self.completed = False

    async def run(self, call: ToolCall) -> tuple[str, bool]:
        """The result for the model, and whether it reports a failure."""
        try:
            tool = parse(call)
        except ValueError as error:
            return str(error), True
        try:
            return await self._carry_out(tool), False
        except (SandboxError, ValueError, LookupError) as error:
            return str(error), True

    async def _carry_out(self, tool: BuilderTool) -> str:
        contents = await self._rooms.files.contents(self._given.session_id)
        match tool:
            case ListFiles():
                return "\n".join(sorted(contents))
            case ReadFile():
                return contents[tool.path] if tool.path in contents else _missing(tool.path)
            case SearchFiles():
                return _search(contents, tool.text)
            case WriteFile():
                thread = await self._rooms.transcripts.messages(self._given.session_id, self._given.phase_id)
                shown = [said.text for said in thread if said.role == "tool" and said.name == ReadFile.name]
                await self.files.works_from(tool.path, shown)
                await self.files.write(tool.path, tool.content)
                return f"Wrote {tool.path}."
            case EditFile():
                return await self._edit(tool, contents)
            case DeleteFile():
                await self.files.delete([tool.path])
                return f"Deleted {tool.path}."
            case InstallPackages():
                workspace = await self._workspace()
                added = await workspace.install(tool.packages)
                await store_packages(self._step, workspace, self._given.phase_id)
                return f"Installed. Beside the template's packages the project now has: {', '.join(added)}"
            case RunChecks():
                workspace = await self._workspace()
                report = await workspace.check()
                return "\n".join(describe(report.issues)) or "The checks are clean."
            case Complete():
                self.completed = True
                await self._step.say(
                    ChatMessage(id=self._step.id, role="assistant", text=tool.text, at=self._given.operation.since)
                )
                return "Done."
        raise AssertionError(f"no way to carry out {tool.name}")

    async def _workspace(self) -> Workspace:
        return await workspace_of(self._rooms, self._given.session_id, self._given.template)

    async def _edit(self, tool: EditFile, contents: dict[str, str]) -> str:
        report = apply_search_replace(contents.get(tool.path, ""), tool.blocks)
        failed = [block for block in report.blocks if not block.applied]
        if failed:
            raise ValueError("\n".join(f"Block {block.number}: {block.reason}" for block in failed))
        await self.files.write(tool.path, report.text)
        return f"Edited {tool.path}."


def _as_material(said: Message) -> Message:
    """A turn as it is sent: what a tool gave is material like a file, whatever is written in it."""
    return said if said.role != "tool" else said.model_copy(update={"content": fenced(said.text, "output")})


def parse(call: ToolCall) -> BuilderTool:
    """The tool that a call means. Raises ValueError with a sentence for the model."""
    kind = TOOLS.get(call.name)
    if kind is None:
        raise ValueError(f"There is no tool {call.name!r}. The tools are: {', '.join(TOOLS)}.")
    try:
        return kind.model_validate_json(call.arguments or "{}")
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in error.errors())
        raise ValueError(f"These arguments of {call.name} cannot be used: {problems}.") from error


def _summary_of(call: ToolCall) -> str:
    try:
        return parse(call).summary()
    except ValueError:
        return f"Trying {call.name}"


def _missing(path: str) -> str:
    raise LookupError(f"There is no file {path!r}.")


def _search(contents: dict[str, str], text: str) -> str:
    hits = [
        f"{path}:{number}: {line.strip()[:200]}"
        for path, content in sorted(contents.items())
        for number, line in enumerate(content.splitlines(), 1)
        if text in line
    ]
    more = f"\n... and {len(hits) - MAX_HITS} more" if len(hits) > MAX_HITS else ""
    return "\n".join(hits[:MAX_HITS]) + more if hits else "No line contains this."
