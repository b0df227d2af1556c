"""Python's collector of cyclic garbage, set so that it does not make those wait who watch a stream."""

import gc
from typing import Final

YOUNG: Final = 10_000
"""Objects that are made between two looks at the young ones. Python's 700 means a look every few milliseconds, and one
at everything soon after: with a thousand readers that took 100 ms and more."""


def spare_what_stays() -> None:
    """Leave out of every later look what is loaded by now: modules, models, settings. For the end of a start."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)
