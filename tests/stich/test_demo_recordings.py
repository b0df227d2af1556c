"""The built-in recordings, played through the real prompts: what they plan is what they write, and it fits together."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from codegen.prompts import render
from codegen.scof import FileClosed, FileOpened, Finished, Refused, ScofParser
from sandbox.catalogue import Template, template
from schemas.blueprint import Blueprint, PhasePlan, TemplateChoice
from schemas.inference import Message
from schemas.recording import Recording, Reply
from schemas.review import CodeReview, ScreenJudgement
from stich.demo.library import Library
from stich.demo.prompt import ChatRequest, Metadata, read_prompt
from stich.demo.recording import BUILT_IN, RecordingInvalid, load, load_all

RECORDINGS = load_all(BUILT_IN)
DARK = "Add dark mode, please"


class Play:
    """A session with the demo model: asks it as the activities do and keeps the files it writes."""

    def __init__(self, request: str) -> None:
        self.library = Library(RECORDINGS)
        self.template: Template = template("react-vite")
        self.files = {path: content.decode() for path, content in self.template.files.items()}
        self.request = request
        self.blueprint: Blueprint | None = None
        self.done: list[PhasePlan] = []

    def answer(self, action: str, messages: tuple[Message, ...]) -> Reply:
        chat = ChatRequest.model_validate({"model": "demo", "messages": [m.model_dump() for m in messages]})
        prompt = read_prompt(chat, Metadata(session="s", operation="o", action=action))
        return self.library.answer(prompt)[0]

    def text(self, action: str, template_name: str, **values: object) -> str:
        reply = self.answer(action, render(template_name, **values))
        assert reply.text is not None, reply.error
        return reply.text

    def start(self) -> None:
        templates = [self.template.info]
        choice = self.text("template_selection", "template_selection", templates=templates, request=self.request)
        assert TemplateChoice.model_validate_json(choice).template == self.template.info.name
        text = self.text(
            "blueprint", "blueprint", template=self.template.info, request=self.request, max_phases=10, candidate=None
        )
        self.blueprint = Blueprint.model_validate_json(text)

    @property
    def project(self) -> dict[str, object]:
        return {"template": self.template.info, "files": self.files, "omitted": []}

    def plan(self, messages: list[str] | None = None) -> PhasePlan | None:
        assert self.blueprint is not None
        phase_id = f"phase-{len(self.done) + 1}"
        reply = self.answer(
            "phase_generation",
            render(
                "phase_generation",
                **self.project,
                request=self.request,
                blueprint=self.blueprint.model_dump_json(indent=1),
                done=self.done,
                issues=[],
                messages=messages or [],
                missing=[],
                remaining=3,
                phase_id=phase_id,
            ),
        )
        return PhasePlan.model_validate_json(reply.text) if reply.text is not None else None

    def implement(
        self, plan: PhasePlan, messages: list[str] | None = None, already: list[str] | None = None
    ) -> set[str]:
        """Write the phase's files; returns their paths."""
        assert self.blueprint is not None
        first = not self.done
        text = self.text(
            "first_phase_implementation" if first else "phase_implementation",
            "phase_implementation",
            **self.project,
            request=self.request,
            blueprint=self.blueprint.model_dump_json(indent=1),
            issues=[],
            messages=messages or [],
            phase_id=f"phase-{len(self.done) + 1}",
            plan=plan.model_dump_json(indent=1),
            missing=[],
            candidate=None,
            write_only=[],
            already_written=already or [],
        )
        return self.apply(text)

    def fix(self, plan: PhasePlan, issue: str) -> set[str]:
        values = {"phase_id": f"phase-{len(self.done) + 1}", "plan": plan.model_dump_json(indent=1)}
        return self.apply(
            self.text(
                "fast_code_fixer", "fast_code_fixer", **self.project, **values, issues=[issue], already_written=[]
            )
        )

    def look(self, plan: PhasePlan) -> ScreenJudgement:
        """What the pictures of a phase show."""
        assert self.blueprint is not None
        answer = self.text(
            "screenshot_analysis",
            "screenshot_analysis",
            request=self.request,
            blueprint=self.blueprint.model_dump_json(indent=1),
            paths=sorted(self.files),
            phase_id=f"phase-{len(self.done)}",
            plan=plan.model_dump_json(indent=1),
            pictures=["desktop, 1280 by 800 pixels"],
        )
        return ScreenJudgement.model_validate_json(answer)

    def review(self, plan: PhasePlan) -> CodeReview:
        """What is said of the code after a phase."""
        assert self.blueprint is not None
        answer = self.text(
            "code_review",
            "code_review",
            **self.project,
            request=self.request,
            blueprint=self.blueprint.model_dump_json(indent=1),
            messages=[],
            earlier=[],
            whole=True,
            phase_id=f"phase-{len(self.done)}",
            plan=plan.model_dump_json(indent=1),
            files_in_question=[file.path for file in plan.files],
        )
        return CodeReview.model_validate_json(answer)

    def say(self, message: str) -> Reply:
        return self.answer(
            "conversation",
            render("conversation", request=self.request, situation="Working.", errors=[], history=[], message=message),
        )

    def apply(self, scof: str) -> set[str]:
        """Take over the files of an answer, which must be clean SCOF; returns their paths."""
        parser = ScofParser(
            existing=self.files, protected=[path for path in self.files if self.template.protects(path)]
        )
        written = set()
        for event in [*parser.feed(scof), *parser.finish()]:
            assert not isinstance(event, Refused), event
            if isinstance(event, FileOpened):
                assert event.purpose, f"{event.path} comes without its purpose"
            elif isinstance(event, FileClosed):
                assert re.fullmatch(r"src/[\w./-]+\.(tsx?|css)", event.path)
                assert event.content != self.files.get(event.path), f"{event.path} does not change"
                self.files[event.path] = event.content
                written.add(event.path)
            elif isinstance(event, Finished):
                assert event.truncated is None
        return written


