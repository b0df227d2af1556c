"""`python -m tests.recordings FILE...` prints what stich reads in each recording, one JSON object a line."""

import json
import sys
from pathlib import Path

from tests.recordings.reading import summary

if len(sys.argv) < 2:
    sys.exit("usage: python -m tests.recordings FILE...")
unreadable = 0
for name in sys.argv[1:]:
    try:
        print(json.dumps(summary(Path(name)), ensure_ascii=False))
    except (OSError, ValueError, KeyError, AttributeError) as error:
        unreadable += 1
        print(f"{name} is no recording: {type(error).__name__}: {error}", file=sys.stderr)
sys.exit(1 if unreadable else 0)
