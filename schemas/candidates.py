"""Candidates: several answers to one task, of which the best goes on and all are kept."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.blueprint import ModelOutput, Paragraph

MAX_CANDIDATES = 4

CandidateStatus = Literal["writing", "checking", "ready", "failed"]


class Candidate(BaseModel):
    """A blueprint (`subject` is "blueprint") or a phase (its id), written beside others of its kind.

    `errors` is what the checks found, None where there are none to run; `score` (0 to 100) and `reason` say how it was
    judged. Of the candidates of a subject one is `chosen`.
    """

    id: str
    subject: str
    number: int
    status: CandidateStatus = "writing"
    title: str = ""
    files: int = 0
    errors: int | None = None
    score: int | None = None
    reason: str = ""
    chosen: bool = False


class Verdict(ModelOutput):
    """What a review thinks of one candidate."""

    candidate: int
    score: Annotated[int, Field(ge=0, le=100)]
    reason: Paragraph = ""


class Verdicts(ModelOutput):
    """The answer of a review."""

    verdicts: list[Verdict] = Field(max_length=MAX_CANDIDATES)


class CandidateChoice(BaseModel):
    """A person's choice among candidates."""

    model_config = ConfigDict(extra="forbid")

    candidate_id: str = Field(max_length=100)


class CandidateList(BaseModel):
    """The candidates of a session, in the order in which they were begun."""

    candidates: list[Candidate]
