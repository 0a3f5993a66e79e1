"""Made-up archives of a few packages, a request, and what apt installs for it.

The expectations are apt's: ``tests/integration/test_os_closure.py`` asks the real one, so that the
unit tests may take them for granted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from envlock.resolve.os.archive.index import IndexPart


def package(name: str, version: str = "1", **fields: str) -> str:
    """A paragraph; ``pre_depends="x"`` writes ``Pre-Depends: x``."""
    written = {
        "Package": name,
        "Version": version,
        "Architecture": "amd64",
        "Maintainer": "Nobody <nobody@example.org>",
        "Priority": "optional",
        "Filename": f"./{name}_{version}.deb",
        "Size": "10",
        "SHA256": hashlib.sha256(f"{name} {version} {fields}".encode()).hexdigest(),
        "Description": name,
    }
    written |= {key.replace("_", "-").title(): value for key, value in fields.items()}
    return "".join(f"{key}: {value}\n" for key, value in written.items()) + "\n"


def part(text: str, *, suite: str = "made-up", priority: int = 500) -> IndexPart:
    """A ``Packages`` text as the solver takes it."""
    return IndexPart(
        suite=suite,
        component="main",
        architecture="amd64",
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        priority=priority,
        packages=text.encode,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One trial: ``expected`` is None where apt refuses."""

    label: str
    files: tuple[str, ...]
    request: tuple[str, ...]
    expected: str | None


def _case(label: str, text: str, request: str, expected: str | None) -> Case:
    return Case(label=label, files=(text,), request=tuple(request.split()), expected=expected)


_p = package
_A, _B, _C = (_p(name, provides="virt") for name in ("aa", "bb", "cc"))
_APP = _p("app", depends="virt")
_ZY = _p("zz") + _p("yy")

