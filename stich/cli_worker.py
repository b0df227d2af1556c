"""`stich worker`."""

import argparse
import os

import uvloop

from stich.environment import checked_settings
from stich.worker import run_worker


def run(arguments: argparse.Namespace) -> int:
    env = {**os.environ, **({"STICH_QUEUES": arguments.queues} if arguments.queues else {})}
    uvloop.run(run_worker(checked_settings(env), env))
    return 0
