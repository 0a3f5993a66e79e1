r"""Texts of the lock where Guile reads them.

What is written is ASCII without ``;``: Guile picks a file's encoding by the first comment that says
``coding:``, even one in a string, and a text of the lock could hold it. ``\uXXXX`` and
``\UXXXXXX`` mean the same under all of Guile's read options, which ``\xXX`` does not (Guile
Reference Manual, "String Read Syntax").
"""

from __future__ import annotations

import re

from envlock.errors import UsageError

_PLAIN = re.compile(r"[ !#-:<-\[\]-~]")
_UNFIT = re.compile(r"[^a-z0-9.@:+-]")


def scheme_string(text: str) -> str:
    r"""``text`` as a string literal: ``a"\é`` → ``"a\"\\\u00e9"``.

    Raises:
        UsageError: it holds half of a surrogate pair, which no text of Scheme can.
    """
    if re.search(r"[\ud800-\udfff]", text):
        raise UsageError(
            f"{text!r} is no Unicode text, and cannot stand in a Scheme file",
            remedy="make the lock again with `envlock lock --upgrade`",
        )
    return '"' + "".join(map(_character, text)) + '"'


def _character(sign: str) -> str:
    if sign in '"\\':
        return "\\" + sign
    if _PLAIN.fullmatch(sign):
        return sign
    code = ord(sign)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:06x}"


def identifier(text: str) -> str:
    """``text`` with all that has a meaning in Scheme written as ``_`` and hex digits.

    Different texts stay different. The caller puts a letter in front, so that it is no number.
    """
    return _UNFIT.sub(lambda match: f"_{ord(match[0]):x}_", text)
