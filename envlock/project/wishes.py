"""One requirement's text → ``Wish``, in the one spelling that the request's digest sees."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from envlock.errors import UsageError
from envlock.lock.request import Wish
from envlock.project.direct import (
    canonical_reference,
    egg,
    is_path,
    is_url,
    name_from_file,
    name_from_folder,
    refuse_credentials,
)

_EXAMPLE = 'write it like: numpy>=2, or: numpy==2.1.*; python_version < "3.13"'
_TRAILING_EXTRAS = re.compile(r"(?P<path>.+?)(?P<extras>\[[^\[\]]*\])$")


def spelled(requirement: Requirement, *, url: str | None = None) -> str:
    """The normalized PEP 508 text: name and extras by PEP 503, specifiers sorted."""
    extras = sorted({canonicalize_name(extra) for extra in requirement.extras})
    text: str = canonicalize_name(requirement.name)
    if extras:
        text += f"[{','.join(extras)}]"
    reference = url or requirement.url
    if reference:
        text += f" @ {reference}"
    else:
        text += str(requirement.specifier)
    if requirement.marker is not None:
        text += f"{' ' if reference else ''}; {requirement.marker}"
    return text


def parse_requirement(text: str, *, where: str) -> Requirement:
    """``text`` by PEP 508.

    Raises:
        UsageError: it is not one; the message says what was expected at which column.
    """
    refuse_credentials(text, where=where)
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        first, *rest = str(error).splitlines()
        expected = first[:1].lower() + first[1:]
        column = rest[-1].find("^") - 3 if rest and "^" in rest[-1] else 0
        place = f" (column {column})" if column > 0 else ""
        raise UsageError(
            f"{text!r} is not a requirement: {expected}{place}",
            where=where,
            remedy=_hint(text),
        ) from None


def _hint(text: str) -> str:
    if re.search(r"=[<>]", text):
        return "write >= and <=, not => and =<"
    if re.search(r"[A-Za-z0-9\]\s]=[^=]", text) and "@" not in text and ";" not in text:
        return "a version is pinned with two signs: name==1.2.3"
    return _EXAMPLE


def make_wish(
    text: str, *, where: str, root: Path, group: str | None = None, hashes: tuple[str, ...] = ()
) -> Wish:
    """A PEP 508 requirement as a wish; local references count from ``root``.

    Raises:
        UsageError: the text or its URL cannot be used.
    """
    requirement = parse_requirement(text, where=where)
    return wish_of(requirement, where=where, root=root, group=group, hashes=hashes)


def wish_of(
    requirement: Requirement,
    *,
    where: str,
    root: Path,
    group: str | None = None,
    hashes: tuple[str, ...] = (),
    editable: bool = False,
) -> Wish:
    """The same for a requirement that is parsed already.

    Raises:
        UsageError: its URL cannot be used.
    """
    url = None
    if requirement.url is not None:
        url = canonical_reference(requirement.url, root=root, where=where)
        if editable:
            _check_editable(url, root=root, where=where)
        _same_name(requirement.name, url, where)
    return Wish(
        text=spelled(requirement, url=url),
        origin=where,
        hashes=hashes,
        editable=editable,
        group=group,
    )


def make_direct_wish(
    text: str, *, where: str, root: Path, editable: bool = False, hashes: tuple[str, ...] = ()
) -> Wish:
    """A bare URL or path (``./lib[extra] ; marker``), or an editable one, as a wish.

    The name is that of ``#egg=``, the file's name or the folder's own metadata.

    Raises:
        UsageError: it cannot be used, or nothing tells its name.
    """
    refuse_credentials(text, where=where)
    separator = r"\s+;|;\s+" if is_url(text) else r";"
    body, *marker = re.split(separator, text, maxsplit=1)
    body, extras = _split_extras(body.strip())
    reference = canonical_reference(body, root=root, where=where)
    if editable:
        _check_editable(reference, root=root, where=where)
    name = _derived_name(body, reference, root=root)
    if name is None:
        raise UsageError(
            f"nothing tells the name of {body}",
            where=where,
            remedy=f"write it as: name @ {reference}",
        )
    full = f"{name}{extras} @ {reference}" + (f" ; {marker[0].strip()}" if marker else "")
    requirement = parse_requirement(full, where=where)
    _same_name(requirement.name, reference, where)
    return Wish(
        text=spelled(requirement, url=reference), origin=where, hashes=hashes, editable=editable
    )


def is_direct(text: str) -> bool:
    """Whether a requirement line is a bare URL or path rather than a PEP 508 requirement."""
    if re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[^\]]*\])?\s*@", text) and not is_url(text):
        return False
    if is_url(text):
        return True
    return is_path(_split_extras(text.partition(";")[0].strip())[0])


def _split_extras(body: str) -> tuple[str, str]:
    match = _TRAILING_EXTRAS.fullmatch(body)
    if match is None or "#" in match["path"]:
        return body, ""
    return match["path"].strip(), match["extras"]


def _derived_name(body: str, reference: str, *, root: Path) -> str | None:
    named = egg(body)
    if named:
        return named
    path = unquote(reference.partition("#")[0])
    if path.startswith("file:"):
        local = root / path.removeprefix("file:")
        if local.is_dir():
            return name_from_folder(local / _subdirectory(reference))
        return name_from_file(local.name)
    if path.startswith("git+"):
        return None
    return name_from_file(urlsplit(path).path.rpartition("/")[2])


def _subdirectory(reference: str) -> str:
    for part in reference.partition("#")[2].split("&"):
        if part.startswith("subdirectory="):
            return unquote(part.removeprefix("subdirectory="))
    return "."


def _same_name(name: str, reference: str, where: str) -> None:
    """A wheel or sdist says its own name; another one beside it is a slip."""
    file_name = unquote(urlsplit(reference).path).rpartition("/")[2]
    if not file_name.endswith(".whl"):
        return
    found = name_from_file(file_name)
    if found is None:
        raise UsageError(
            f"{file_name} is not a wheel's file name",
            where=where,
            remedy="wheels are called name-version-python-abi-platform.whl",
        )
    if found != canonicalize_name(name):
        raise UsageError(
            f"asks for {canonicalize_name(name)}, but {file_name} holds {found}",
            where=where,
            remedy=f"write {found} @ …, or name another file",
        )


def _check_editable(reference: str, *, root: Path, where: str) -> None:
    if not reference.startswith("file:"):
        raise UsageError(
            "only a folder can be installed as editable, not a URL",
            where=where,
            remedy="take -e away to lock that commit or file",
        )
    local = root / unquote(reference.partition("#")[0].removeprefix("file:"))
    if not local.is_dir():
        raise UsageError(
            f"{local.name} is a file; only a folder can be installed as editable",
            where=where,
            remedy="take -e away",
        )
