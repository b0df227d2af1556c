"""`stich worker`."""

import argparse
import os

import uvloop

from stich.settings import Settings
from stich.worker import run_worker


def run(arguments: argparse.Namespace) -> int:
    uvloop.run(run_worker(Settings.from_env(os.environ), os.environ))
    return 0
