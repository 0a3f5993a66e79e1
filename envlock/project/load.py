"""Everything a project says → ``Request``."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from packaging.specifiers import SpecifierSet

from envlock.errors import UsageError
from envlock.io.files import read_text
from envlock.lock.request import Request, Wish
from envlock.lock.target import Target
from envlock.project.dates import check_range, parse_absolute
from envlock.project.direct import is_url
from envlock.project.document import Document, KeyPath, read_toml, shown_path
from envlock.project.formats.pyproject import read_project
from envlock.project.formats.uv_table import (
    PYPROJECT_BASE,
    exclude_newer,
    read_uv_dependencies,
    read_uv_options,
)
from envlock.project.local_sources import local_sources
from envlock.project.locate import Project, plain_files
from envlock.project.part import Part, merge
from envlock.project.settings.check import CheckSettings
from envlock.project.settings.table import Settings, read_settings
from envlock.project.wishes import make_wish, parse_requirement

_BASES: dict[str, KeyPath] = {
    "pyproject": ("tool", "envlock"),
    "script": ("tool", "envlock"),
    "envlock-toml": (),
    "requirements": (),
}
_PATCHES = 100

DefaultPython = Callable[[str | None, str | None, datetime | None], str]
"""``requires-python``, the distribution that is to provide the Python, the project's date → a
Python."""
DefaultBase = Callable[[str, datetime | None, tuple[str, ...]], str]
"""A distribution's name, the project's date, its Pythons → a release: ``debian:bookworm``."""


def load_request(
    project: Project,
    *,
    platform: str,
    default_python: DefaultPython,
    default_base: DefaultBase | None = None,
    now: datetime,
) -> Request:
    """Read all that ``project`` names and put it together.

    Args:
        project: from ``locate``.
        platform: this machine's, used when no targets are written.
        default_python: gives a Python (``3.11``) for the project's ``requires-python`` and the
            distribution that is to provide it (``debian:bookworm``; None: none); called only when
            neither the settings, nor ``.python-version``, nor environment.yml name one.
        default_base: gives the release where the settings name a distribution without one; None
            leaves it as it is.
        now: the present; no as-of may lie after it.

    Raises:
        UsageError: something cannot be read, understood or honoured; says where and what to do.
    """
    return assemble(
        project,
        read_source(project),
        platform=platform,
        default_python=default_python,
        default_base=default_base,
        now=now,
    )


def assemble(
    project: Project,
    document: Document,
    *,
    platform: str,
    default_python: DefaultPython,
    default_base: DefaultBase | None = None,
    now: datetime,
) -> Request:
    """``load_request`` for a ``project.source`` whose text is at hand already (or planned).

    Raises:
        UsageError: as there.
    """
    if project.name is not None and project.kind == "requirements":
        raise UsageError(
            f'there is no environment "{project.name}", since there are no settings',
            where=str(project.root),
            remedy=f"run `envlock init`, then add a table [env.{project.name}] to envlock.toml",
        )
    settings = read_settings(document, _BASES[project.kind], name=project.name, now=now)
    uv = _uv_options(project, document)
    parts = _parts(project, document, settings)
    part = merge([*parts, read_uv_options(*uv, root=project.root)] if uv else parts)
    _refuse_nothing(project, settings, part)
    as_of = settings.as_of or _uv_bound(uv, now)
    os = settings.os
    if os and ":" not in os.base and default_base is not None:
        os = replace(os, base=default_base(os.base, as_of, settings.python))
        settings = replace(settings, os=os)
    constraints = tuple(dict.fromkeys(part.constraints + _constraints(project, settings)))
    overrides = tuple(dict.fromkeys(part.overrides + _overrides(project, settings)))
    return Request(
        os_base=os.base if os else None,
        os_packages=os.packages if os else (),
        os_build_packages=os.build_packages if os else (),
        os_components=os.components if os else (),
        os_recommends=os.recommends if os else False,
        os_libraries=os.libraries if os else True,
        os_auto=os.auto if os else False,
        os_ignore_libraries=os.ignore_libraries if os else (),
        os_mirrors=os.mirrors if os else (),
        os_keyring=os.keyring if os else None,
        sources=settings.sources,
        nix=settings.nix,
        guix=settings.guix,
        image_base=settings.image,
        build_exceptions=settings.build_exceptions if settings.sources else (),
        build_exception_reasons=settings.build_exception_reasons if settings.sources else (),
        build_requires=settings.build_requires if settings.sources else (),
        interpreter=_interpreter(settings),
        wishes=part.wishes,
        constraints=constraints,
        overrides=overrides,
        local_sources=local_sources((*part.wishes, *constraints, *overrides), project.root),
        targets=_targets(project, settings, part, platform, default_python, as_of),
        extras=settings.extras,
        groups=settings.groups,
        requires_python=part.requires_python,
        as_of=as_of,
        prereleases=settings.prereleases or part.prereleases,
        only_binary=tuple(sorted({*settings.only_binary, *part.only_binary})),
        no_binary=tuple(sorted({*settings.no_binary, *part.no_binary})),
        default_index=part.default_index,
        index_urls=part.extra_indexes,
        find_links=part.find_links,
        no_index=part.no_index,
        allow_undated=tuple(sorted({_undated(item) for item in settings.allow_undated})),
    )


def _interpreter(settings: Settings) -> str | None:
    said = settings.interpreter
    missing = {"os": settings.os, "nixpkgs": settings.nix}
    if said in missing and missing[said] is None:
        table = {
            "os": 'add [tool.envlock.os] with base = "debian:bookworm"',
            "nixpkgs": "add a table [tool.envlock.nix]",
        }[said]
        raise UsageError(
            f'interpreter = "{said}", but nothing of it is locked',
            where=settings.place("interpreter"),
            remedy=table,
        )
    return said


def load_check_settings(project: Project, *, now: datetime) -> CheckSettings:
    """What the project says of differences.

    Raises:
        UsageError: the settings are wrong.
    """
    settings = read_settings(read_source(project), _BASES[project.kind], name=project.name, now=now)
    return settings.check or CheckSettings()


def read_source(project: Project) -> Document:
    """The file that holds the settings; an empty table where there are none.

    Raises:
        UsageError: it cannot be read.
    """
    if project.kind == "requirements":
        # No settings: an empty table, whose name is that of the file for messages.
        return Document(shown=project.source.name, text="", table={})
    if project.kind == "script":
        from envlock.project.formats.script import read_script

        return read_script(project.source, shown=shown_path(project.source, project.root))
    return read_toml(project.source, project.source.name)


def _parts(project: Project, document: Document, settings: Settings) -> list[Part]:
    parts: list[Part] = []
    root = project.root
    files = settings.requirements
    if project.kind == "pyproject":
        parts.append(
            read_project(
                document,
                root=root,
                extras=() if _extras_in_files(files) else settings.extras,
                groups=settings.groups,
                extras_where=settings.place("extras"),
                groups_where=settings.place("groups"),
                files_given=bool(files),
            )
        )
    elif project.kind == "script":
        from envlock.project.formats.script import read_script_part

        parts.append(read_script_part(document, root=root))
    if project.kind in ("pyproject", "script"):
        parts.append(read_uv_dependencies(document, root=root))
    elif settings.groups:
        raise UsageError(
            "dependency groups stand in a pyproject.toml, and there is none",
            where=settings.place("groups"),
            remedy="name the files that hold the requirements: requirements = […]",
        )
    if project.kind == "requirements":
        files = (project.source.name,)
    for name in files or ():
        parts += _file_parts(name, root, settings)
    if settings.extras and project.kind != "pyproject" and not _extras_in_files(files):
        raise UsageError(
            "extras are declared by a pyproject.toml or setup.cfg, and there is none",
            where=settings.place("extras"),
            remedy="take `extras` away",
        )
    return parts


def _extras_in_files(files: tuple[str, ...] | None) -> bool:
    return any(Path(name).name == "setup.cfg" for name in files or ())


def _file_parts(name: str, root: Path, settings: Settings) -> list[Part]:
    """What one file of ``requirements = […]`` asks for, by its kind."""
    # Imported here, as each kind is met: most projects have none of them.
    from envlock.project.formats.requirements_file import read_lines, read_requirements

    path = Path(os.path.normpath(root / name))
    shown = shown_path(path, root)
    where = settings.place("requirements", name)
    if not path.is_file():
        raise UsageError(f"no such file: {name}", where=where, remedy=f"paths count from {root}")
    if path.suffix in (".yml", ".yaml"):
        from envlock.project.formats.environment_yml import read_environment

        conda = read_environment(path, shown=shown, ignore=settings.conda_ignore)
        pythons = (conda.python,) if conda.python else ()
        bounds = Part(pythons=pythons, requires_python=conda.requires_python)
        return [read_lines(conda.pip, path=path, root=root), bounds]
    if path.name == "setup.cfg":
        from envlock.project.formats.setup_cfg import read_setup_cfg, setup_cfg_part

        setup = read_setup_cfg(path, shown=shown)
        extras_where = settings.place("extras")
        part = setup_cfg_part(setup, root=root, extras=settings.extras, extras_where=extras_where)
        return [part] + [
            read_requirements(path.parent / file_name, root=root, where=shown)
            for file_name in setup.files
        ]
    if path.suffix in (".toml", ".py"):
        raise UsageError(
            f"{name} is not a requirements file",
            where=where,
            remedy="requirements = […] takes pip's requirements files, environment.yml and"
            " setup.cfg",
        )
    return [read_requirements(path, root=root, where=where)]


def _refuse_nothing(project: Project, settings: Settings, part: Part) -> None:
    """A project without dependencies is fine; one whose dependencies were overlooked is not."""
    if part.wishes or settings.requirements is not None or project.kind == "script":
        return
    if project.kind == "requirements":
        raise UsageError(
            "asks for nothing", where=project.source.name, remedy="write one requirement a line"
        )
    beside = [path.name for path in plain_files(project.root)]
    if beside or project.kind == "envlock-toml":
        there = f", but {' and '.join(beside)} is there" if beside else ""
        example = beside[0] if beside else "requirements.in"
        raise UsageError(
            f"{project.source.name} asks for nothing{there}",
            where=project.source.name,
            remedy=f'name the file: requirements = ["{example}"], or say that nothing is meant:'
            " requirements = []",
        )


def _constraints(project: Project, settings: Settings) -> tuple[Wish, ...]:
    found = []
    for text in settings.constraints:
        where = settings.place("constraints", text)
        requirement = parse_requirement(text, where=where)
        if requirement.extras or (requirement.url is None and not requirement.specifier):
            what = "names extras" if requirement.extras else "constrains nothing"
            raise UsageError(
                f"{text!r} {what}",
                where=where,
                remedy="a constraint is a name with a bound (numpy<2); a file of them is named by"
                " a line `-c constraints.txt` in a requirements file",
            )
        found.append(make_wish(text, where=where, root=project.root))
    return tuple(found)


def _overrides(project: Project, settings: Settings) -> tuple[Wish, ...]:
    return tuple(
        make_wish(text, where=settings.place("overrides", text), root=project.root)
        for text in settings.overrides
    )


def _undated(item: str) -> str:
    """A path in the spelling that wishes and find-links have; URLs and names stay."""
    if is_url(item) and not item.startswith("file:"):
        return item
    return Path(os.path.normpath(item.removeprefix("file:"))).as_posix()


def _uv_options(project: Project, document: Document) -> tuple[Document, KeyPath] | None:
    """Where uv would read its options: a ``uv.toml`` beside the project hides ``[tool.uv]``."""
    own = project.root / "uv.toml"
    if project.kind != "script" and own.is_file():
        return read_toml(own, own.name), ()
    return (document, PYPROJECT_BASE) if project.kind in ("pyproject", "script") else None


def _uv_bound(uv: tuple[Document, KeyPath] | None, now: datetime) -> datetime | None:
    """uv's ``exclude-newer`` where there is no as-of: an instant is honoured, all else refused."""
    found = exclude_newer(*uv) if uv else None
    if found is None:
        return None
    text, where = found
    instant = parse_absolute(text) if "T" in text.upper() else None
    if instant is None:
        raise UsageError(
            f"uv's exclude-newer = {text!r} means another instant in each time zone or on each day",
            where=where,
            remedy='write the date for envlock: [tool.envlock] as-of = "2026-03-01"',
        )
    return check_range(instant, text, now=now)


