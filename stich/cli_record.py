"""`stich record`: a proxy before a real provider that writes the session down."""

import argparse
import os

from stich.demo.record import main as record
from stich.home import free_port

OPENAI = "https://api.openai.com/v1"


def run(arguments: argparse.Namespace) -> int:
    upstream = arguments.upstream or os.environ.get("OPENAI_BASE_URL", "").strip() or OPENAI
    port = arguments.port or free_port()
    print(
        f"Recording what goes to {upstream} into {arguments.out} until Ctrl-C. In another terminal, run:\n\n"
        f'    OPENAI_BASE_URL=http://127.0.0.1:{port}/v1 OPENAI_API_KEY=... stich build "PROMPT"\n\n'
        "while no `stich up` runs. Keys are passed on and never written down.",
        flush=True,
    )
    status = record(["--to", str(arguments.out), "--upstream", upstream, "--port", str(port)])
    return 1 if status else 0
