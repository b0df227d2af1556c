"""Becomes another program that ends when the process that started it ends, however that happens.

Run by its path, as `python -I -S launch.py PARENT SIGNAL USER COMMAND...`, so that it starts in a few milliseconds.
PARENT is the process id to depend on, SIGNAL the number of what the kernel sends at its end. USER is a numeric user id
to appear as inside a user namespace of its own, or 0 to stay as is: Postgres refuses to run as root, and this way it
need not run as somebody else, who could not reach files below a private directory.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
CANNOT_MAP = 77  # exit status: this machine allows no user namespaces


def main(parent: int, death_signal: int, user: int, command: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job inherits it ignored
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if user and not appear_as(libc, user):
            os._exit(CANNOT_MAP)
        libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:  # it ended before the kernel was asked
            os._exit(0)
    os.execvp(command[0], command)


def appear_as(libc: ctypes.CDLL, user: int) -> bool:
    """Whether this process now has another user id, to itself only. What it may do to files stays the same."""
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER) != 0:
        return False
    try:
        for file, mapping in (("setgroups", "deny"), ("uid_map", f"{user} {uid} 1"), ("gid_map", f"{user} {gid} 1")):
            with open(f"/proc/self/{file}", "w") as target:  # noqa: PTH123 - pathlib takes longer to import than all else
                target.write(mapping)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
