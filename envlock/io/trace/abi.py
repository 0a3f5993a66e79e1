"""Numbers of the Linux system call interface that the tracer watches, by architecture.

From the kernel's ``arch/*/entry/syscalls/*.tbl``, ``include/uapi/asm-generic/unistd.h``,
``include/uapi/linux/{seccomp,audit,filter}.h``. A kernel never changes them.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from typing import Final

# AUDIT_ARCH_*
X86_64: Final = 0xC000003E
I386: Final = 0x40000003
AARCH64: Final = 0xC00000B7
ARM: Final = 0x40000028

X32_BIT: Final = 0x40000000

AT_FDCWD: Final = -100
AT_REMOVEDIR: Final = 0x200

_X86_64 = {
    "open": 2, "connect": 42, "sendto": 44, "bind": 49, "execve": 59, "truncate": 76,
    "rename": 82, "mkdir": 83, "creat": 85, "link": 86, "unlink": 87, "symlink": 88, "mknod": 133,
    "pivot_root": 155, "chroot": 161, "mount": 165, "exit_group": 231, "openat": 257,
    "mkdirat": 258, "mknodat": 259, "unlinkat": 263, "renameat": 264, "linkat": 265,
    "symlinkat": 266, "unshare": 272, "open_by_handle_at": 304, "setns": 308, "renameat2": 316,
    "execveat": 322, "io_uring_setup": 425, "openat2": 437,
}  # fmt: skip
_X32 = _X86_64 | {"execve": 520, "execveat": 545}
_I386 = {
    "open": 5, "creat": 8, "link": 9, "unlink": 10, "execve": 11, "mknod": 14, "mount": 21,
    "rename": 38, "mkdir": 39, "chroot": 61, "symlink": 83, "truncate": 92, "truncate64": 193,
    "pivot_root": 217, "exit_group": 252, "openat": 295, "mkdirat": 296, "mknodat": 297,
    "unlinkat": 301, "renameat": 302, "linkat": 303, "symlinkat": 304, "unshare": 310,
    "open_by_handle_at": 342, "setns": 346, "renameat2": 353, "execveat": 358, "bind": 361,
    "connect": 362, "sendto": 369, "socketcall": 102, "io_uring_setup": 425, "openat2": 437,
}  # fmt: skip
# What newer architectures have in common: no call that an ``…at`` one replaced.
_AARCH64 = {
    "mknodat": 33, "mkdirat": 34, "unlinkat": 35, "symlinkat": 36, "linkat": 37, "renameat": 38,
    "mount": 40, "pivot_root": 41, "truncate": 45, "chroot": 51, "openat": 56, "exit_group": 94,
    "unshare": 97, "bind": 200, "connect": 203, "sendto": 206, "execve": 221,
    "open_by_handle_at": 265, "setns": 268, "renameat2": 276, "execveat": 281,
    "io_uring_setup": 425, "openat2": 437,
}  # fmt: skip
_ARM = {
    "open": 5, "creat": 8, "link": 9, "unlink": 10, "execve": 11, "mknod": 14, "mount": 21,
    "rename": 38, "mkdir": 39, "chroot": 61, "symlink": 83, "truncate": 92, "truncate64": 193,
    "pivot_root": 218, "exit_group": 248, "bind": 282, "connect": 283, "sendto": 290,
    "openat": 322, "mkdirat": 323, "mknodat": 324, "unlinkat": 328, "renameat": 329, "linkat": 330,
    "symlinkat": 331, "unshare": 337, "open_by_handle_at": 371, "setns": 375, "renameat2": 382,
    "execveat": 387, "io_uring_setup": 425, "openat2": 437,
}  # fmt: skip


O_CREAT: Final = 0o100
O_EXCL: Final = 0o200
O_TRUNC: Final = 0o1000
O_PATH: Final = 0o10000000


class Interface:
    """One calling convention: its ``AUDIT_ARCH``, its numbers and its ``O_DIRECTORY``.

    ``bits`` are those that all its numbers have set (x32 shares its architecture with x86_64).
    """

    def __init__(
        self, *, arch: int, numbers: dict[str, int], directory: int = 0o200000, bits: int = 0
    ) -> None:
        self.arch = arch
        self.numbers = numbers
        self.directory = directory
        self.bits = bits


_ARM_DIRECTORY = 0o40000
INTERFACES: Final[dict[str, tuple[Interface, ...]]] = {
    "x86_64": (
        Interface(arch=X86_64, numbers=_X86_64),
        Interface(arch=X86_64, numbers=_X32, bits=X32_BIT),
        Interface(arch=I386, numbers=_I386),
    ),
    "aarch64": (
        Interface(arch=AARCH64, numbers=_AARCH64, directory=_ARM_DIRECTORY),
        Interface(arch=ARM, numbers=_ARM, directory=_ARM_DIRECTORY),
    ),
}
SYS_SECCOMP: Final = {"x86_64": 317, "aarch64": 277}
"""``os.uname().machine`` → the number of ``seccomp(2)`` for a 64-bit process."""
