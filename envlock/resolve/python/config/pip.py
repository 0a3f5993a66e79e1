"""pip's configuration, as far as it says where packages come from.

Read are ``PIP_*`` variables and the sections ``[global]`` and ``[install]`` of pip's files, with
pip's precedence. See https://pip.pypa.io/en/stable/topics/configuration/.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from envlock.errors import UsageError
from envlock.io.files import read_text
from envlock.io.value import value
from envlock.resolve.python.config.settings import Settings, make_find_links, make_index

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    import configparser
    from collections.abc import Iterator, Mapping

_KEYS = ("index-url", "extra-index-url", "find-links", "no-index", "cert")
_ALIASES = {"pypi-url": "index-url", "i": "index-url", "f": "find-links"}
_TRUE = frozenset({"y", "yes", "t", "true", "on", "1"})
_FALSE = frozenset({"n", "no", "f", "false", "off", "0", ""})
_SECTIONS = ("global", "install")


@value
class _Value:
    text: str
    origin: str
    base: Path


def _parser() -> configparser.RawConfigParser:
    """Keys as pip reads them: ``--Index_URL`` is ``index-url``."""
    import configparser  # most machines have no such file

    parser = configparser.RawConfigParser()
    parser.optionxform = _key  # type: ignore[method-assign, assignment]
    return parser


def _key(written: str) -> str:
    return written.lower().replace("_", "-").removeprefix("--")


def read_pip(root: Path, environ: Mapping[str, str], home: Path, prefix: Path) -> Settings:
    """pip's settings for the Python in ``prefix``.

    Relative paths are taken from ``root``, as a pip that runs there would.

    Raises:
        UsageError: a file is malformed or unreadable; names it and, where known, the line.
    """
    sections: dict[str, dict[str, _Value]] = {name: {} for name in _SECTIONS}
    for path in pip_files(environ, home, prefix):
        for section, values in _read(path, root).items():
            sections[section] |= values
    values = {k: v for section in _SECTIONS for k, v in sections[section].items() if v.text}
    for key in _KEYS:
        variable = "PIP_" + key.upper().replace("-", "_")
        if environ.get(variable):
            values[key] = _Value(text=environ[variable], origin=variable, base=root)
    return _settings(values)


def pip_files(environ: Mapping[str, str], home: Path, prefix: Path) -> Iterator[Path]:
    """pip's existing configuration files, the weakest first."""
    named = environ.get("PIP_CONFIG_FILE")
    own = () if named and Path(named).exists() else _user_files(environ, home)
    found = (*_global_files(environ), *own, prefix / _basename(), *([Path(named)] if named else []))
    yield from (path for path in found if path.exists() and named != os.devnull)


def places(environ: Mapping[str, str], home: Path, prefix: Path) -> tuple[Path, ...]:
    """Where pip's configuration may be, whether it is there or not."""
    named = [Path(environ["PIP_CONFIG_FILE"])] if environ.get("PIP_CONFIG_FILE") else []
    return (*_global_files(environ), *_user_files(environ, home), prefix / _basename(), *named)


def _basename() -> str:
    return "pip.ini" if sys.platform == "win32" else "pip.conf"


def _global_files(environ: Mapping[str, str]) -> list[Path]:
    if sys.platform == "win32":
        return [Path(environ.get("PROGRAMDATA", "C:/ProgramData")) / "pip" / "pip.ini"]
    if sys.platform == "darwin":
        return [Path("/Library/Application Support/pip/pip.conf")]
    folders = [f for f in environ.get("XDG_CONFIG_DIRS", "").split(os.pathsep) if f]
    return [*(Path(f) / "pip/pip.conf" for f in folders or ["/etc/xdg"]), Path("/etc/pip.conf")]


def _user_files(environ: Mapping[str, str], home: Path) -> list[Path]:
    if sys.platform == "win32":
        roaming = Path(environ.get("APPDATA", home / "AppData/Roaming"))
        return [home / "pip" / "pip.ini", roaming / "pip" / "pip.ini"]
    legacy = home / ".pip" / "pip.conf"
    if sys.platform == "darwin":
        support = home / "Library" / "Application Support" / "pip"
        return [legacy, (support if support.is_dir() else home / ".config/pip") / "pip.conf"]
    base = environ.get("XDG_CONFIG_HOME")
    return [legacy, (Path(base) if base else home / ".config") / "pip" / "pip.conf"]


def _read(path: Path, root: Path) -> dict[str, dict[str, _Value]]:
    import configparser

    parser = _parser()
    try:
        parser.read_string(read_text(path), source=str(path))
    except configparser.Error as error:
        raise UsageError(
            f"not a pip configuration file: {_complaint(error)}",
            where=f"{path}:{_line(error)}",
            remedy="correct the file, or set PIP_CONFIG_FILE to another one",
        ) from None
    found: dict[str, dict[str, _Value]] = {}
    for section in _SECTIONS:
        if parser.has_section(section):
            found[section] = {
                _ALIASES.get(key, key): _Value(
                    text=text or "", origin=f"{path}: [{section}] {key}", base=root
                )
                for key, text in parser.items(section)
            }
    return found


def _line(error: configparser.Error) -> int:
    lines = getattr(error, "errors", None)
    if lines:
        return int(lines[0][0])
    return int(getattr(error, "lineno", None) or 1)


def _complaint(error: configparser.Error) -> str:
    import configparser

    if isinstance(error, configparser.MissingSectionHeaderError):
        return "a line before the first [section]"
    if isinstance(error, configparser.DuplicateOptionError):
        return f"{error.option} is set twice in [{error.section}]"
    if isinstance(error, configparser.DuplicateSectionError):
        return f"[{error.section}] occurs twice"
    return "a line that is neither [section] nor key = value"


def _settings(values: Mapping[str, _Value]) -> Settings:
    default = values.get("index-url")
    cert = values.get("cert")
    return Settings(
        extra_indexes=tuple(
            make_index(text, origin, base=base)
            for text, origin, base in _words(values.get("extra-index-url"))
        ),
        old_default=make_index(default.text, default.origin, base=default.base, default=True)
        if default
        else None,
        find_links=tuple(
            make_find_links(text, origin, base=base)
            for text, origin, base in _words(values.get("find-links"))
        ),
        no_index=_switched_on(values.get("no-index")),
        certificate=_certificate(cert) if cert else None,
    )


def _words(value: _Value | None) -> Iterator[tuple[str, str, Path]]:
    if value is not None:
        yield from ((word, value.origin, value.base) for word in value.text.split())


def _certificate(value: _Value) -> str:
    path = Path(value.base, Path(value.text).expanduser())
    if not path.exists():
        raise UsageError(f"no such CA bundle: {path}", where=value.origin, remedy="correct it")
    return str(path)


def _switched_on(value: _Value | None) -> bool:
    if value is None or value.text.lower() in _FALSE:
        return False
    if value.text.lower() in _TRUE:
        return True
    raise UsageError(
        f"no-index must be true or false, not {value.text!r}",
        where=value.origin,
        remedy="correct it",
    )
