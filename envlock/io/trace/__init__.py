"""Starts a program and knows what it read, wrote, ran and reached, without being told.

- ``supervise``  the one entrance: run a program to its end, everything passed through
- ``model``      what comes out: plain values
- ``child``      the steps between fork and exec
- ``signals``    what this process is sent is passed on
"""

from envlock.io.trace.child import StartError
from envlock.io.trace.model import (
    Action,
    Connection,
    Contact,
    Event,
    FileState,
    Method,
    Supervised,
    Trace,
    Usage,
)
from envlock.io.trace.supervise import supervise

__all__ = [
    "Action",
    "Connection",
    "Contact",
    "Event",
    "FileState",
    "Method",
    "StartError",
    "Supervised",
    "Trace",
    "Usage",
    "supervise",
]
