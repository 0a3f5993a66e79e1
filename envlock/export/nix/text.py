"""Texts of the lock where Nix reads them: strings, names in its store, addresses."""

from __future__ import annotations

import re
from urllib.parse import quote

from envlock.errors import UsageError

_NOT_IN_STORE = re.compile(r"[^A-Za-z0-9+._?=-]")
_LONGEST = 200
"""Nix allows 211 characters; `.drv` and `.lock` must fit behind."""


def nix_string(text: str) -> str:
    r"""``text`` as a Nix string literal: ``a"${b}`` → ``"a\"\${b}"``.

    Raises:
        UsageError: it holds a NUL, which Nix strings cannot.
    """
    # Nix reads a bare CR or CR LF as LF.
    escapes = {"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(escapes.get(sign, sign) for sign in without_nul(text)) + '"'


def without_nul(text: str) -> str:
    """``text`` itself.

    Raises:
        UsageError: it holds a NUL.
    """
    if "\0" in text:
        raise UsageError(
            f"{text!r} has a NUL in it, which Nix cannot read",
            remedy="make the lock again with `envlock lock --upgrade`",
        )
    return text


def store_name(text: str) -> str:
    """``text`` as the name of a store path: what Nix refuses becomes ``_``, what is long is cut.

    The end stays, since it says what kind of file it is.
    """
    name = _NOT_IN_STORE.sub("_", text)[-_LONGEST:]
    return re.sub(r"^\.", "_", name) or "_"


def fetchable(url: str) -> str:
    """``url`` with everything escaped that a shell would split or read otherwise.

    nixpkgs hands addresses to a shell script, which takes white space as the end of one.
    """
    return quote(without_nul(url), safe="/:?#[]@!$&()+,;=%~-._")
