"""`stich mcp`: sessions as tools, over standard input and output."""

import argparse
import os

from stich.service import find
from stich.settings import Settings


def run(arguments: argparse.Namespace) -> int:
    from stich.mcp_server import mcp_server

    mcp_server(find(Settings.from_env(os.environ))).run("stdio")
    return 0
