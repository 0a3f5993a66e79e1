"""What the stores of Nix and Guix ask of digests and names; both have the same rules."""

from __future__ import annotations

import re

_DIGITS = "0123456789abcdfghijklmnpqrsvwxyz"
"""Nix's own base 32: without e, o, t and u."""
_UNFIT = re.compile(r"[^A-Za-z0-9+._?=-]")
_LONGEST = 180
"""Stores allow 211 characters, and put ``-VERSION``, ``-wheel`` or ``.drv`` behind."""


def base32(sha256: str) -> str:
    """A digest as Nix and Guix write it: 52 characters.

    The number is read with its first byte as the least significant one, and written with the most
    significant digit first (``printHash32`` in Nix, ``bytevector->nix-base32-string`` in Guix).

    Args:
        sha256: 64 hex digits.
    """
    content = bytes.fromhex(sha256)
    number = int.from_bytes(content, "little")
    length = (len(content) * 8 - 1) // 5 + 1
    return "".join(_DIGITS[number >> 5 * place & 31] for place in reversed(range(length)))


def store_name(text: str) -> str:
    """``text`` as (a part of) the name of a store path: what a store refuses becomes ``_``.

    Of a long one the end stays, since it says what kind of file it is.
    """
    name = _UNFIT.sub("_", text)[-_LONGEST:]
    return re.sub(r"^\.", "_", name) or "_"
