"""What a project asks for, before anything is resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from envlock.lock.target import Target

if TYPE_CHECKING:
    from envlock.lock.toolchain import GuixRequest, NixRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One requirement, and where it was written.

    ``text`` is a normalized PEP 508 string (name normalized by PEP 503, specifiers sorted; a local
    path stands as ``name @ file:relative/path`` from the project's folder, ``.`` being the
    folder itself). ``origin`` is for people (``requirements.in:3``), never hashed. ``hashes`` are
    ``sha256:<hex>`` strings that limit the files (pip's ``--hash``). ``group`` is the dependency
    group or extra that brought it (``group:dev``, ``extra:plot``), or None.
    """

    text: str
    origin: str = field(default="", compare=False)
    hashes: tuple[str, ...] = ()
    editable: bool = False
    group: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """All a project asks for. Same request and as-of, same lock.

    ``as_of`` is None unless the project fixes a date. ``targets`` is never empty and sorted.
    ``requires_python`` is the project's own bound (PEP 440), for information and validation.
    ``index_urls`` and ``find_links`` are those that the project itself names (never the machine's
    configuration), without credentials, first one preferred; ``default_index`` replaces the
    machine's. ``allow_undated`` names find-links and local paths that may be used under a date.
    ``only_binary``/``no_binary`` hold normalized names or ``:all:``. ``os_base`` is a distribution
    (``debian:bookworm``) or None for no OS layer; ``os_packages`` its packages by name,
    ``os_build_packages`` those that are needed to build, and not to run.
    ``os_libraries`` is whether it is found out which system libraries wheels need (but those in
    ``os_ignore_libraries``, by soname); ``os_auto``, whether their packages are locked, too. Where
    they come from (``os_mirrors``, URLs) and whose keys are trusted (``os_keyring``, a path)
    decides nothing: whoever has the signed bytes will do. ``sources`` asks for what building from
    source needs, too: the source package of every OS package. ``nix`` and ``guix`` are None where
    the project does not ask for them. ``interpreter`` says what provides the Python (a key of
    ``interpreter.PROVIDERS``); None: the OS layer where there is one, else the machine.
    ``image_base`` is a whole reference to an image (``docker.io/library/debian:bookworm-slim``).
    ``local_sources`` says of each local path that wishes name (``../lib sha256:…``) what is there,
    as far as the answer depends on it.
    """

    wishes: tuple[Wish, ...] = ()
    constraints: tuple[Wish, ...] = ()
    overrides: tuple[Wish, ...] = ()
    targets: tuple[Target, ...]
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    requires_python: str | None = None
    as_of: datetime | None = None
    prereleases: bool = False
    only_binary: tuple[str, ...] = ()
    no_binary: tuple[str, ...] = ()
    default_index: str | None = None
    index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    allow_undated: tuple[str, ...] = ()
    os_base: str | None = None
    os_packages: tuple[str, ...] = ()
    os_components: tuple[str, ...] = ()
    os_build_packages: tuple[str, ...] = ()
    os_recommends: bool = False
    sources: bool = False
    os_libraries: bool = True
    os_auto: bool = False
    os_ignore_libraries: tuple[str, ...] = ()
    build_exceptions: tuple[str, ...] = ()
    build_exception_reasons: tuple[str, ...] = ()
    build_requires: tuple[str, ...] = ()
    os_mirrors: tuple[str, ...] = field(default=(), compare=False)
    os_keyring: str | None = field(default=None, compare=False)
    nix: NixRequest | None = None
    guix: GuixRequest | None = None
    interpreter: str | None = None
    image_base: str | None = None
    local_sources: tuple[str, ...] = ()

    def canonical(self) -> dict[str, Any]:
        """The content that decides the answer, as JSON values: no origins, no order of writing.

        ``as-of`` is left out: it is compared on its own (a lock made "now" keeps its date).
        Empty values are left out, so that keys added later change no digest.
        """
        content: dict[str, Any] = {
            "requirements": _texts(self.wishes),
            "constraints": _texts(self.constraints),
            "overrides": _texts(self.overrides),
            "targets": sorted(t.key for t in self.targets),
            "extras": sorted(set(self.extras)),
            "groups": sorted(set(self.groups)),
            "requires-python": self.requires_python,
            "prereleases": self.prereleases,
            "only-binary": sorted(set(self.only_binary)),
            "no-binary": sorted(set(self.no_binary)),
            "default-index": self.default_index,
            "index-urls": list(self.index_urls),
            "find-links": list(self.find_links),
            "no-index": self.no_index,
            "allow-undated": sorted(set(self.allow_undated)),
            "os-base": self.os_base,
            "os-packages": sorted(set(self.os_packages)),
            "os-build-packages": sorted(set(self.os_build_packages)),
            "os-components": sorted(set(self.os_components)),
            "os-recommends": self.os_recommends,
            "sources": self.sources,
            "os-auto": self.os_auto,
            "os-ignore-libraries": sorted(set(self.os_ignore_libraries)),
            # What is true is left out where it is the default, so that older digests stay.
            "os-no-libraries": not self.os_libraries,
            "build-exceptions": sorted(set(self.build_exceptions)),
            "build-exception-reasons": sorted(set(self.build_exception_reasons)),
            "build-requires": sorted(set(self.build_requires)),
            "interpreter": self.interpreter,
            "image-base": self.image_base,
            "local-sources": sorted(self.local_sources),
        }
        for part in (self.nix, self.guix):
            content |= {} if part is None else part.canonical()
        return {key: value for key, value in content.items() if value}


def _texts(wishes: tuple[Wish, ...]) -> list[str]:
    """Each wish as one line, as a requirements file would write it; sorted, without repetition."""
    return sorted({wish_line(wish) for wish in wishes})


def wish_line(wish: Wish) -> str:
    """``-e`` before and ``--hash`` after the text, where they apply."""
    prefix = "-e " if wish.editable else ""
    return prefix + " ".join([wish.text, *(f"--hash={h}" for h in sorted(wish.hashes))])


def parse_wish_line(line: str, *, origin: str = "") -> Wish:
    """The inverse of ``wish_line`` (``origin`` and ``group`` are not in a line)."""
    editable = line.startswith("-e ")
    text, *hashes = line.removeprefix("-e ").split(" --hash=")
    return Wish(text=text, origin=origin, hashes=tuple(hashes), editable=editable)
