"""Texts of the lock where Dockerfiles, definitions and plain lists have them."""

from __future__ import annotations

import re

from envlock.errors import UsageError

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PLAIN_PATH = re.compile(r"[\w@%+=:,./ -]+")
_WORD = re.compile(r"[!-~]+")
# Grammar of the distribution specification; a tag is never here, since the digest decides.
_IMAGE = re.compile(r"[a-z0-9]+(?:[._:/-]+[a-z0-9]+)*@sha256:[0-9a-f]{64}")


def dockerfile_string(text: str) -> str:
    r"""``text`` as a quoted word of ``ARG``, ``ENV`` and ``LABEL``: ``a"$b`` → ``"a\"\$b"``.

    Raises:
        UsageError: it holds a control character; no quotes keep a line from ending there.
    """
    if _CONTROL.search(text):
        raise _unfit(text, "a Dockerfile")
    return '"' + re.sub(r'(["\\$])', r"\\\1", text) + '"'


def image(pinned: str) -> str:
    """``pinned`` as the name of an image, which no quotes protect.

    Raises:
        UsageError: it is no image's name with a digest.
    """
    if not _IMAGE.fullmatch(pinned):
        raise _unfit(pinned, "FROM")
    return pinned


def context_path(text: str) -> str:
    """``text`` as a path below the folder that is built from, in COPY and in .dockerignore.

    Raises:
        UsageError: it leads elsewhere, or holds what these would take for a pattern.
    """
    parts = text.split("/")
    if not _PLAIN_PATH.fullmatch(text) or ".." in parts or text.startswith(("/", "#", "-")):
        raise _unfit(text, "a Dockerfile as a path")
    return text


def line(text: str) -> str:
    """``text`` itself, as (the rest of) a line.

    Raises:
        UsageError: it holds a control character.
    """
    if _CONTROL.search(text):
        raise _unfit(text, "one line")
    return text


def word(text: str) -> str:
    """``text`` as a word in a list that a shell reads line by line, or pip.

    Raises:
        UsageError: it is empty or holds more than visible ASCII.
    """
    if not _WORD.fullmatch(text) or text.startswith(("#", "-")):
        raise _unfit(text, "a list of packages")
    return text


def _unfit(text: str, place: str) -> UsageError:
    return UsageError(
        f"{text!r} cannot stand in {place}",
        remedy="make the lock again with `envlock lock --upgrade`",
    )
