"""Judging pictures: they are sent, what a model sees becomes issues, and without eyes nothing is claimed."""

import json
from typing import Any

import pytest
from pydantic import SecretStr

from activities.screenshot_analysis import ScreenshotAnalysisActivities
from inference import Inference
from inference.settings import InferenceSettings, ProviderSettings
from schemas.blueprint import PhasePlan
from schemas.checks import IssueSource, Severity
from schemas.inference import ActionKey
from schemas.review import LookInput, LookResult
from schemas.session import ScreenshotRef
from storage.blobs import Blobs
from tests.activities.conftest import ModelRooms
from tests.inference.conftest import KEY, shared_client

APP = "export default () => <p>Board</p>;\n"
CLEAN = json.dumps({"matches": True, "summary": "A board.", "issues": []})


async def judge(
    rooms: ModelRooms, *answers: str, blank: bool = False, attempt: int = 1, operation: str = "phase-1/judge-0"
) -> LookResult:
    await rooms.put(App=APP)
    rooms.says(*answers)
    blobs = Blobs(rooms.rooms.database)
    shots = [
        ScreenshotRef(sha256=await blobs.put(name.encode()), name=name, width=width, height=800, blank=blank)
        for name, width in (("desktop", 1280), ("phone", 390))
    ]
    given = LookInput(
        **rooms.common(operation, "screenshot_analysis"), phase_id="phase-1", template="react-vite",
        plan=PhasePlan(name="Board"), screenshots=shots,
    )  # fmt: skip
    return await rooms.run(ScreenshotAnalysisActivities(rooms.rooms).judge, given, attempt)


def parts(rooms: ModelRooms) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = rooms.server.seen[0].body["messages"][-1]["content"]
    return content


async def test_both_pictures_are_sent_behind_the_words(model_rooms: ModelRooms) -> None:
    result = await judge(model_rooms, CLEAN)
    assert (result.judged, result.matches, result.report.ok) == (True, True, True)
    text, desktop, phone = parts(model_rooms)
    assert "desktop, 1280 by 800 pixels\nphone, 390 by 800 pixels" in text["text"] and "src/App.tsx" in text["text"]
    assert desktop["image_url"]["url"].startswith("data:image/png;base64,") and phone["type"] == "image_url"
    (row,) = await model_rooms.rooms.ledger.attempts("s1")
    assert row.action is ActionKey.SCREENSHOT_ANALYSIS


async def test_what_is_seen_becomes_issues(model_rooms: ModelRooms) -> None:
    seen = [
        {"severity": "warning", "problem": "Tight.", "where": "phone", "file": "src/Gone.tsx"},
        {"severity": "error", "problem": "The title covers the cards.", "where": "both", "file": "src/App.tsx"},
    ]
    result = await judge(model_rooms, json.dumps({"matches": False, "summary": "Broken.", "issues": seen}))
    assert not result.matches
    assert [(i.file, i.severity, i.source) for i in result.report.issues] == [
        ("src/App.tsx", Severity.ERROR, IssueSource.SCREENSHOT),
        (None, Severity.WARNING, IssueSource.SCREENSHOT),
    ]
    assert "on the phone" in result.report.issues[1].message


async def test_a_blank_page_is_an_error_that_costs_nothing(model_rooms: ModelRooms) -> None:
    result = await judge(model_rooms, blank=True)
    assert [issue.code for issue in result.report.errors] == ["blank-page"]
    assert not result.matches and model_rooms.prompts == []


async def test_it_is_paid_for_once(model_rooms: ModelRooms) -> None:
    await judge(model_rooms, CLEAN)
    assert (await judge(model_rooms, attempt=2)).judged
    assert len(model_rooms.prompts) == 1


@pytest.mark.parametrize("model", ["cerebras/gpt-oss-120b", "openai/gpt-4.1"])
async def test_only_a_model_that_reads_images_is_asked(model_rooms: ModelRooms, model: str) -> None:
    vendor = model.partition("/")[0]
    provider = ProviderSettings(base_url=model_rooms.server.url("answers"), key=SecretStr(KEY))
    settings = InferenceSettings(providers={vendor: provider}, model=model)
    model_rooms.rooms.inference = Inference(settings, client=shared_client())
    result = await judge(model_rooms, CLEAN)
    sees = vendor == "openai"
    assert (result.judged, len(model_rooms.prompts)) == (sees, int(sees))
    assert result.report.ok, "nothing is claimed of what nobody saw"