def imports_of(path: str, text: str) -> Iterator[str]:
    """The project files that a file imports, as paths without their ending."""
    for name in re.findall(r"from '(\.[^']+)'", text):
        yield str((Path("/") / Path(path).parent / name).resolve()).lstrip("/")


def complete(play: Play, plan: PhasePlan, written: set[str]) -> None:
    """The phase wrote what it planned, and every import of a project file leads somewhere."""
    assert written == {file.path for file in plan.files}
    play.done.append(plan)
    seen = play.look(plan)
    assert seen.matches and seen.summary
    assert all(issue.severity == "warning" and issue.file in play.files for issue in seen.issues)
    if plan.last:
        review = play.review(plan)
        assert review.summary and not review.missing_dependencies
        for reviewed in review.files:
            lines = play.files[reviewed.path].splitlines()
            assert all(finding.line and lines[finding.line - 1].strip() for finding in reviewed.findings)
            assert all(finding.severity == "warning" for finding in reviewed.findings)
    stems = {path.rsplit(".", 1)[0] for path in play.files} | set(play.files)
    for path, text in play.files.items():
        if path.startswith("src/"):
            assert [name for name in imports_of(path, text) if name not in stems] == []


BIG = [recording.example_prompt for recording in RECORDINGS if recording.follow_ups]


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.title)
def test_the_example_prompt_starts_its_own_recording(recording: Recording) -> None:
    play = Play(recording.example_prompt)
    play.start()
    assert play.blueprint is not None
    plan = play.blueprint.first_phase
    complete(play, plan, play.implement(plan))
    assert plan.last == (not recording.follow_ups)


