"""Reads what a stopped process points to."""

from __future__ import annotations

import ctypes
import os

_SHORT, _LONGEST = 256, 4096  # PATH_MAX, its NUL included


class _Span(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class Memory:
    """``process_vm_readv(2)``, which needs no descriptor for each process.

    What is read may be changed by another thread of the process before the kernel reads it again:
    this is to observe, not to allow or forbid.
    """

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._read = libc.process_vm_readv
        span = ctypes.POINTER(_Span)
        size = ctypes.c_ulong
        self._read.argtypes = (ctypes.c_int, span, size, span, size, size)
        self._read.restype = ctypes.c_ssize_t
        self._buffer = ctypes.create_string_buffer(_LONGEST)
        self._here = _Span(ctypes.addressof(self._buffer), _SHORT)
        self._there = _Span(0, _SHORT)
        self._ours = ctypes.pointer(self._here)
        self._theirs = ctypes.pointer(self._there)

    def read(self, pid: int, address: int, size: int) -> bytes:
        """As many of ``size`` bytes (at most 4,096) as there are from ``address``.

        Raises:
            OSError: none are, the process is gone (ESRCH) or may not be looked into (EPERM).
        """
        self._here.size = size
        self._there.base = address
        self._there.size = size
        count = self._read(pid, self._ours, 1, self._theirs, 1, 0)
        if count < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return ctypes.string_at(self._buffer, count)

    def path(self, pid: int, address: int) -> bytes:
        """The NUL-terminated text at ``address``; what is longer than a path can be is cut.

        Raises:
            OSError: as ``read``.
        """
        data = self.read(pid, address, _SHORT)
        end = data.find(b"\0")
        if end < 0 and len(data) == _SHORT:
            data = self.read(pid, address, _LONGEST)
            end = data.find(b"\0")
        return data if end < 0 else data[:end]
