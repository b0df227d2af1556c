"""What a model writes is looked through: known keys are taken out, what looks like one is told."""

from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from activities.project_files import ProjectFiles
from tests.schemas.test_secret_scan import NOISE
from tests.schemas.test_secrets import KEYS


@pytest.mark.parametrize(
    ("before", "content", "sentence"),
    [
        (None, f"const k = '{KEYS['Stripe key']}'", "taken out of src/a.ts"),
        (
            "// [removed: Groq key ending in abcd]",
            f"// [removed: Groq key ending in abcd]\nconst k = '{KEYS['OpenAI key']}'",
            "taken out of src/a.ts",
        ),
        (None, f"connect('{NOISE}')", "looks like a secret ending in"),
        (f"connect('{NOISE}')", f"connect('{NOISE}') // again", None),
        (None, "const integrity = 'sha512-" + NOISE + "'", None),
    ],
)
async def test_secrets_of_generated_files(before: str | None, content: str, sentence: str | None) -> None:
    stored = SimpleNamespace(given_sha256=None, version=1)
    files = SimpleNamespace(close_file=mock.AsyncMock(return_value=stored))
    events: list[Any] = []
    step: Any = SimpleNamespace(
        id="phase-1/implement",
        rooms=SimpleNamespace(files=files),
        writer=None,
        given=SimpleNamespace(line=None),
        emit=events.append,
    )
    seen = {} if before is None else {"src/a.ts": before}
    with mock.patch("activities.project_files.template_named", return_value=SimpleNamespace(protected_files=())):
        project = ProjectFiles(step, "t", phase_id="phase-1", reason="r", author="model", seen=seen)
        written = await project.write("src/a.ts", content)
    assert [event.code for event in events] == ([] if sentence is None else ["secret_in_file"])
    assert sentence is None or sentence in events[0].sentence
    offered = [one.provider for event in events for one in event.secrets if one.provider]
    assert offered == (["openai"] if KEYS["OpenAI key"] in content else []), "only what is new has a place in the vault"
    assert KEYS["Stripe key"] not in written and KEYS["OpenAI key"] not in written
    assert files.close_file.await_args.args[2] == written
