"""Direct references: URLs and local paths, in one spelling, without credentials."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from envlock.errors import UsageError

_USER = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<user>[^/\s]*)@")
# A password with an unescaped slash: no port, and an @ further on.
_SLASHED = re.compile(r"://[^/\s@\[]*:(?![0-9]*(?:/|\s|$))[^\s]*@")
_SCP = re.compile(r"(git\+)?[\w.-]+@[\w.-]+:(?!//)")
_ARCHIVES = (".whl", ".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tar.xz", ".tar")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FRAGMENTS = ("egg", "subdirectory", "sha256")


def refuse_credentials(text: str, *, where: str) -> None:
    """Let no user and password of a URL in ``text`` get further, not even into a message.

    A bare user is kept for ssh, where it is no secret; over http it may be a token, so only
    ``git`` is.

    Raises:
        UsageError: there are some.
    """
    for match in _USER.finditer(text):
        user = match["user"]
        ssh = match["scheme"].endswith("ssh")
        if user == "" or (":" not in user and (ssh or user == "git")):
            continue
        host = re.split(r"[/\s]", text[match.end() :], maxsplit=1)[0]
        raise _credentials(f" (for {host})" if host else "", where)
    if _SLASHED.search(text):
        raise _credentials("", where)


def _credentials(host: str, where: str) -> UsageError:
    return UsageError(
        f"a URL with credentials{host}",
        where=where,
        remedy="take them out of the file: put them into ~/.netrc or a keyring, or configure"
        " the index in uv.toml or pip.conf; a lock is read by many",
    )


def is_url(text: str) -> bool:
    """Whether ``text`` starts with a scheme that pip takes for a URL."""
    scheme = text.partition(":")[0].lower()
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", text)) and (
        "://" in text or scheme == "file" or "+" in scheme
    )


def is_path(text: str) -> bool:
    """Whether ``text`` (a requirement without its marker) is a local path, as pip judges it.

    With a separator it is one; without, an archive's ending decides (``x-1.0.tar.gz``).
    """
    if text.startswith(".") or any(s in text for s in {"/", os.sep, os.altsep or "/"}):
        return True
    return text.lower().endswith(_ARCHIVES) and not re.search(r"[<>=!~]", text)


def canonical_reference(url: str, *, root: Path, where: str) -> str:
    """A URL or path in the spelling that wishes use.

    Local ones become ``file:relative/path`` from ``root``, percent-encoded. ``#egg=`` goes, other
    parts of the fragment are sorted.

    Raises:
        UsageError: an unknown scheme or fragment, credentials, a local path that is not there.
    """
    refuse_credentials(url, where=where)
    if _SCP.match(url):
        raise UsageError(
            f"{url!r} is ssh's short form, not a URL",
            where=where,
            remedy="write git+ssh://git@host/owner/name for git@host:owner/name",
        )
    if not is_url(url):
        path, _, fragment = url.partition("#")
        return _local(Path(path), fragment, root=root, where=where)
    scheme = url.partition(":")[0].lower()
    if scheme == "file":
        return _file_url(url, root=root, where=where)
    if "+" in scheme:
        return _vcs(url, scheme, where=where)
    if scheme not in ("http", "https"):
        raise UsageError(
            f"{url!r}: expected a URL with https:, file: or git+…:",
            where=where,
            remedy="fetch the file another way and name its path",
        )
    parts = _split(url, where)
    fragment = _fragment(parts.fragment, where)
    return urlunsplit((scheme, parts.netloc.lower(), parts.path, parts.query, fragment))


def _split(url: str, where: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"not a URL: {error}", where=where) from None
    if not host:
        raise UsageError(f"{url!r}: a URL without a host", where=where)
    return parts


def _vcs(url: str, scheme: str, *, where: str) -> str:
    kind, _, transport = scheme.partition("+")
    if kind != "git":
        raise UsageError(
            f"{kind} is not supported; only git is",
            where=where,
            remedy="name an archive (https://…) or a package from an index instead",
        )
    if transport not in ("https", "http", "ssh", "file", "git"):
        raise UsageError(
            f"{url!r}: expected git+https:, git+ssh: or git+file:",
            where=where,
            remedy="git+ssh://git@host/owner/name stands for git@host:owner/name",
        )
    address, _, fragment = url.partition("#")
    if transport == "ssh" and re.match(r"[^/]+:[^0-9/]", address.partition("://")[2]):
        raise UsageError(
            f"{url!r}: a colon after the host",
            where=where,
            remedy="write git+ssh://git@host/owner/name, with a slash",
        )
    if transport != "file":
        _split(address, where)
    fragment = _fragment(fragment, where)
    return f"{scheme}:{address.partition(':')[2]}" + (f"#{fragment}" if fragment else "")


def _file_url(url: str, *, root: Path, where: str) -> str:
    rest, _, fragment = url.partition(":")[2].partition("#")
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host.lower() not in ("", "localhost"):
            raise UsageError(
                f"{url!r}: a file URL with a host",
                where=where,
                remedy="write file:relative/path or file:///absolute/path",
            )
        rest = slash + path
    text = unquote(rest)
    if os.name == "nt" and re.match(r"/[A-Za-z]:", text):
        text = text[1:]
    return _local(Path(text), fragment, root=root, where=where)


def _local(path: Path, fragment: str, *, root: Path, where: str) -> str:
    absolute = Path(os.path.normpath(root / path))
    if not absolute.exists():
        raise UsageError(
            f"no such file or folder: {path}",
            where=where,
            remedy=f"local paths count from the project's folder, {root}",
        )
    if absolute.is_file() and not absolute.name.lower().endswith(_ARCHIVES):
        raise UsageError(
            f"{path}: expected a wheel (.whl), an sdist (.tar.gz) or a folder", where=where
        )
    fragment = _fragment(fragment, where)
    relative = relative_path(path, root=root, where=where)
    return "file:" + quote(relative, safe="/+~") + (f"#{fragment}" if fragment else "")


def relative_path(path: Path, *, root: Path, where: str) -> str:
    """``path`` from ``root`` with forward slashes (``.`` is the root itself, ``../x`` is fine).

    Raises:
        UsageError: the two share nothing but the file system's root, so that the answer would
            depend on the machine.
    """
    absolute = os.path.normpath(root / path)
    try:
        shared: str | None = os.path.commonpath([absolute, root])
    except ValueError:  # different drives
        shared = None
    if path.is_absolute() and shared in (None, root.anchor) and str(root) != root.anchor:
        raise UsageError(
            f"{path} lies outside of the project, at a place that only this machine knows",
            where=where,
            remedy="put it beside the project and write a relative path",
        )
    return Path(os.path.relpath(absolute, root)).as_posix()


def _fragment(fragment: str, where: str) -> str:
    """The fragment without ``egg``, its parts sorted."""
    if not fragment:
        return ""
    kept = []
    for part in fragment.split("&"):
        key, equals, value = part.partition("=")
        if key not in _FRAGMENTS or not equals or not value:
            raise UsageError(
                f"#{part}: expected egg=NAME, subdirectory=PATH or sha256=HEX",
                where=where,
                remedy="other digests than sha256 cannot be locked",
            )
        if key == "sha256" and not _SHA256.fullmatch(value):
            raise UsageError(f"#{part}: expected 64 lower-case hex digits", where=where)
        if key != "egg":
            kept.append(part)
    return "&".join(sorted(kept))


def egg(url: str) -> str | None:
    """``name[extra]`` of a ``#egg=`` fragment, decoded, or None."""
    for part in url.partition("#")[2].split("&"):
        key, _, value = part.partition("=")
        if key == "egg" and value:
            return unquote(value)
    return None


def name_from_file(file_name: str) -> str | None:
    """The normalized project name that a wheel's or sdist's file name says, or None."""
    try:
        if file_name.endswith(".whl"):
            return parse_wheel_filename(file_name)[0]
        return parse_sdist_filename(file_name)[0]
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None


def name_from_folder(folder: Path) -> str | None:
    """The normalized name in a folder's ``pyproject.toml`` or ``setup.cfg``, or None."""
    import configparser

    import tomli

    from envlock.io.files import read_text

    name: object = None
    if (folder / "pyproject.toml").is_file():
        try:
            project = tomli.loads(read_text(folder / "pyproject.toml")).get("project")
        except tomli.TOMLDecodeError:
            return None
        name = project.get("name") if isinstance(project, dict) else None
    if name is None and (folder / "setup.cfg").is_file():
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(read_text(folder / "setup.cfg"))
        except configparser.Error:
            return None
        name = parser.get("metadata", "name", fallback=None)
    return canonicalize_name(name) if isinstance(name, str) and name else None
