"""dpkg's database of an image's packages, as dpkg writes it once all are installed.

``status`` has every package, so that dpkg-query and scanners see it; ``info`` each package's
control files and list of paths; ``alternatives`` and ``triggers`` what later installations go by.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from envlock.realise.image.deb import Deb
from envlock.realise.image.scripts import Alternative

FOLDER = "var/lib/dpkg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A package that was unpacked.

    ``paths`` are its members as the archive writes them (``/.``, ``/bin/sh``), in its order;
    ``md5`` the digests of its configuration files by path.
    """

    deb: Deb
    paths: tuple[str, ...]
    md5: Mapping[str, str]


def status(packages: Iterable[Installed]) -> bytes:
    """``/var/lib/dpkg/status``: one paragraph a package, by name."""
    ordered = sorted(packages, key=lambda p: (p.deb.package, p.deb.architecture))
    return "".join(f"{_paragraph(package)}\n" for package in ordered).encode()


_ORDER = (
    *("Package", "Essential", "Protected", "Status", "Priority", "Section", "Installed-Size"),
    *("Origin", "Maintainer", "Bugs", "Architecture", "Multi-Arch", "Source", "Version"),
    *("Replaces", "Provides", "Depends", "Pre-Depends", "Recommends", "Suggests", "Breaks"),
    *("Conflicts", "Enhances", "Conffiles", "Description"),
)
"""The fields that dpkg knows, in the order in which it writes them; others follow as they come."""


def _paragraph(package: Installed) -> str:
    fields = {**package.deb.paragraph, "Status": "install ok installed"}
    entries = "".join(f"\n {entry}" for entry in _configuration(package))
    if entries:
        fields["Conffiles"] = entries
    known = [key for key in _ORDER if key in fields]
    keys = [*known, *(key for key in fields if key not in known)]
    return "".join(
        f"{key}:{'' if fields[key].startswith(chr(10)) else ' '}{fields[key]}\n" for key in keys
    )


def _configuration(package: Installed) -> Iterator[str]:
    """Configuration files with their digests; those to be removed at an upgrade (deb-conffiles(5))
    are not there, and dpkg says so."""
    for line in _lines(package.deb, "conffiles"):
        if line.startswith(_REMOVED):
            yield f"{line.removeprefix(_REMOVED).strip()} newconffile {_REMOVED.strip()}"
        elif line in package.md5:
            yield f"{line} {package.md5[line]}"


_REMOVED = "remove-on-upgrade "


def _lines(deb: Deb, name: str) -> list[str]:
    return [
        line.strip() for line in deb.files.get(name, b"").decode("utf-8", "replace").splitlines()
    ]


def conffiles(deb: Deb) -> tuple[str, ...]:
    """The paths of a package's configuration files (``/etc/issue``)."""
    return tuple(line for line in _lines(deb, "conffiles") if line.startswith("/"))


def info_files(package: Installed) -> dict[str, tuple[bytes, int]]:
    """Name in ``info/`` → content and mode."""
    deb = package.deb
    found = {
        f"{deb.info_name}.{name}": (content, 0o755 if name in deb.executable else 0o644)
        for name, content in deb.files.items()
        if name != "control"
    }
    found[f"{deb.info_name}.list"] = ("".join(f"{p}\n" for p in package.paths).encode(), 0o644)
    return dict(sorted(found.items()))


def triggers(packages: Iterable[Installed]) -> dict[str, bytes]:
    """Name in ``triggers/`` → content: who waits for what."""
    files: list[str] = []
    named: dict[str, list[str]] = {}
    for package in sorted(packages, key=lambda p: p.deb.package):
        for line in _lines(package.deb, "triggers"):
            kind, _, what = line.partition(" ")
            if kind not in ("interest", "interest-await", "interest-noawait"):
                continue
            waiting = package.deb.package + ("/noawait" if kind == "interest-noawait" else "")
            if what.startswith("/"):
                files.append(f"{what} {waiting}\n")
            elif what and "/" not in what:
                named.setdefault(what, []).append(f"{waiting}\n")
    found = {name: "".join(lines).encode() for name, lines in named.items()}
    if files:
        found["File"] = "".join(files).encode()
    return dict(sorted(found.items()))


def chosen(group: Iterable[Alternative]) -> Alternative:
    """Of one group's alternatives, the one that is in use: the highest priority, then the first."""
    return max(sorted(group, key=lambda a: a.path), key=lambda a: a.priority)


def alternatives_file(group: Iterable[Alternative]) -> bytes:
    """``/var/lib/dpkg/alternatives/NAME`` of one group."""
    members = sorted(group, key=lambda a: a.path)
    links: dict[str, str] = {}
    for member in members:
        for name, link, _ in member.links:
            links.setdefault(name, link)
    first, *slaves = links
    lines = ["auto", links[first]]
    for name in sorted(slaves):
        lines += [name, links[name]]
    lines.append("")
    for member in members:
        paths = {name: path for name, _, path in member.links}
        lines += [member.path, str(member.priority)]
        lines += [paths.get(name, "") for name in sorted(slaves)]
    lines.append("")
    return "".join(f"{line}\n" for line in lines).encode()
