"""Servers of the Model Context Protocol that the operator allows sessions to use."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

ServerName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]


class McpServer(BaseModel):
    """How a server is reached: a program with `args` and `env` of its own, or a `url` with `headers`.

    tools: those that may be used, all where it is not given. seconds: how long a call may take. after_pages: whether
    its tools may still be used once the model has read a page of the web, which may tell it to carry something out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: str | None = Field(default=None, min_length=1)
    args: list[str] = Field(default_factory=list)
    env: dict[str, SecretStr] = Field(default_factory=dict)
    url: str | None = None
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    tools: list[str] | None = None
    seconds: float = Field(default=60.0, gt=0, le=600)
    after_pages: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise ValueError("give either a command or a url")
        if self.url is not None:
            parts = urlsplit(self.url)
            if parts.scheme not in ("http", "https") or not parts.hostname or self.args or self.env:
                raise ValueError("a url begins with http:// or https://, and goes without args and env")
        elif self.headers:
            raise ValueError("headers go with a url")
        return self


class McpServers(BaseModel):
    """The file that STICH_MCP_SERVERS names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mcpServers: dict[ServerName, McpServer] = Field(max_length=20)
