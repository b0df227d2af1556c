"""The fixer's step: rules first, a model only for what they leave, and every attempt goes on from the one before."""

import pytest
from temporalio.exceptions import ApplicationError

from activities.code_fixer import CodeFixerActivities
from codegen.fixes import find_stubs
from schemas.blueprint import PhasePlan
from schemas.checks import Issue, IssueSource, Severity
from schemas.inference import ActionKey
from schemas.operations import FilesResult, FixInput
from tests.activities.conftest import ModelRooms

HOOK = ("TS2304", "Cannot find name 'useState'.")
WRONG = ("TS2322", "Type 'string' is not assignable to type 'number'.")
MISSING = ("TS2307", "Cannot find module './chart' or its corresponding type declarations.")
PACKED = ("TS2307", "Cannot find module 'lodash' or its corresponding type declarations.")


class Fixer(ModelRooms):
    """The fixer's activity over real storage and a model that answers with what it is told to."""

    async def fix(self, *errors: tuple[str, str], attempt: int = 1, round: int = 1) -> FilesResult:
        issues = [
            Issue(
                file="src/App.tsx", line=1, code=code, message=message,
                severity=Severity.ERROR, source=IssueSource.TYPECHECK,
            )
            for code, message in errors
        ]  # fmt: skip
        given = FixInput(
            **self.common(f"phase-1/fix-{round}", "fast_code_fixer"),
            phase_id="phase-1",
            template="react-vite",
            plan=PhasePlan(name="First"),
            issues=issues,
            round=round,
        )
        return await self.run(CodeFixerActivities(self.rooms).fix, given, attempt)


@pytest.fixture
async def fixer(model_rooms: ModelRooms) -> Fixer:
    return Fixer(model_rooms.rooms, model_rooms.server)


async def test_what_rules_repair_costs_nothing(fixer: Fixer) -> None:
    await fixer.put(App="export const use = () => useState(0);\n")
    result = await fixer.fix(HOOK, PACKED)
    assert (result.usage.calls, result.install) == (0, ["lodash"])
    assert [(file.path, file.author) for file in result.files] == [("src/App.tsx", "fix")]
    text = await fixer.rooms.files.read("s1", "src/App.tsx")
    assert text.startswith('import { useState } from "react";\n')
    (version,) = await fixer.rooms.files.of_operation("s1", "phase-1/fix-1")
    assert version.reason == "By rule: TS2304: Imported useState from react."


async def test_a_second_attempt_changes_nothing_more(fixer: Fixer) -> None:
    await fixer.put(App="export const use = () => useState(0);\n")
    first = await fixer.fix(HOOK)
    second = await fixer.fix(HOOK, attempt=2)
    assert second.files == first.files
    assert second.usage.calls == 0
    assert len(await fixer.rooms.files.versions("s1", "src/App.tsx")) == 2


async def test_the_model_gets_only_what_is_left(fixer: Fixer) -> None:
    await fixer.put(App="export const use = () => useState(0);\nexport const n: number = 'x';\n")
    fixer.says("# src/App.tsx\ncat > src/App.tsx << 'EOF'\nimport { useState } from \"react\";\nuseState(0);\nEOF\n")
    result = await fixer.fix(HOOK, WRONG)
    (prompt,) = fixer.prompts
    assert WRONG[0] in prompt and HOOK[0] not in prompt
    assert "import { useState }" in prompt, "the model sees the repaired file"
    assert "repaired already" not in prompt, "what a rule repaired may hold other faults"
    assert result.usage.calls == 1
    assert (await fixer.rooms.files.of_operation("s1", "phase-1/fix-1"))[0].reason == "Repair round 1"


async def test_an_answer_without_a_file_is_a_failure_whatever_rules_wrote(fixer: Fixer) -> None:
    await fixer.put(App="export const use = () => useState(0);\nexport const n: number = 'x';\n")
    fixer.says("I would rather not.", "cat > src/App.tsx << 'EOF'\nexport const n = 1;\nEOF\n")
    with pytest.raises(ApplicationError) as caught:
        await fixer.fix(HOOK, WRONG)
    assert (caught.value.type, caught.value.non_retryable) == ("no_files", False)
    await fixer.fix(HOOK, WRONG, attempt=2)
    assert "repaired already" not in fixer.prompts[1]
    assert HOOK[0] not in fixer.prompts[1]


async def test_a_stand_in_is_work_for_the_model_and_a_warning_until_it_is_done(fixer: Fixer) -> None:
    await fixer.put(App="import { Chart } from './chart';\nexport const x = <Chart />;\n")
    fixer.says("cat > src/other.ts << 'EOF'\nexport const n = 1;\nEOF\n")
    await fixer.fix(MISSING)
    assert "src/chart.tsx stands in for it" in fixer.prompts[0]
    found = find_stubs(await fixer.rooms.files.contents("s1"))
    assert [(issue.file, issue.code, issue.severity) for issue in found] == [
        ("src/chart.tsx", "stich/stub", Severity.WARNING)
    ]
    fixer.says("cat > src/chart.tsx << 'EOF'\nexport const Chart = () => null;\nEOF\n")
    await fixer.fix(WRONG, round=2)
    assert find_stubs(await fixer.rooms.files.contents("s1")) == []


async def test_a_package_that_could_not_be_installed_goes_to_the_model(fixer: Fixer) -> None:
    await fixer.put(App="import x from 'lodash';\nexport const y = x;\n")
    assert (await fixer.fix(PACKED)).usage.calls == 0
    fixer.says("cat > src/App.tsx << 'EOF'\nexport const y = 1;\nEOF\n")
    result = await fixer.fix(PACKED, round=2)
    assert (result.usage.calls, result.install) == (1, [])


async def test_the_step_is_priced_as_the_fixer(fixer: Fixer) -> None:
    await fixer.put(App="export const n: number = 'x';\n")
    fixer.says("cat > src/App.tsx << 'EOF'\nexport const n = 1;\nEOF\n")
    await fixer.fix(WRONG)
    (row,) = await fixer.rooms.ledger.attempts("s1")
    assert row.action is ActionKey.FAST_CODE_FIXER
