"""Metadata written before today's grammar (PEP 440, PEP 508), read in a stated way.

A resolver that cannot parse ``pytz (>=2011k)`` leaves the release out without a word, and falls
back to an older or unsuitable one. Here such lines are rewritten by the rules of
``repair_requirement``, and every rewriting is reported. A line that is valid is never touched.
"""

from __future__ import annotations

import re

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from envlock.lock.package import Repair

_HEADER = re.compile(
    rb"^(requires-dist|requires-python)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)",
    re.IGNORECASE | re.MULTILINE,
)
_RELEASE = r"\d+(?:\.\d+)*"
_VERSION = rf"{_RELEASE}(?:(?:a|b|rc)\d+)?(?:\.post\d+)?(?:\.dev\d+)?"
_CLAUSE = rf"(?:(?:>=|<=|>|<) ?{_VERSION}|(?:==|!=) ?{_RELEASE}(?:\.\*)?|~= ?\d+(?:\.\d+)+)"
_CLAUSES = rf"{_CLAUSE}(?: ?, ?{_CLAUSE})*"
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_STRING = r"""(?:"[A-Za-z0-9._*-]+"|'[A-Za-z0-9._*-]+')"""
_VARIABLE = (
    "(?:python_version|python_full_version|os_name|sys_platform|platform_system|platform_machine"
    "|platform_python_implementation|implementation_name|extra)"
)
_TEST = rf"{_VARIABLE} ?(?:==|!=|>=|<=|>|<) ?{_STRING}"
_CERTAIN = re.compile(
    rf"{_NAME} ?(?:\[{_NAME}(?:, ?{_NAME})*\])? ?(?:{_CLAUSES}|\({_CLAUSES}\))?"
    rf"(?: ?; ?{_TEST}(?: (?:and|or) {_TEST})*)?\Z",
    re.ASCII,
)
"""Requirements that are valid at a glance; the parser, fifty times slower, judges the others."""
_HEAD = re.compile(rf"\s*{_NAME}\s*(?:\[[^\]]*\])?")
_LOOSE_CLAUSE = re.compile(r"([<>=!~](?:\s*[<>=!~])*)\s*([^\s,<>=!~]*)")
_OPERATORS = {"=": "==", "=>": ">=", "=<": "<=", "=!": "!=", "<>": "!="}
_CERTAIN_PYTHON = re.compile(rf"{_CLAUSES}\Z", re.ASCII)


def repair_metadata(text: bytes, subject: str) -> tuple[bytes, tuple[Repair, ...]]:
    """Core metadata whose ``Requires-Dist`` and ``Requires-Python`` lines parse, where possible.

    Valid metadata comes back as the same bytes. A line without a valid reading stays as it is, and
    its ``Repair`` has an empty ``used``.

    Args:
        text: METADATA, whole.
        subject: what it belongs to, for the report (``pandas==0.24.2``).
    """
    end = re.search(rb"\r?\n\r?\n", text)
    head, body = (text[: end.start()], text[end.start() :]) if end else (text, b"")
    repairs: list[Repair] = []

    def replace(match: re.Match[bytes]) -> bytes:
        found = " ".join(match[2].decode("utf-8", "surrogateescape").split())
        python = match[1].lower() == b"requires-python"
        if (_CERTAIN_PYTHON if python else _CERTAIN).match(found):
            return match[0]
        used = repair_python(found) if python else repair_requirement(found)
        if used == found:
            return match[0]
        label = "Requires-Python: " if python else ""
        shown = found.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        repairs.append(
            Repair(subject=subject, found=label + shown, used=label + used if used else "")
        )
        if not used:
            return match[0]
        return match[1] + b": " + used.encode() + (b"\r" if match[0].endswith(b"\r") else b"")

    repaired = _HEADER.sub(replace, head)
    return (repaired + body if repairs else text), tuple(repairs)


