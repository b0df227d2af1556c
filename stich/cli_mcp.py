"""`stich mcp`: sessions as tools, over standard input and output."""

import argparse
import os

from stich.environment import checked_settings
from stich.service import find


def run(arguments: argparse.Namespace) -> int:
    from stich.logging import configure_logging
    from stich.mcp_server import mcp_server

    settings = checked_settings(os.environ)
    server = mcp_server(find(settings))
    configure_logging(settings, "mcp")  # after the library, which sets logging up for itself
    server.run("stdio")
    return 0
