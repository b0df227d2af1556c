"""Choose the template that a session starts from, and lay its files down."""

from temporalio import activity

from activities.context import Rooms
from activities.model_call import complete_model
from activities.project_files import file_ref
from activities.step import Step, fail, running
from codegen.prompts import render
from schemas.blueprint import Complexity, TemplateChoice
from schemas.events import FileGenerated
from schemas.failures import Failure
from schemas.inference import ActionKey
from schemas.operations import TemplateSelectionInput, TemplateSelectionResult
from schemas.session import FileRef

PLAINEST = "static-html"


class TemplateSelectionActivities:
    """Asks a model unless the user named the template."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="choose_template")
    async def choose(self, given: TemplateSelectionInput) -> TemplateSelectionResult:
        """Choose a template and store its files as the session's first versions.

        Raises `unknown_template` when the user named one that does not exist.
        """
        async with running(self._rooms, given) as step:
            known = {template.name for template in self._rooms.sandbox.templates()}
            if given.template is not None and given.template not in known:
                raise fail(
                    Failure(
                        code="unknown_template",
                        sentence=f"There is no template “{given.template}”.",
                        next_action=f"Choose one of: {', '.join(sorted(known))}.",
                    )
                )
            session = await self._rooms.sessions.get(given.session_id)
            name, title = given.template, session.title
            complexity: Complexity = "moderate"
            if name is None:
                choice = await self._ask(step, session.prompt)
                name = choice.template if choice.template in known else PLAINEST if PLAINEST in known else min(known)
                title, complexity = choice.title, choice.complexity
            files = await self._lay_down(step, name)
            await self._rooms.sessions.set_title(given.session_id, title)
            await self._rooms.sessions.set_template(given.session_id, name)
            seq, usage = await step.ended()
            return TemplateSelectionResult(
                last_seq=seq, usage=usage, template=name, title=title, files=files, complexity=complexity
            )

    async def _ask(self, step: Step, request: str) -> TemplateChoice:
        messages = render("template_selection", templates=self._rooms.sandbox.templates(), request=request)
        return await complete_model(step, ActionKey.TEMPLATE_SELECTION, messages, TemplateChoice)

    async def _lay_down(self, step: Step, template: str) -> list[FileRef]:
        stored = []
        for path, content in sorted(self._rooms.sandbox.template_files(template).items()):
            version = await self._rooms.files.put(
                step.session_id,
                path,
                content,
                author="template",
                reason=f"Template {template}",
                operation_id=step.id,
            )
            ref = file_ref(version)
            step.emit(FileGenerated(operation_id=step.id, file=ref))
            stored.append(ref)
        return stored