def repair_requirement(text: str) -> str | None:
    """``text`` itself when it is valid (PEP 508); else a valid reading of it; else None.

    - Clauses are read by their operators, whatever stands between them: missing or superfluous
      commas, parentheses and quotes do not matter. See ``_clause`` for what each one becomes.
    - In markers, bare values are quoted, and an empty marker is none.
    """
    if _valid_requirement(text):
        return text
    left, semicolon, marker = text.partition(";")
    match = _HEAD.match(left)
    clauses = _clauses(left[match.end() :]) if match else None
    if match is None or clauses is None:
        return None
    marker = _marker(marker) if semicolon else ""
    candidate = match[0].strip() + ",".join(clauses) + (f" ; {marker}" if marker else "")
    return str(Requirement(candidate)) if _valid_requirement(candidate) else None


def repair_python(text: str) -> str | None:
    """The same for a ``Requires-Python`` value (PEP 440 specifiers)."""
    if _valid_specifiers(text):
        return text
    clauses = _clauses(text)
    return str(SpecifierSet(",".join(clauses))) if clauses else None


def _clauses(text: str) -> list[str] | None:
    """The valid clauses that ``text`` means; None when something in it means nothing."""
    plain = re.sub(r"[\"'`()]", " ", text)
    found: list[str] = []
    position = 0
    for match in _LOOSE_CLAUSE.finditer(plain):
        clause = _clause("".join(match[1].split()), match[2])
        if clause is None or plain[position : match.start()].strip(" ,\t"):
            return None
        found.append(clause)
        position = match.end()
    if plain[position:].strip(" ,\t") or not _valid_specifiers(",".join(c for c in found if c)):
        return None
    return [clause for clause in found if clause]


def _clause(operator: str, version: str) -> str | None:
    """One valid clause for a loosely written one; empty for one without effect; None: no reading.

    - ``=``, ``=>``, ``=<``, ``<>`` are ``==``, ``>=``, ``<=``, ``!=``
    - ``1.x`` is ``1.*``; a final dot is dropped
    - ``>=3.6.*`` is ``>=3.6`` (likewise ``>``, ``<``, ``<=``, ``~=``): they know no prefixes
    - ``~=2`` and ``~=2.*`` are ``==2.*``
    - ``>=1.9+local`` is ``>=1.9``: order knows no local versions
    - ``>=2011k`` is ``>=2011``, the longest beginning that is a version; ``>=2004-01-15`` is
      ``>=2004.01.15``
    - ``!=2011k`` has no effect: no release can have that version. ``==2011k`` has no reading:
      any other version would be another release.
    """
    operator = _OPERATORS.get(operator, operator)
    version = re.sub(r"(?:\.\*){2,}$", ".*", re.sub(r"\.[xX]\b", ".*", version.rstrip(".")))
    if operator in ("==", "!="):
        if _valid_specifiers(operator + version):
            return operator + version
        return "" if operator == "!=" and version else None
    if operator not in (">=", "<=", ">", "<", "~="):
        return None
    version = version.partition("+")[0].removesuffix(".*")
    version = re.sub(r"^(\d{4})-(\d\d?)-(\d\d?)$", r"\1.\2.\3", version)
    known = _longest_version(version)
    if known is None:
        return None
    if operator == "~=" and known.isdigit():
        return f"=={known}.*"
    return operator + known


def _longest_version(text: str) -> str | None:
    """The longest beginning that is a version and ends where a part of it ends."""
    for end in range(len(text), 0, -1):
        if text[end - 1].isalnum() and _is_version(text[:end]):
            return text[:end]
    return None


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _marker(text: str) -> str:
    """The marker with its bare values quoted and without parentheses that belong elsewhere."""
    text = text.strip(" ;\t")
    while text.endswith(")") and text.count(")") > text.count("("):
        text = text[:-1].rstrip()
    return re.sub(
        r"((?:==|!=|>=|<=|>|<)\s*)([A-Za-z0-9][A-Za-z0-9._*]*)(?=\s*(?:$|\)|and\b|or\b))",
        r'\1"\2"',
        text,
    )


def _valid_requirement(text: str) -> bool:
    try:
        Requirement(text)
    except (InvalidRequirement, RecursionError):
        return False
    return True


def _valid_specifiers(text: str) -> bool:
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return False
    return True
