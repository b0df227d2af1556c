"""`stich api`."""

import argparse
import os

import uvloop

from stich.api_server import run_api
from stich.settings import Settings


def run(arguments: argparse.Namespace) -> int:
    uvloop.run(run_api(Settings.from_env(os.environ), os.environ))
    return 0
