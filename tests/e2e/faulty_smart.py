"""The sessions of `faulty` in smart mode: what is written wrong with tools and declared done is mended, when checks, a
review, a look at the pictures or a person tell the model what is wrong."""

from codegen.edits import read_edits
from schemas.recording import Exchange, Match, RecordedToolCall, Recording, Reply
from tests.e2e import faulty
from tests.e2e.faulty import CLEAN_LOOK, CLEAN_REVIEW, LOGIC, README, SUM, Faulty, block, says


def prompt(session: Faulty) -> str:
    return f"Build the smart {session.name} page"


def right(session: Faulty) -> dict[str, str]:
    """The files that change, as they should be."""
    files = dict(session.files)
    for fix in session.fixes:
        for path in session.files:
            edited = read_edits(fix, path, files)
            if edited.applied:
                assert edited.ok, edited.failed
                files[path] = edited.text
    files |= session.right
    return {path: text for path, text in files.items() if text != session.files[path]}


def recording(session: Faulty) -> Recording:
    """The session as the demo model plays it."""
    name = session.name.replace(" ", "_")
    choice = {"template": "react-vite", "title": session.name, "complexity": "simple"}
    return Recording(
        title=f"Smart {session.name}",
        example_prompt=prompt(session),
        match=[f"smart {session.name} page"],
        by_order=True,
        exchanges=[
            says("template_selection", choice),
            turn("", [*written(session.files, f"{name}_w"), done(f"{name}_done")]),
            turn(f"{name}_done", [*written(right(session), f"{name}_m"), done(f"{name}_done2")]),
            *(says("code_review", review) for review in (*session.reviews, CLEAN_REVIEW)),
            *(says("screenshot_analysis", look) for look in (*session.looks, CLEAN_LOOK)),
            says("readme", README),
            says("readme", README),
            *(complaint() if session is LOGIC else ()),
        ],
    )


def complaint() -> list[Exchange]:
    """What is said of the wrong total: the talk queues the change, the builder reads the file and mends it."""
    talk = [exchange for exchange in LOGIC.more if exchange.action == "conversation"]
    mend = call("l_edit", "edit_file", path=SUM, blocks=block("  return price + count", "  return price * count"))
    return [*talk, turn("", [mend, done("l_done")], user_message=["total is wrong"])]


def turn(after: str, calls: list[RecordedToolCall], **match: object) -> Exchange:
    return Exchange(
        action="smart_builder",
        match=Match.model_validate({"after_tool_call": after, **match}),
        reply=Reply(text="I go on.", tool_calls=calls),
    )


def call(call_id: str, name: str, **arguments: object) -> RecordedToolCall:
    return RecordedToolCall.model_validate({"id": call_id, "name": name, "arguments": arguments})


def written(files: dict[str, str], prefix: str) -> list[RecordedToolCall]:
    return [
        call(f"{prefix}{number}", "write_file", path=path, content=text)
        for number, (path, text) in enumerate(files.items())
    ]


def done(call_id: str) -> RecordedToolCall:
    return call(call_id, "complete", summary="It does what was asked.")


SESSIONS = faulty.SESSIONS
