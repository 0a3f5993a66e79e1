"""How a run was watched, and what kinds of things are seen: words that stand in records."""

from __future__ import annotations

from enum import StrEnum


class Method(StrEnum):
    """How a run was watched.

    ``SECCOMP``: every file, program and connection was seen in the kernel (Linux).
    ``PARENT``: a supervised process started it, and that one's supervisor sees it, not this one.
    ``SCAN``: files that changed were looked for afterwards, open ones now and then meanwhile.
    ``NONE``: it was not watched.
    """

    SECCOMP = "seccomp"
    PARENT = "parent"
    SCAN = "scan"
    NONE = "none"


class Action(StrEnum):
    """What was about to be done to a path.

    ``READ`` and ``WRITE`` are opens for reading and writing (both: two events), ``UPDATE`` is an
    open for writing that keeps what is there without reading it (append, write in place).
    ``FOLDER`` is a new folder. ``RENAME``, ``EXCHANGE``, ``LINK`` and ``SYMLINK`` have a second
    path, where it gets to.
    """

    READ = "read"
    WRITE = "write"
    UPDATE = "update"
    REMOVE = "remove"
    RENAME = "rename"
    EXCHANGE = "exchange"
    LINK = "link"
    SYMLINK = "symlink"
    FOLDER = "folder"
    EXECUTE = "execute"


class Contact(StrEnum):
    """What was done with a network address."""

    CONNECT = "connect"
    SEND = "send"
    BIND = "bind"


SCANNED = (
    "files were found by their time of change in the project's folder, by the command line and by"
    " looking at open files now and then: what was read for a moment or written elsewhere may be"
    " missing, and what others wrote there meanwhile is counted"
)
"""What the method ``SCAN`` does not see."""
