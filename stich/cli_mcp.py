"""`stich mcp`: sessions as tools, over standard input and output."""

import argparse
import os

from stich.environment import checked_settings
from stich.service import find


def run(arguments: argparse.Namespace) -> int:
    from stich.mcp_server import mcp_server

    mcp_server(find(checked_settings(os.environ))).run("stdio")
    return 0
