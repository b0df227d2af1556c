"""Misbehaviour on demand, for tests: which call of which action fails, and how."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.recording import RecordedError


class _Fault(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StatusFault(_Fault):
    """Answer with an HTTP error, such as 429 with `retry-after`."""

    kind: Literal["status"]
    status: int = Field(ge=400, le=599)
    headers: dict[str, str] = {}
    message: str = "fault asked for by a test"
    code: str | None = None

    def error(self) -> RecordedError:
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return RecordedError(status=self.status, message=self.message, type=kind, code=self.code, headers=self.headers)


class HangFault(_Fault):
    """Accept the request and send nothing for `seconds`, not even headers; then answer as usual."""

    kind: Literal["hang"]
    seconds: float = Field(default=600, gt=0, le=600)


class StallFault(_Fault):
    """Go silent for `seconds` once `after_chars` of content are sent; then go on."""

    kind: Literal["stall"]
    after_chars: int = Field(default=200, ge=0)
    seconds: float = Field(default=600, gt=0, le=600)


class CutFault(_Fault):
    """Close the connection once `after_chars` of content are sent, in the middle of an event."""

    kind: Literal["cut"]
    after_chars: int = Field(default=200, ge=0)


class EndEarlyFault(_Fault):
    """End the stream properly once `after_chars` of content are sent, but without a finish reason."""

    kind: Literal["end_early"]
    after_chars: int = Field(default=200, ge=0)


class DripFault(_Fault):
    """Stream at `tokens_per_second` whatever the server's speed."""

    kind: Literal["drip"]
    tokens_per_second: float = Field(default=5, gt=0)


class MalformedFault(_Fault):
    """Send broken JSON once `after_chars` of content are sent: in the protocol itself (`wire`), or as the answer's
    text (`content`), which then ends in the middle while the protocol stays correct."""

    kind: Literal["malformed"]
    where: Literal["wire", "content"] = "wire"
    after_chars: int = Field(default=200, ge=0)


class LineFault(_Fault):
    """Once `after_chars` of content are sent, send one line of so many `megabytes`, which belongs to no event."""

    kind: Literal["line"]
    after_chars: int = Field(default=200, ge=0)
    megabytes: int = Field(default=64, ge=1, le=1024)


class PageFault(_Fault):
    """Answer with a page of the web, as proxies and wrong addresses do, and status 200."""

    kind: Literal["page"]


class RefusalFault(_Fault):
    """End the answer after `after_chars` of content, for the reason that it must not be given."""

    kind: Literal["refusal"]
    after_chars: int = Field(default=200, ge=0)


AnyFault = (
    StatusFault
    | HangFault
    | StallFault
    | CutFault
    | EndEarlyFault
    | DripFault
    | MalformedFault
    | LineFault
    | PageFault
    | RefusalFault
)


class FaultRule(_Fault):
    """When a fault happens: on these calls of the action (counted from 1), or on every one.

    action: an action key, or "*" for any. session: count and hit only this session's calls.
    """

    action: str
    calls: list[Annotated[int, Field(ge=1)]] | Literal["every"] = [1]
    session: str | None = None
    fault: Annotated[AnyFault, Field(discriminator="kind")]


class FaultPlan(_Fault):
    faults: list[FaultRule] = []


class FaultsInvalid(ValueError):
    """A fault file that cannot be used; the message says why."""


class Faults:
    """The plan of one server, with a count of calls for each rule."""

    def __init__(self, plan: FaultPlan | None = None) -> None:
        self.replace(plan or FaultPlan())

    def replace(self, plan: FaultPlan) -> None:
        """Take another plan; counting starts anew."""
        self._rules = [(rule, _Count()) for rule in plan.faults]

    def next(self, action: str, session: str) -> AnyFault | None:
        """Count a call and return the first fault that hits it."""
        hit: AnyFault | None = None
        for rule, count in self._rules:
            if rule.action not in ("*", action) or rule.session not in (None, session):
                continue
            count.calls += 1
            if hit is None and (rule.calls == "every" or count.calls in rule.calls):
                hit = rule.fault
        return hit


class _Count:
    calls = 0


def read_faults(path: Path) -> FaultPlan:
    """Read a plan from a JSON file.

    Raises:
        FaultsInvalid: the file cannot be read or is not a plan.
    """
    try:
        return FaultPlan.model_validate_json(path.read_bytes())
    except OSError as error:
        raise FaultsInvalid(f"{path}: cannot be read ({error})") from error
    except ValidationError as error:
        raise FaultsInvalid(f"{path}: {error}") from error
