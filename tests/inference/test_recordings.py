"""Recorded answers of real providers, the copies in `tests/inference/recordings`: what must be read in each, however
the bytes are cut."""

import json
from pathlib import Path
from typing import Any

import pytest

from inference.wire import gather
from tests.recordings.reading import read, summary

FOLDER = Path(__file__).parent / "recordings"
FILES = sorted(FOLDER.glob("*.json"))

EXPECTED: dict[str, dict[str, Any]] = json.loads((FOLDER / "expected" / "answers.json").read_text(encoding="utf-8"))


def test_every_recording_has_its_expectation() -> None:
    assert {path.name for path in FILES} == set(EXPECTED)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_recording(path: Path) -> None:
    got, expected = summary(path), EXPECTED[path.name]
    for field in ("text", "reasoning"):
        assert got[field].startswith(expected[field][0]) and got[field].endswith(expected[field][1])
        assert len(got[field]) == expected[field][2]
    assert [{key: call[key] for key in ("name", "arguments")} for call in got["tool_calls"]] == expected["tool_calls"]
    assert got["usage"] == expected["usage"]
    assert got["finish_reason"] == expected["finish_reason"]
    error = got["error"]
    assert (error and {key: error[key] for key in ("code", "status", "retryable")}) == expected["error"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_cuts_between_chunks_do_not_matter(path: Path) -> None:
    recording = json.loads(path.read_text(encoding="utf-8"))
    results = []
    for size in (0, 1, 13, 1_000):
        reader, deltas, error = read(recording, size)
        answer = gather(deltas)
        calls = [(call.name, call.arguments, call.signature) for call in answer.tool_calls]
        results.append((answer.text, answer.reasoning, calls, reader.usage, reader.reason, error and error.code))
    assert all(result == results[0] for result in results[1:])
