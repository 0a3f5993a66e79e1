"""What a .deb's maintainer scripts would do at a first installation, judged without running them.

Three answers: nothing that an image would notice; something that envlock does itself (``effects``,
alternatives); or neither, and then the package is refused by name.

``known`` has the packages whose scripts were read, by release. ``prerm``, ``postrm`` and ``config``
do not run at an installation, or only ask questions. Beyond the table, a script counts as harmless
when nothing is in it but control flow, literal ``update-alternatives --install`` lines, and
debhelper's sections of ``_HARMLESS``.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from envlock.errors import UsageError
from envlock.realise.image.deb import Deb
from envlock.realise.image.known import KNOWN, PYC, UPGRADE

_HARMLESS = {
    "dh_installdeb": UPGRADE,
    "dh_installinit": "starts services",
    "dh_installmenu": "menus of window managers",
    "dh_installsystemd": "starts services",
    "dh_installsystemduser": "starts services",
    "dh_makeshlibs": "the loader's cache, which envlock writes",
    "dh_python3": PYC,
}
"""debhelper's sections, and what they do that an image does not need."""

_SECTION = re.compile(
    r"^# Automatically added by (?P<tool>[a-z0-9_]+).*?^# End automatically added section$",
    re.M | re.S,
)
_CONTROL_FLOW = re.compile(
    r"""
      set\ -[eux]+ | exit\ 0 | exit\ 1 | : | fi | else | esac | ;; | then | \} | true
    | case\ "?\$\{?1\}?"?\ in
    | (if|elif)\ \[\ "?\$\{?1\}?"?\ =\ "?[a-z-]+"?\ \]\ *(;\ *then)?
    | \(?[a-z|*-]+\)\ *(;;)?
    | echo\ "[^`$;|&]*(\\?`?\\?\$1'?)?[^`$;|&]*"(\ >&2)?
    """,
    re.X,
)
_LAST = re.compile(r"(?<!;) ?;$")  # after the last command of a line it means nothing
_SHELL = re.compile(r"#! ?/bin/(sh|bash)( -e)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One choice of a group of alternatives (update-alternatives(1)).

    ``links`` are the group's own and its slaves': name, link, and the path this choice gives it.
    """

    name: str
    priority: int
    links: tuple[tuple[str, str, str], ...]

    @property
    def path(self) -> str:
        """What the group's own link leads to."""
        return self.links[0][2]


def _lzma() -> Alternative:
    names = ("more", "less", "diff", "cmp", "grep", "egrep", "fgrep", "cat")
    programs = {"lzma": "xz", "unlzma": "unxz", **{f"lz{name}": f"xz{name}" for name in names}}
    manual = "/usr/share/man/man1"
    links = [(name, f"/usr/bin/{name}", f"/usr/bin/{own}") for name, own in programs.items()]
    pages = [
        (f"{name}.1.gz", f"{manual}/{name}.1.gz", f"{manual}/{own}.1.gz")
        for name, own in programs.items()
    ]
    return Alternative(name="lzma", priority=20, links=(*links, *pages))


WORKED_OUT = {"xz-utils": (_lzma(),)}
"""Of packages whose scripts were read: alternatives that their scripts put together."""


def judge(deb: Deb, base: str) -> tuple[Alternative, ...]:
    """The alternatives that a package's scripts install; all else they do needs no doing.

    Raises:
        UsageError: they do something that matters, or that is not known.
    """
    known = deb.package in KNOWN.get(base, {})
    if known and deb.package in WORKED_OUT:
        return WORKED_OUT[deb.package]
    found: list[Alternative] = []
    for name in ("preinst", "postinst"):
        text = deb.files.get(name, b"").decode("utf-8", "replace")
        commands = _commands(text)
        if not known:
            unknown = next((line for line in commands if not _harmless(line)), None)
            if unknown is not None:
                raise _refused(deb, name, unknown)
        found += [
            _alternative(line, deb, name)
            for line in commands
            if "update-alternatives" in line and "--install" in line
        ]
    if not known:
        _check_triggers(deb)
    return tuple(found)


def _commands(text: str) -> list[str]:
    """The script's lines, joined where they continue, without comments and harmless sections."""
    if text.startswith("#!") and not _SHELL.fullmatch(text.partition("\n")[0].strip()):
        return [text.partition("\n")[0]]
    text = _SECTION.sub(lambda found: "" if found["tool"] in _HARMLESS else found[0], text)
    lines = (line.strip() for line in text.replace("\\\n", " ").splitlines())
    kept = (" ".join(line.split()) for line in lines if line and not line.startswith("#"))
    return [_LAST.sub("", line) for line in kept]


def _harmless(line: str) -> bool:
    return (
        _CONTROL_FLOW.fullmatch(line) is not None
        or re.fullmatch(r"update-alternatives [^`$;&|<>]*--install[^`$;&|<>]*( \|\| true)?", line)
        is not None
    )


def _alternative(line: str, deb: Deb, script: str) -> Alternative:
    try:
        words = shlex.split(line, comments=True)
        words = words[words.index("--install") + 1 :]
        for end in ("||", "&&", ";"):
            if end in words:
                words = words[: words.index(end)]
        link, name, path, priority, *rest = words
        links = [(name, link, path)]
        while rest:
            option, link, name, path, *rest = rest
            if option != "--slave":
                raise ValueError
            links.append((name, link, path))
        if any("$" in word or not word.startswith("/") for _, *pair in links for word in pair):
            raise ValueError
        if any("/" in word or word.startswith(".") for word, *_ in links):
            raise ValueError
        return Alternative(name=links[0][0], priority=int(priority), links=tuple(links))
    except ValueError:
        raise _refused(deb, script, line) from None


def _check_triggers(deb: Deb) -> None:
    for line in deb.files.get("triggers", b"").decode("utf-8", "replace").splitlines():
        kind, _, rest = line.strip().partition(" ")
        if kind.startswith("interest") or (kind.startswith("activate") and rest != "ldconfig"):
            raise _refused(deb, "triggers", line.strip())


def _refused(deb: Deb, script: str, line: str) -> UsageError:
    return UsageError(
        f"{deb.package} needs its maintainer scripts: {script} has `{line[:100]}`",
        where=deb.name,
        remedy="`envlock build image --mode scripts` runs them (Linux, mmdebstrap); or leave out"
        f" what asks for it: `envlock why {deb.package}`",
    )
