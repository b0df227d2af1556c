"""The file with the MCP servers that the operator allows."""

from pathlib import Path

from pydantic import ValidationError

from schemas.external_tools import McpServer, McpServers
from stich.errors import StichError


def allowed_servers(path: Path | None) -> dict[str, McpServer]:
    """What the file says; nothing where none is set. Raises StichError, which repeats no value of the file."""
    if path is None:
        return {}
    try:
        return McpServers.model_validate_json(path.read_bytes()).mcpServers
    except OSError as error:
        raise StichError(f"STICH_MCP_SERVERS names {path}, which cannot be read ({error.strerror}).") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise StichError(f"{path} (STICH_MCP_SERVERS) cannot be used: {where}: {first['msg']}.") from None
