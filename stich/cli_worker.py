"""`stich worker`."""

import argparse
import os

import uvloop

from stich.environment import checked_settings
from stich.worker import run_worker


def run(arguments: argparse.Namespace) -> int:
    uvloop.run(run_worker(checked_settings(os.environ), os.environ))
    return 0
