"""What needs no judgement is repaired before a model is asked."""

import asyncio

from activities.material import Material, packages_of
from activities.project_files import ProjectFiles
from activities.step import Step
from codegen.fixes import FixReport, fix_issues
from schemas.operations import FixInput

BY_RULE = "By rule: "  # how the reason of every version begins that no model wrote
_REASON = 300  # characters


async def fix_by_rule(step: Step, given: FixInput, material: Material) -> FixReport:
    """Repair the issues that rules can repair, and store the files. A later attempt finds them repaired."""
    guard = ProjectFiles(step, given.template, phase_id=given.phase_id, reason=BY_RULE, author="fix")
    report = await asyncio.to_thread(
        fix_issues,
        material.files,
        given.issues,
        packages=packages_of(material.files),
        protected=guard.protects,
        # Packages are installed after the first round; their types may be missing in the second.
        refused=lambda package: given.round > (2 if package.startswith("@types/") else 1),
    )
    for path, text in report.written.items():
        reason = BY_RULE + " ".join(dict.fromkeys(report.reasons[path]))
        files = ProjectFiles(
            step,
            given.template,
            phase_id=given.phase_id,
            reason=reason[:_REASON],
            author="fix",
            seen=material.files,
        )
        await files.write(path, text)
    return report


async def written_by_rule(step: Step) -> set[str]:
    """The files whose last version of this step, in any attempt, comes from a rule."""
    versions = await step.rooms.files.of_operation(step.session_id, step.id)
    return {version.path for version in versions if version.reason.startswith(BY_RULE)}
