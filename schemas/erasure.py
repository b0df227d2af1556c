"""Deleting for good: what is asked of the workflow, and of the activities that it runs."""

from pydantic import BaseModel, ConfigDict, Field

from schemas.deployments import Target


class EraseSession(BaseModel):
    """What starts the workflow `EraseSession`: the session that is to be deleted with everything."""

    model_config = ConfigDict(extra="forbid")

    session_id: str
    user_id: str


class EraseUser(BaseModel):
    """What starts the workflow `EraseUser`: the person who is to be deleted with everything."""

    model_config = ConfigDict(extra="forbid")

    user_id: str


class SessionIds(BaseModel):
    """Some sessions."""

    ids: list[str] = Field(default_factory=list)


class Traces(BaseModel):
    """What a session left outside of the database: where its workspace is, and where it is published."""

    host: str | None = None
    targets: list[Target] = Field(default_factory=list)


class WithdrawSite(BaseModel):
    """What is published at a target, to be taken from the net."""

    session_id: str
    user_id: str
    target: Target
