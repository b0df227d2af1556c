"""Sessions in which a model writes wrong code: the faults of `faults` and `slips`, several in one application where one
does not hide another, and what the demo model answers in either mode.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from codegen.edits import read_edits
from schemas.recording import Exchange, Recording
from tests.e2e import faults, slips
from tests.e2e.answers import CLEAN_LOOK, CLEAN_REVIEW, README, Fault, call, says, scof, turn

APP = "src/App.tsx"
SPARE = 3  # an answer that is always the same may be asked for again, by an attempt that follows a lost one


@dataclass(frozen=True)
class Faulty:
    """A session. The faults of each of its `rounds` are found together, after those before them are mended; those that
    are `silent` nobody finds before a person speaks."""

    name: str
    rounds: tuple[tuple[Fault, ...], ...]
    silent: tuple[Fault, ...] = ()

    @property
    def faults(self) -> list[Fault]:
        return [*(fault for found in self.rounds for fault in found), *self.silent]

    @property
    def files(self) -> dict[str, str]:
        """What is written first."""
        parts = {path: text for fault in self.faults for path, text in fault.files.items()}
        return {**parts, APP: application([fault.component for fault in self.faults])}

    def prompt(self, mode: str) -> str:
        return f"Build the {mode} {self.name} page"

    def stages(self) -> list[dict[str, str]]:
        """What each round changes, as it should be."""
        files, stages = self.files, []
        for found in self.rounds:
            changed: dict[str, str] = {}
            for fault in found:
                changed |= fault.right or mended(fault.fix, files)
            files |= changed
            stages.append(changed)
        return stages

    def recording(self, mode: str) -> Recording:
        """The session as the demo model plays it."""
        findings = [finding for fault in self.faults for finding in fault.review]
        review: dict[str, object] = {"summary": "It does not work yet.", "files": findings}
        looks = [fault.look for fault in self.faults if fault.look]
        choice = {"template": "react-vite", "title": self.name, "complexity": "simple"}
        written = self._written_with_tools() if mode == "smart" else self._written_in_phases()
        return Recording(
            title=f"{mode} {self.name}",
            example_prompt=self.prompt(mode),
            match=[f"{mode} {self.name} page"],
            by_order=True,
            exchanges=[
                says("template_selection", choice),
                *written,
                *(says("code_review", each) for each in [review] * bool(findings) + [CLEAN_REVIEW] * SPARE),
                *(says("screenshot_analysis", look) for look in [*looks, *[CLEAN_LOOK] * SPARE]),
                *[says("readme", README)] * SPARE,
                *(exchange for fault in self.faults for exchange in fault.talk.get(mode, ())),
            ],
        )

    def _written_in_phases(self) -> list[Exchange]:
        plan = {
            "name": f"The {self.name} page",
            "files": [{"path": path, "purpose": "part of the page"} for path in self.files],
            "last": True,
        }
        blueprint = {
            "title": self.name,
            "description": f"The {self.name} page.",
            "first_phase": plan,
            "dependencies": [package for fault in self.faults for package in fault.dependencies],
        }
        fixes = ["".join(fault.fix for fault in found) for found in self.rounds]
        known = [f"The {self.name} page"]
        return [
            says("blueprint", blueprint),
            says("first_phase_implementation", scof(self.files), contains=known),
            *(says("fast_code_fixer", fix, contains=known) for fix in fixes if fix),
            *(exchange for fault in self.faults for exchange in fault.more),
        ]

    def _written_with_tools(self) -> list[Exchange]:
        """Declared done at first, and again after each round of problems."""
        turns, after = [], ""
        for number, files in enumerate([self.files, *self.stages()]):
            prefix = f"{self.name.replace(' ', '_')}_{number}"
            calls = [
                call(f"{prefix}_{place}", "write_file", path=path, content=text)
                for place, (path, text) in enumerate(files.items())
            ]
            done = call(f"{prefix}_done", "complete", summary="It does what was asked.")
            turns.append(turn(after, [*calls, done]))
            after = done.id
        return turns


def application(components: Sequence[str]) -> str:
    """An application that shows these, each from the file of its name."""
    imports = "".join(f"import {name} from './{name}'\n" for name in components)
    shown = "".join(f"      <{name} />\n" for name in components)
    return f"""\
{imports}
export default function App() {{
  return (
    <main className="min-h-dvh bg-white p-10">
{shown}    </main>
  )
}}
"""


def mended(fix: str, files: dict[str, str]) -> dict[str, str]:
    """The files that an answer changes, as they are then."""
    changed = {}
    for path in files:
        edited = read_edits(fix, path, files)
        if edited.applied:
            assert edited.ok, edited.failed
            changed[path] = edited.text
    return changed


COMPILED = Faulty("compiled", rounds=((faults.TYPES, faults.STATIC_LOOP, faults.STUBBORN),))
RUNNING = Faulty("running", rounds=((faults.CRASH,), (faults.SELECTOR,), (faults.BROWSER_LOOP,)))
LOOKED_AT = Faulty("looked at", rounds=((faults.DEPENDENCY, faults.UNSEEN),))
PREPARED = Faulty(
    "prepared",
    rounds=((slips.PACKAGES,),),
    silent=(slips.REALTIME, slips.LOGIC, slips.MISCOUNTED),
)
TALKED_ABOUT = Faulty("talked about", rounds=(), silent=(slips.LOGIC,))

PLAYED = [
    (COMPILED, "deterministic"), (RUNNING, "deterministic"), (LOOKED_AT, "deterministic"), (PREPARED, "deterministic"),
    (COMPILED, "smart"), (RUNNING, "smart"), (LOOKED_AT, "smart"), (TALKED_ABOUT, "smart"),
]  # fmt: skip


def recordings() -> list[Recording]:
    return [session.recording(mode) for session, mode in PLAYED]
