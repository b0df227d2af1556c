"""What names of files and people may not hold, because it deceives those who read them or programs that use them."""

import re
from typing import Final

# Characters that turn the direction of what follows, or take no place; those that only join letters belong to scripts.
UNSEEN: Final = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_JOINERS: Final = re.compile("[\u200c\u200d]")


def is_gits_own(path: str) -> bool:
    """Whether a path leads into a folder that git takes for a repository's own, on any file system: whoever took the
    project home and ran git in it would run what the folder's settings say."""
    parts = (_JOINERS.sub("", part).rstrip(". ").lower() for part in path.split("/"))
    return any(part in (".git", "git~1") for part in parts)
