"""`stich api`."""

import argparse
import os

import uvloop

from stich.api_server import run_api
from stich.environment import checked_settings


def run(arguments: argparse.Namespace) -> int:
    uvloop.run(run_api(checked_settings(os.environ), os.environ))
    return 0
