"""The system call filter of sandboxed commands, compiled by libseccomp into a program for bubblewrap.

Namespaces already hide the host; the filter takes away what code building and serving web pages never needs and what
kernel exploits usually start from, and what would hold memory that belongs to no process's resident pages.
"""

import ctypes
import errno
import functools
import os
import socket

from sandbox.errors import SandboxUnavailable

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_NOT_EQUAL, _EQUAL, _MASKED_EQUAL = 1, 4, 7
_NAMESPACE_FLAGS = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_FAMILIES = {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK}

_FORBIDDEN = [
    "acct",
    "add_key",
    "bpf",
    "chroot",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mbind",
    "memfd_create",
    "memfd_secret",
    "migrate_pages",
    "modify_ldt",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "mq_open",
    "msgget",
    "name_to_handle_at",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "personality",
    "pidfd_getfd",
    "pivot_root",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "semget",
    "set_mempolicy",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "shmget",
    "swapoff",
    "swapon",
    "syslog",
    "umount2",
    "unshare",
    "uselib",
    "userfaultfd",
    "vhangup",
]


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


@functools.cache
def filter_program() -> bytes:
    """Return the filter as a BPF program. Raises SandboxUnavailable where libseccomp is missing."""
    try:
        lib = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    except OSError as error:
        raise SandboxUnavailable("libseccomp is missing: install the package libseccomp2.") from error
    lib.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(lib.seccomp_init(ctypes.c_uint32(_ALLOW)))
    try:
        for name in _FORBIDDEN:
            _deny(lib, context, name, errno.EPERM)
        # clone3 takes its flags by pointer, where a filter cannot look; libc falls back to clone.
        _deny(lib, context, "clone3", errno.ENOSYS)
        for flag in _NAMESPACE_FLAGS:
            _deny(lib, context, "clone", errno.EPERM, _Comparison(0, _MASKED_EQUAL, flag, flag))
        # Buffers keep their size, which what a socket holds is counted by; who asks is told that all is well.
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            level, chosen = _Comparison(1, _EQUAL, socket.SOL_SOCKET, 0), _Comparison(2, _EQUAL, option, 0)
            _deny(lib, context, "setsockopt", 0, level, chosen)
        for request in (_TIOCSTI, _TIOCLINUX):
            _deny(lib, context, "ioctl", errno.EPERM, _Comparison(1, _MASKED_EQUAL, 0xFFFFFFFF, request))
        for family in range(64):
            if family not in _FAMILIES:
                _deny(lib, context, "socket", errno.EAFNOSUPPORT, _Comparison(0, _EQUAL, family, 0))
        netlink_other_than_route = (
            _Comparison(0, _EQUAL, socket.AF_NETLINK, 0),
            _Comparison(2, _NOT_EQUAL, 0, 0),
        )
        _deny(lib, context, "socket", errno.EAFNOSUPPORT, *netlink_other_than_route)
        return _export(lib, context)
    finally:
        lib.seccomp_release(context)


def _deny(lib: ctypes.CDLL, context: ctypes.c_void_p, name: str, code: int, *conditions: _Comparison) -> None:
    number = lib.seccomp_syscall_resolve_name(name.encode())
    if number == -1:  # unknown to this libseccomp: newer than it, or gone
        return
    array = (_Comparison * max(1, len(conditions)))(*conditions)
    result = lib.seccomp_rule_add_array(
        context, ctypes.c_uint32(_ERRNO | code), ctypes.c_int(number), ctypes.c_uint(len(conditions)), array
    )
    # A pseudo number (negative) is a system call this architecture does not have.
    if result != 0 and number >= 0:
        raise SandboxUnavailable(f"libseccomp refused a rule for {name} (error {-result}).")


def _export(lib: ctypes.CDLL, context: ctypes.c_void_p) -> bytes:
    descriptor = os.memfd_create("seccomp")
    try:
        if (result := lib.seccomp_export_bpf(context, ctypes.c_int(descriptor))) != 0:
            raise SandboxUnavailable(f"libseccomp could not write its filter (error {-result}).")
        os.lseek(descriptor, 0, os.SEEK_SET)
        with os.fdopen(os.dup(descriptor), "rb") as stream:
            return stream.read()
    finally:
        os.close(descriptor)
