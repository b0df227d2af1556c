"""`python -m tests.recordings FILE...` prints what stich reads in each recording, one JSON object a line."""

import json
import sys
from pathlib import Path

from tests.recordings.reading import summary

if len(sys.argv) < 2:
    sys.exit("usage: python -m tests.recordings FILE...")
for name in sys.argv[1:]:
    print(json.dumps(summary(Path(name)), ensure_ascii=False))
