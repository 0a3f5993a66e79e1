"""What looks like a secret is not written down: a record is kept for years and shared.

Three signs: the name of a variable, option or parameter; the shape of a value (tokens that
services mark as theirs, keys, passwords in addresses); and a value that stands in a variable with
such a name, wherever else it turns up. Nothing here proves that no secret is left.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

HIDDEN = "<hidden>"

_SHORTEST = 6
"""Characters: a shorter value of a secret variable is not looked for elsewhere (``yes``, ``1``)."""

# Patterns are texts: `re` compiles one when it is first needed (milliseconds, for some), and a
# quick look for its marks comes before that.

# Not "tokenizer", "max_tokens", "primary_key", "first-pass" or "PWD": those are parameters.
_NAME = (
    r"(?i)passw(?:or)?d|passphrase|secret|credential|cookie|authorization|apikey"
    r"|(?:^|[_.-]|access|auth|api|bearer|refresh|session|id)token$"
    r"|[_.-](?:pass|pwd)$|(?:^|[_.-])(?:auth|dsn)$"
    r"|(?:api|access|account|private|encryption|signing|ssh|auth|license|master)[_.-]?key(?:$|[_.-])"
)
_NAME_MARKS = ("pass", "secret", "credential", "cookie", "auth", "key", "token", "pwd", "dsn")
_SHAPES = (
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----|[\s\S]*)"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}"
    r"|\bsk-[A-Za-z0-9_-]{16,}|\bhf_[A-Za-z0-9]{16,}|\bpypi-[A-Za-z0-9_-]{16,}"
    r"|\bnpm_[A-Za-z0-9]{20,}|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bAIza[0-9A-Za-z_-]{30,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
)
_SHAPE_MARKS = (
    *("PRIVATE KEY", "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    *("glpat-", "sk-", "hf_", "pypi-", "npm_", "xox", "AIza", "eyJ"),
)
# scheme://user:password@host, and a token alone in the user's place.
_ADDRESS = r"(?<=://)[^\s/@:'\"]*:[^\s/@'\"]+(?=@)|(?<=://)[^\s/@:'\"]{16,}(?=@)"
_HEADER = r"(?i)\b(authorization\s*[:=]\s*(?:bearer|basic|token)?\s*)\S+"
_ASSIGNED = r"([A-Za-z][\w.-]*)(\s*[=:]\s*)(\"[^\"\n]*\"|'[^'\n]*'|[^\s,;}\])]+)"
_FILES = (
    r"(?i)(?:^|/)(?:\.env(?:\..*)?|\.netrc|\.pgpass|\.pypirc|\.npmrc|id_(?:rsa|dsa|ecdsa|ed25519)"
    r"|(?:credentials?|secrets?)(?:\.(?:ya?ml|json|toml|ini|txt|env|cfg|csv))?|"
    r".*\.(?:pem|key|p12|pfx|jks|keystore|kdbx|asc))$"
)


def is_secret_name(name: str) -> bool:
    """Whether what is called so is likely to be a secret: ``DB_PASSWORD``, ``--api-key``."""
    low = name.lower()
    return any(mark in low for mark in _NAME_MARKS) and (
        re.search(_NAME, name.lstrip("-")) is not None
    )


def is_secret_file(path: str) -> bool:
    """Whether a file is named as those that hold secrets: ``.env``, ``id_ed25519``."""
    return re.search(_FILES, path) is not None


def has_secret(text: str) -> bool:
    """Whether a text holds a value that has a secret's shape."""
    return (_has_mark(text) and re.search(_SHAPES, text) is not None) or (
        _has_address(text) and re.search(_ADDRESS, text) is not None
    )


def _has_mark(text: str) -> bool:
    return any(mark in text for mark in _SHAPE_MARKS)


def _has_address(text: str) -> bool:
    return "://" in text and "@" in text


def secret_values(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The values of variables with a secret's name, the longest first."""
    found = {
        value
        for name, value in environment.items()
        if len(value) >= _SHORTEST and is_secret_name(name) and not value.isspace()
    }
    return tuple(sorted(found, key=lambda value: (-len(value), value)))


class Hider:
    """Takes secrets out of what is written down; ``hidden`` counts what it took."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._values = secret_values(environment)
        self.hidden = 0

    def text(self, text: str) -> str:
        """``text`` without anything that looks like a secret."""
        for value in self._values:
            if value in text:
                text = self._count(text.replace(value, HIDDEN), text)
        if _has_mark(text):
            text = self._sub(_SHAPES, HIDDEN, text)
        if _has_address(text):
            text = self._sub(_ADDRESS, HIDDEN, text)
        if "uthorization" in text or "AUTHORIZATION" in text:
            text = self._sub(_HEADER, rf"\1{HIDDEN}", text)
        return text

    def said(self, text: str) -> str:
        """``text`` as a program printed it: also what is assigned to a secret's name."""

        def hide(match: re.Match[str]) -> str:
            if not is_secret_name(match[1]) or match[3] == HIDDEN:
                return match[0]
            self.hidden += 1
            return f"{match[1]}{match[2]}{HIDDEN}"

        text = self.text(text)
        low = text.lower()
        return re.sub(_ASSIGNED, hide, text) if any(m in low for m in _NAME_MARKS) else text

    def argv(self, argv: list[str]) -> list[str]:
        """Arguments without the values of options with a secret's name."""
        shown: list[str] = []
        follows = False
        for argument in argv:
            name, equals, value = argument.partition("=")
            if follows and not argument.startswith("-"):
                shown.append(self._hide())
                follows = False
                continue
            option = name.startswith("-")
            named = is_secret_name(name) and bool(name.strip("-")) and " " not in name
            if equals and value and named:
                shown.append(f"{name}={self._hide()}")
            else:
                shown.append(self.said(argument))
            follows = option and named and not equals
        return shown

    def value(self, name: str, value: Any) -> Any:
        """A named value, nested or not."""
        if value is not None and not isinstance(value, bool) and is_secret_name(name):
            return self._hide()
        return self.tree(value)

    def tree(self, value: Any) -> Any:
        """JSON without secrets, whatever its depth."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.tree(item) for item in value]
        if isinstance(value, dict):
            return {self.text(k): self.value(k, v) for k, v in value.items()}
        return value

    def _hide(self) -> str:
        self.hidden += 1
        return HIDDEN

    def _sub(self, pattern: str, replacement: str, text: str) -> str:
        shown, count = re.subn(pattern, replacement, text)
        self.hidden += count
        return shown

    def _count(self, shown: str, text: str) -> str:
        self.hidden += shown != text
        return shown
