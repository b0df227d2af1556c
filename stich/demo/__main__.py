"""`python -m stich.demo`: start the demo model."""

import argparse
import os
import sys
from pathlib import Path

from stich.demo.faults import FaultsInvalid, read_faults
from stich.demo.library import Library
from stich.demo.playback import pace
from stich.demo.recording import BUILT_IN, RecordingInvalid, load_all
from stich.demo.server import DemoModel
from stich.demo.serving import PortTaken, serve


def main(argv: list[str] | None = None) -> int:
    """Run the server; the exit status is 2 when something given on the command line cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m stich.demo", description="A model that plays recorded sessions.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="receives the port number once the server accepts")
    parser.add_argument(
        "--recordings", type=Path, action="append", help="a recording or a folder of them, instead of the built-in ones"
    )
    parser.add_argument("--faults", type=Path, help="JSON file of faults to play")
    parser.add_argument("--control", action="store_true", help="serve /__control: faults and the request log")
    options = parser.parse_args(argv)
    try:
        recordings = [recording for folder in options.recordings or [BUILT_IN] for recording in load_all(folder)]
        model = DemoModel(
            Library(recordings),
            rate=pace(os.environ.get("STICH_DEMO_SPEED") or "1"),
            faults=read_faults(options.faults) if options.faults else None,
            control=options.control,
        )
        serve(model.app, host=options.host, port=options.port, port_file=options.port_file)
    except (RecordingInvalid, FaultsInvalid, PortTaken, ValueError) as error:
        print(f"stich demo: {error}", file=sys.stderr)  # noqa: T201 - this is the program's output
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