def built(request: str, messages: list[str] | None = None) -> Play:
    """All planned phases with their repairs; the messages are read when the second phase is planned."""
    play = Play(request)
    play.start()
    assert play.blueprint is not None
    plan: PhasePlan | None = play.blueprint.first_phase
    repairs = repairs_of(request)
    while plan is not None:
        assert len(play.done) < 6
        written = play.implement(plan)
        for path in written & repairs.keys():
            assert path in play.fix(plan, f"{path}:12 error {repairs.pop(path)}: Types do not fit.")
        complete(play, plan, written)
        plan = None if plan.last else play.plan(messages)
        messages = None
    assert not repairs
    return play


def repairs_of(request: str) -> dict[str, str]:
    """The errors that were recorded: path and code."""
    recording = next(recording for recording in RECORDINGS if recording.example_prompt == request)
    return {e.match.contains[0]: e.match.contains[1] for e in recording.exchanges if e.action == "fast_code_fixer"}


@pytest.mark.parametrize("request_text", BIG)
def test_three_phases_a_repair_and_dark_mode(request_text: str) -> None:
    play = built(request_text)
    assert [plan.last for plan in play.done] == [False, False, True]
    reply = play.say(DARK)
    assert reply.text and reply.tool_calls[0].name == "queue_change"
    dark = play.plan([DARK])
    assert dark is not None and dark.name == "Dark mode"
    complete(play, dark, play.implement(dark, [DARK]))
    assert "html.dark" in play.files["src/index.css"]
    assert play.plan(["thanks"]) is None


@pytest.mark.parametrize("request_text", BIG)
def test_dark_mode_asked_for_early_comes_after_what_is_planned(request_text: str) -> None:
    play = built(request_text, [DARK])
    assert [plan.name for plan in play.done][3:] == ["Dark mode"]
    assert [plan.last for plan in play.done] == [False, False, False, True]


@pytest.mark.parametrize("request_text", BIG)
def test_an_interrupted_phase_goes_on_with_the_missing_files(request_text: str) -> None:
    play = Play(request_text)
    play.start()
    assert play.blueprint is not None
    plan = play.blueprint.first_phase
    paths = [file.path for file in plan.files]
    assert play.implement(plan, already=paths[:2]) == set(paths[2:])


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.title)
def test_answers_obvious_questions_and_owns_up_to_the_rest(recording: Recording) -> None:
    play = Play(recording.example_prompt)
    assert "demo model" in (play.say("What can you do?").text or "")
    assert "demo model" in (play.say("what are you doing").text or "")
    unknown = play.say("Paint everything purple")
    assert unknown.tool_calls == []
    assert all(other.example_prompt in (unknown.text or "") for other in RECORDINGS)


def index(reply: str, **more: object) -> str:
    head = json.dumps({"title": "x", "example_prompt": "x", **more})
    return f'{head[:-1]}, "exchanges": [{{"action": "a", "reply": {reply}}}]}}'


@pytest.mark.parametrize(
    ("index", "fault"),
    [
        ("{", "top level"),
        (index("{}"), "a reply needs text"),
        (index('{"text": "x"}', titel=1), "titel: Extra inputs"),
        (index('{"text_file": "../x"}'), "inside the recording's folder"),
        (index('{"text_file": "x.txt"}'), "exchanges.0: text_file x.txt cannot be read"),
        (index('{"text": "", "text_file": "x"}'), "not both"),
        (index('{"text": "", "error": {"status": 500, "message": "x"}}'), "not both"),
        (index('{"error": {"status": 200, "message": "x"}}'), "greater than or equal to 400"),
    ],
)
def test_a_faulty_recording_is_refused_with_its_place(index: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "recording.json").write_text(index)
    with pytest.raises(RecordingInvalid, match=re.escape(fault)) as refused:
        load(tmp_path)
    assert "recording.json" in str(refused.value)


def test_a_recording_names_only_what_its_format_has() -> None:
    with pytest.raises(ValidationError):
        Recording.model_validate(
            {"title": "x", "example_prompt": "x", "exchanges": [{"action": "a", "match": {"x": 1}}]}
        )
    assert all(json.loads((path / "recording.json").read_text()) for path in BUILT_IN.iterdir() if path.is_dir())
