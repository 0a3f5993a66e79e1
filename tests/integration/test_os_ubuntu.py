"""Ubuntu, end to end: pockets, components and the snapshot service's paths; real apt agrees."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support.apt_root import AptRoot
from support.project import Project, errors_in
from support.snapshot import SnapshotServer
from support.tiny_archive import Deb, Files, TinySuite, signer

from envlock.lock.model import Lock

COMPONENTS = ("main", "restricted", "universe", "multiverse")
DATES = (datetime(2024, 5, 1, 9, tzinfo=UTC), datetime(2024, 8, 1, 15, 30, tzinfo=UTC))
SPRING, AUTUMN = "2024-06-01", "2024-09-01"
RELEASES = {
    "noble": ("24.04", "3.12", "2.39-0ubuntu8"),
    "jammy": ("22.04", "3.10", "2.35-0ubuntu3"),
}


def _pocket(
    codename: str, name: str, date: datetime, main: tuple[Deb, ...], **others: tuple[Deb, ...]
) -> Files:
    """One suite as Ubuntu writes it: the pocket is the Suite, the release the Codename."""
    version = RELEASES[codename][0]
    return TinySuite(
        name=codename + name,
        suite=codename + name,
        codename=codename,
        origin="Ubuntu",
        date=date,
        components=COMPONENTS,
        architectures=("amd64", "i386"),
        debs=main,
        others=others,
        more=f"Label: Ubuntu\nVersion: {version}\nSnapshots: https://snapshot.example.org/@ID@/",
    ).files(signer())


def _state(codename: str, date: datetime, *, patched: bool) -> Files:
    """The archive of one release; ``patched``: after some updates."""
    _, series, libc = RELEASES[codename]
    python, stdlib = f"python{series}", f"libpython{series}-stdlib"

    def pythons(version: str) -> tuple[Deb, ...]:
        needs = {"Depends": f"{stdlib} (= {version}), libc6 (>= 2.34)"}
        return (
            Deb(name=python, version=version, fields=needs),
            Deb(name=stdlib, version=version, fields={"Depends": "libssl3t64 | libssl3"}),
        )

    main = (
        Deb(name="libc6", version=libc, fields={"Multi-Arch": "same"}),
        Deb(
            name="bash",
            version="5.2.21-2ubuntu4",
            fields={"Essential": "yes", "Pre-Depends": "libc6 (>= 2.34)"},
        ),
        Deb(name="libssl3", version="3.0.13-0ubuntu3"),
        *pythons(f"{series}.3-1"),
    )
    graphs = (
        Deb(name="graphviz", version="2.42.2-9build1", fields={"Depends": "libgvc6, fonts | x"}),
        Deb(name="libgvc6", version="2.42.2-9build1"),
        Deb(name="fonts", version="1-1ubuntu1", architecture="all"),
    )
    drivers = (Deb(name="driver-550", version="550.54-0ubuntu1"),)
    toolkit = (
        Deb(name="toolkit", version="12.0~build1", fields={"Depends": "driver-550, libgvc6"}),
    )
    updates, fixes, security = (), (), ()
    if patched:
        updates = (Deb(name="libc6", version=f"{libc}.3"), *pythons(f"{series}.3-1ubuntu0.5"))
        # A security fix that an update has overtaken, and one that stands alone.
        fixes = (Deb(name="libc6", version=f"{libc}.2"), Deb(name="libssl3", version="3.0.13-1"))
        security = (Deb(name="libgvc6", version="2.42.2-9ubuntu0.1"),)
    return (
        _pocket(codename, "", date, main, restricted=drivers, universe=graphs, multiverse=toolkit)
        | _pocket(codename, "-updates", date, updates)
        | _pocket(codename, "-security", date, fixes, universe=security)
    )


@cache
def _states(codename: str) -> dict[str, dict[str, Files]]:
    spring, summer = DATES
    return {
        "ubuntu": {
            f"{spring:%Y%m%dT%H%M%SZ}": _state(codename, spring, patched=False),
            f"{summer:%Y%m%dT%H%M%SZ}": _state(codename, summer, patched=True),
        }
    }


@pytest.fixture(params=sorted(RELEASES))
def codename(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def archive(codename: str) -> Iterator[SnapshotServer]:
    with SnapshotServer(_states(codename)) as running:
        yield running


@pytest.fixture
def asking(project: Project, archive: SnapshotServer, codename: str) -> Project:
    (project.root / "archive.pgp").write_bytes(signer().public)
    return ask(project, archive, codename)


def ask(project: Project, archive: SnapshotServer, codename: str, **layer: Any) -> Project:
    table = {
        "base": f"ubuntu:{codename}",
        "keyring": "archive.pgp",
        # Ubuntu's service has no redirects: every instant has its own answer.
        "mirrors": [archive.every],
        "packages": ["graphviz"],
    }
    settings = {"targets": ["linux/amd64"], "os": table | layer}
    project.write(settings=settings | {"python": RELEASES[codename][1]})
    return project


def above_base(lock: Lock) -> frozenset[tuple[str, str]]:
    assert lock.os is not None
    return frozenset((p.name, p.version) for p in lock.os.packages if not p.base)


def by_apt(root: Path, url: str, codename: str, components: str, *names: str) -> frozenset[Any]:
    """What real apt installs from the same archive on top of the essential packages."""
    apt = AptRoot(root)
    suites = (codename, f"{codename}-updates", f"{codename}-security")
    apt.use_signed(signer().public, *(f"{url} {suite} {components}" for suite in suites))
    apt.update()
    apt.install_essential()
    found = apt.simulate(names)
    assert found is not None
    return found


def test_each_date_has_its_pockets_and_apt_agrees(
    asking: Project, archive: SnapshotServer, codename: str, tmp_path: Path
) -> None:
    _, series, libc = RELEASES[codename]
    answers = {}
    for as_of, asked in ((SPRING, "20240601T000000Z"), (AUTUMN, "20240901T000000Z")):
        lock = asking.lock(as_of=as_of)
        answers[as_of] = above_base(lock)
        url = f"{archive.base}/every/ubuntu/{asked}"
        names = ("graphviz", f"python{series}")
        theirs = by_apt(tmp_path / as_of, url, codename, "main universe", *names)
        assert answers[as_of] == theirs
        assert lock.os is not None
        assert [(a.archive, a.suite, a.snapshot) for a in lock.os.archives] == [
            ("ubuntu", codename + pocket, asked) for pocket in ("", "-security", "-updates")
        ]
        assert {a.components for a in lock.os.archives} == {("main", "universe")}
    spring, autumn = (dict(answers[as_of]) for as_of in (SPRING, AUTUMN))
    assert spring["libgvc6"] == "2.42.2-9build1"
    assert autumn["libgvc6"] == "2.42.2-9ubuntu0.1", "from the security pocket's universe"
    assert autumn[f"python{series}"] == f"{series}.3-1ubuntu0.5", "from the updates"
    [base] = asking.read().os.package("libc6")  # type: ignore[union-attr]
    assert (base.version, base.suite) == (f"{libc}.3", f"{codename}-updates")
    provider = f"ubuntu:{codename} python{series} {series}.3-1ubuntu0.5"
    assert f'provider = "{provider}"' in asking.lock_path.read_text()


def test_components_that_are_not_default_have_to_be_asked_for(
    asking: Project, archive: SnapshotServer, codename: str, tmp_path: Path
) -> None:
    ask(asking, archive, codename, packages=["toolkit"])
    said = asking.refused(code=2, as_of=AUTUMN)
    assert errors_in(said) == 1
    assert f"there is no package toolkit in {codename}, {codename}-updates" in said
    ask(asking, archive, codename, packages=["toolkit"], components=list(COMPONENTS))
    lock = asking.lock(as_of=AUTUMN)
    url = f"{archive.base}/every/ubuntu/20240901T000000Z"
    names = ("toolkit", f"python{RELEASES[codename][1]}")
    theirs = by_apt(tmp_path / "apt", url, codename, " ".join(COMPONENTS), *names)
    assert above_base(lock) == theirs
    # From now on the index of multiverse is at hand.
    ask(asking, archive, codename, packages=["toolkit"])
    said = asking.refused(code=2, as_of=AUTUMN)
    assert f"{codename} of 2024-08-01 has it (component multiverse)" in said


def test_now_comes_from_a_mirror(asking: Project, archive: SnapshotServer, codename: str) -> None:
    ask(asking, archive, codename, mirrors=[f"{archive.base}/live/ubuntu"])
    lock = asking.lock(as_of=None)
    assert lock.os is not None
    assert {a.snapshot for a in lock.os.archives} == {None}
    assert dict(above_base(lock))["libgvc6"] == "2.42.2-9ubuntu0.1"
    dated = ask(asking, archive, codename).lock(as_of=AUTUMN)
    assert above_base(dated) == above_base(lock), "any mirror has the same bytes"
