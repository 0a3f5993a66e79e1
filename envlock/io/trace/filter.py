"""The filter that a traced process carries: which system calls stop and ask, which just run.

A classic BPF program (``include/uapi/linux/filter.h``) over ``struct seccomp_data``. What is not
watched is allowed after comparisons of its number alone, so that the kernel keeps that answer in a
bitmap (Linux 5.11) and such a call costs nothing.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from envlock.io.trace.abi import AT_REMOVEDIR, INTERFACES, O_PATH, SYS_SECCOMP, Interface

_LOAD, _JUMP, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x05, 0x15, 0x45, 0x06
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER = 1
# Without SPEC_ALLOW, kernels before 5.16 slow the whole program down against Spectre; with
# WAIT_KILLABLE (Linux 5.19) a signal does not make a call that was already seen start again.
_SPEC_ALLOW, _NEW_LISTENER, _WAIT_KILLABLE = 1 << 2, 1 << 3, 1 << 5
_NEW_MOUNTS = 0x20000  # CLONE_NEWNS
_SOCKETCALLS = (2, 3, 11)  # bind, connect, sendto

_Code = list[tuple[int, int, int, int]]


def program(machine: str) -> bytes:
    """The filter for ``machine`` (as ``os.uname`` names it), as ``struct sock_filter`` entries."""
    by_arch: dict[int, _Code] = {}
    for interface in INTERFACES[machine]:
        for name, number in interface.numbers.items():
            body = _rule(name, interface)
            by_arch.setdefault(interface.arch, []).extend(
                [(_EQUAL, 0, len(body), number | interface.bits), *body]
            )
    code: _Code = []
    for arch, block in by_arch.items():
        block = [_load(_NUMBER), *block, (_RETURN, 0, 0, _ALLOW)]
        code += [_load(_ARCH), (_EQUAL, 1, 0, arch), (_JUMP, 0, 0, len(block)), *block]
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *step) for step in code)


def _rule(name: str, interface: Interface) -> _Code:
    """What is decided about one call from its arguments; each path ends with an answer."""
    notify, allow = (_RETURN, 0, 0, _NOTIFY), (_RETURN, 0, 0, _ALLOW)
    # A folder is listed, or a place is held without being read (O_TMPFILE is a folder's flag, too:
    # such a file is seen when it gets a name).
    passing = interface.directory | O_PATH
    match name:
        case "open":
            return [_argument(1), (_ANY_BIT, 0, 1, passing), allow, notify]
        case "openat":
            return [_argument(2), (_ANY_BIT, 0, 1, passing), allow, notify]
        case "unlinkat":
            return [_argument(2), (_ANY_BIT, 0, 1, AT_REMOVEDIR), allow, notify]
        case "unshare":
            return [_argument(0), (_ANY_BIT, 1, 0, _NEW_MOUNTS), allow, notify]
        case "sendto":
            # Without an address it goes where connect(2) said.
            halves = [_argument(4), (_EQUAL, 0, 2, 0), _argument(4, high=True), (_EQUAL, 1, 0, 0)]
            return [*halves, notify, allow]
        case "socketcall":
            wanted = [(_EQUAL, 0, 1, call) for call in _SOCKETCALLS]
            return [_argument(0), *(s for w in wanted for s in (w, notify)), allow]
        case _:
            return [notify]


def _load(offset: int) -> tuple[int, int, int, int]:
    return (_LOAD, 0, 0, offset)


def _argument(index: int, *, high: bool = False) -> tuple[int, int, int, int]:
    """All that Linux runs on here is little-endian."""
    return _load(_ARGUMENTS + 8 * index + 4 * high)


class _Program(ctypes.Structure):
    _fields_ = (("count", ctypes.c_ushort), ("code", ctypes.c_void_p))


class Filter:
    """A filter made ready, so that a forked child has only to call ``install``."""

    def __init__(self, machine: str) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._number = SYS_SECCOMP[machine]
        code = program(machine)
        self._code = ctypes.create_string_buffer(code, len(code))
        self._program = _Program(len(code) // 8, ctypes.addressof(self._code))

    def install(self) -> tuple[int, bool]:
        """Put it on this process and all that it will start; it cannot be taken off.

        Returns:
            The listener, and whether setuid programs lost their rights (``no_new_privs``): the
            kernel asks that of everyone but the administrator.

        Raises:
            OSError: the kernel refuses; EBUSY: this process has a listener already.
        """
        bare = False
        flags = _NEW_LISTENER | _SPEC_ALLOW | _WAIT_KILLABLE
        while True:
            fd = self._libc.syscall(
                self._number, _SET_MODE_FILTER, flags, ctypes.byref(self._program)
            )
            if fd >= 0:
                return int(fd), bare
            number = ctypes.get_errno()
            if number == errno.EINVAL and flags & _WAIT_KILLABLE:
                flags &= ~_WAIT_KILLABLE
            elif number == errno.EACCES and not bare:
                if self._libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
                bare = True
            else:
                raise OSError(number, os.strerror(number))