def _targets(
    project: Project,
    settings: Settings,
    part: Part,
    platform: str,
    default_python: DefaultPython,
    as_of: datetime | None,
) -> tuple[Target, ...]:
    where = settings.place("python")
    pythons = settings.python
    if not pythons and settings.needs_python:
        named = python_version_file(project.root)
        if named is not None:
            pythons, where = (named,), ".python-version"
        elif len(part.pythons) > 1:
            raise UsageError(
                f"the files fix different Pythons: {' and '.join(part.pythons)}",
                where=settings.place("requirements"),
                remedy=f'say which one is meant: python = "{part.pythons[0]}"',
            )
        else:
            base = (
                settings.os.base if settings.os and settings.interpreter in (None, "os") else None
            )
            pythons = part.pythons or (default_python(part.requires_python, base, as_of),)
    targets = settings.locked_targets(platform=platform, pythons=pythons)
    _refuse_overlap(targets, where)
    for target in targets:
        if part.requires_python and not allows(part.requires_python, target.python):
            raise UsageError(
                f"Python {target.python} (for {target.platform}) is not in the project's"
                f" requires-python, {part.requires_python}",
                where=where,
                remedy="change one of the two",
            )
    return targets


def _refuse_overlap(targets: tuple[Target, ...], where: str) -> None:
    """``3.11`` holds for every patch: beside it, ``3.11.7`` would be said twice."""
    whole = {(t.platform, t.series) for t in targets if t.python == t.series}
    for target in targets:
        if target.python != target.series and (target.platform, target.series) in whole:
            raise UsageError(
                f"{target.key} is already in {target.platform}@{target.series}",
                where=where,
                remedy="keep one of the two",
            )


def python_version_file(root: Path) -> str | None:
    """The Python that ``.python-version`` names, if it is a plain CPython version, else None.

    pyenv puts other things there, too (names of environments, PyPy): they say nothing here.
    """
    path = root / ".python-version"
    if not path.is_file():
        return None
    for line in read_text(path).splitlines():
        text = line.partition("#")[0].strip()
        if text:
            return text if re.fullmatch(r"3\.[0-9]+(\.[0-9]+)?", text) else None
    return None


def allows(requires_python: str, python: str) -> bool:
    """Whether ``python`` (``3.11``: some patch of it) satisfies the specifier."""
    specifier = SpecifierSet(requires_python)
    if python.count(".") == 2:
        return specifier.contains(python, prereleases=True)
    return any(specifier.contains(f"{python}.{patch}") for patch in range(_PATCHES))
