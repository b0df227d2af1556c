"""Sending a session's repository to GitHub."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from schemas.secrets import HeaderSecret


def _a_name(repository: str) -> str:
    if repository.rpartition("/")[2] in (".", ".."):
        raise ValueError("a repository has a name")
    return repository


def _a_branch(branch: str) -> str:
    if ".." in branch or "//" in branch or branch.endswith(("/", ".", ".lock")):
        raise ValueError("this is no name of a branch")
    return branch


RepositoryName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$"),
    AfterValidator(_a_name),
]
BranchName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$"), AfterValidator(_a_branch)]


class PutGithubToken(BaseModel):
    """Body of `PUT /api/github/token`: a token that may write contents, and make repositories if that is wished."""

    model_config = ConfigDict(extra="forbid")

    token: HeaderSecret = Field(min_length=10, max_length=500)


class GithubAccount(BaseModel):
    """Whose token is stored. `hint` is its end; `login` the account that it was of when it was stored."""

    stored: bool
    login: str = ""
    hint: str = ""


class ExportToGithub(BaseModel):
    """Body of `POST /api/sessions/{session_id}/github`: `repository` is OWNER/NAME. With `create` it is made where it
    is not there, `private` unless that is false."""

    model_config = ConfigDict(extra="forbid")

    repository: RepositoryName
    branch: BranchName = "main"
    create: bool = False
    private: bool = True


class GithubExport(BaseModel):
    """What is at GitHub now: its address, the newest commit there, how many commits this made new, and whether the
    repository was made for it."""

    url: str
    repository: str
    branch: str
    commit: str
    pushed: int
    created: bool