CASES: tuple[Case, ...] = (
    _case("first alternative", _p("app", depends="zz | yy") + _ZY, "app", "app zz"),
    _case("requested alternative", _p("app", depends="zz | yy") + _ZY, "app yy", "app yy"),
    _case(
        "a later clause is no reason", _p("app", depends="zz | yy, yy") + _ZY, "app", "app yy zz"
    ),
    _case(
        "an earlier request's choice serves",
        _p("zapp", depends="zz | yy") + _ZY + _p("b", depends="yy"),
        "b zapp",
        "b yy zapp",
    ),
    _case(
        "a later request's does not",
        _p("app", depends="zz | yy") + _ZY + _p("b", depends="yy"),
        "app b",
        "app b yy zz",
    ),
    _case(
        "broken alternative",
        _p("app", depends="zz | yy") + _p("zz", depends="nope") + _p("yy"),
        "app",
        "app yy",
    ),
    _case(
        "broken alternative leaves nothing behind",
        _p("app", depends="k | j")
        + _p("k", depends="a1, a2")
        + _p("a1")
        + _p("a2", depends="a3")
        + _p("a3", depends="nope")
        + _p("j"),
        "app",
        "app j",
    ),
    _case("too old", _p("app", depends="k (>= 2) | j") + _p("k") + _p("j"), "app", "app j"),
    _case(
        "no older version by itself",
        _p("app", depends="k (= 1)") + _p("k", "1") + _p("k", "2"),
        "app",
        None,
    ),
    _case(
        "older version on request",
        _p("app", depends="k (= 1)") + _p("k", "1") + _p("k", "2"),
        "app k=1",
        "app k",
    ),
    _case(
        "loop with a dead end",
        _p("app", depends="k") + _p("k", depends="l | m") + _p("l", depends="k, nope") + _p("m"),
        "app",
        "app k m",
    ),
    _case(
        "a needed package excludes the first alternative",
        _p("app", depends="zz | yy, m") + _ZY + _p("m", conflicts="zz"),
        "app",
        "app m yy",
    ),
    _case(
        "breaks likewise",
        _p("app", depends="zz | yy, m") + _ZY + _p("m", breaks="zz"),
        "app",
        "app m yy",
    ),
    _case(
        "excluded further down",
        _p("app", depends="k, m") + _p("k", depends="zz | yy") + _ZY + _p("m", conflicts="zz"),
        "app",
        "app k m yy",
    ),
    _case(
        "what the alternative needs is excluded",
        _p("app", depends="k | j, m")
        + _p("k", depends="zz")
        + _p("zz")
        + _p("j")
        + _p("m", conflicts="zz"),
        "app",
        "app j m",
    ),
    _case(
        "an alternative that excludes what is needed",
        _p("app", depends="zz, m | n") + _p("zz") + _p("m", breaks="zz") + _p("n"),
        "app",
        "app n zz",
    ),
    _case(
        "an alternative that excludes what is needed, further down",
        _p("app", depends="k, m | n")
        + _p("k", depends="zz")
        + _p("zz")
        + _p("m", breaks="zz")
        + _p("n"),
        "app",
        "app k n zz",
    ),
    _case(
        "an alternative that excludes a request",
        _p("app", depends="zz | yy") + _p("zz", breaks="m") + _p("yy") + _p("m"),
        "app m",
        "app m yy",
    ),
    _case(
        "two choices that exclude one another: the first stays",
        _p("app", depends="zz | yy, m | n") + _ZY + _p("m", breaks="zz") + _p("n"),
        "app",
        "app n zz",
    ),
    _case("two requests exclude one another", _p("a", conflicts="b") + _p("b"), "a b", None),
    _case(
        "a request excludes what another needs",
        _p("a", conflicts="c") + _p("b", depends="c") + _p("c"),
        "a b",
        None,
    ),
    _case("nothing there", _p("app", depends="nope"), "app", None),
    _case("last provider", _A + _B + _C + _APP, "app", "app cc"),
    _case("last provider of the file", _C + _B + _A + _APP, "app", "aa app"),
    _case("mentioned early", _p("q", depends="cc") + _A + _B + _C + _APP, "app", "app bb"),
    _case("suggested early", _p("q", suggests="cc") + _A + _B + _C + _APP, "app", "app bb"),
    _case(
        "priority first",
        _p("aa", provides="virt", priority="required") + _B + _C + _APP,
        "app",
        "aa app",
    ),
    _case(
        "important before priority",
        _p("aa", provides="virt", priority="required")
        + _p("bb", provides="virt", priority="extra", important="yes")
        + _APP,
        "app",
        "app bb",
    ),
    _case(
        "a real package before providers",
        _p("virt", priority="extra") + _p("aa", provides="virt", priority="required") + _APP,
        "app",
        "app virt",
    ),
    _case(
        "another's need of a provider does not sway the choice",
        _p("app", depends="v")
        + _p("w", depends="v (= 1)")
        + _p("aa", provides="v (= 1)")
        + _p("zz", provides="v (= 2)"),
        "app w",
        "aa app w zz",
    ),
    _case(
        "provided without version",
        _p("app", depends="v (>= 1)") + _p("k", provides="v"),
        "app",
        None,
    ),
    _case(
        "provided with version",
        _p("app", depends="v (>= 1)") + _p("k", provides="v (= 1)"),
        "app",
        "app k",
    ),
    _case("excludes itself", _p("app", conflicts="v", provides="v"), "app", "app"),
    _case(
        "excludes another provider",
        _p("app", conflicts="v", provides="v") + _p("k", provides="v"),
        "app k",
        None,
    ),
    _case("only provider requested", _p("k", provides="v"), "v", "k"),
    _case(":any of any", _p("app", depends="k:any") + _p("k"), "app", None),
    _case(":any foreign", _p("app", depends="k:any") + _p("k", multi_arch="foreign"), "app", None),
    _case(":any", _p("app", depends="k:any") + _p("k", multi_arch="allowed"), "app", "app k"),
    _case(
        ":any provided",
        _p("app", depends="v:any (>= 1)") + _p("k", multi_arch="allowed", provides="v (= 2)"),
        "app",
        "app k",
    ),
    _case(":native", _p("app", depends="k:native") + _p("k"), "app", "app k"),
    _case(":amd64", _p("app", depends="k:amd64") + _p("k", architecture="all"), "app", "app k"),
    _case("excludes a foreign one", _p("app", conflicts="k:i386") + _p("k"), "app k", "app k"),
    _case("excludes the native one", _p("app", conflicts="k:amd64") + _p("k"), "app k", None),
    _case(":i386", _p("app", depends="k:i386") + _p("k"), "app", None),
    Case(
        label="newest of several files",
        files=(_p("k", "1") + _p("app", depends="k"), _p("k", "2", depends="l") + _p("l")),
        request=("app",),
        expected="app k l",
    ),
    Case(
        label="last file's provider",
        files=(_A + _APP, _B, _C),
        request=("app",),
        expected="app cc",
    ),
)
