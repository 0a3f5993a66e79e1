"""The table of names against Debian's real indexes: packages exist and ship their libraries.

The machine's own apt sources give the indexes, also the lists of files (``Contents``).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.apt_root import AptRoot

from envlock.export.names import rows

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("names")]

_CONTENTS = """
Acquire::IndexTargets::deb::Contents-deb {
  MetaKey "$(COMPONENT)/Contents-$(ARCHITECTURE)";
  ShortDescription "Contents"; Description "files"; DefaultEnabled "true";
};
"""


def updated(root: Path, suite: str, *, contents: bool = False) -> AptRoot:
    apt = AptRoot(root)
    apt.use_machine_sources(suite)
    if contents:
        with (root / "apt.conf").open("a") as file:
            file.write(_CONTENTS)
    apt.update()
    return apt


def packages(apt: AptRoot) -> set[str]:
    """Real packages: what others merely provide or mention is none."""
    texts = (listing.path.read_text("utf-8") for listing in apt.listings())
    return {name for text in texts for name in re.findall(r"^Package: (\S+)$", text, re.M)}


@pytest.fixture(scope="module")
def bookworm(tmp_path_factory: pytest.TempPathFactory) -> AptRoot:
    return updated(tmp_path_factory.mktemp("names") / "bookworm", "bookworm", contents=True)


def test_bookworm_has_every_package_that_is_not_marked(bookworm: AptRoot) -> None:
    there = packages(bookworm)
    wanted = {n for row in rows() for n in row.debian if n not in dict(row.elsewhere)}
    assert len(wanted) > 900
    assert sorted(wanted - there) == []


def test_packages_that_are_marked_are_not_in_bookworm(bookworm: AptRoot) -> None:
    marked = {name for row in rows() for name, _ in row.elsewhere}
    assert sorted(marked & packages(bookworm)) == []


def test_a_package_that_is_marked_trixie_is_there(tmp_path: Path) -> None:
    there = packages(updated(tmp_path / "trixie", "trixie"))
    wanted = {name for row in rows() for name, suite in row.elsewhere if suite == "trixie"}
    assert len(wanted) > 30
    assert sorted(n for n in wanted if n not in there and f"{n}t64" not in there) == []


def test_every_library_is_shipped_by_a_package_of_its_line(bookworm: AptRoot) -> None:
    form = "$(FILENAME)"
    listed = bookworm.run("apt-get", "indextargets", "--format", form, "Created-By: Contents-deb")
    [path] = [p for p in listed.stdout.split() if p.endswith("_bookworm_main_Contents-amd64")]
    ships: dict[str, set[str]] = {}
    with Path(path).open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if ".so" in line and (match := re.match(r"(?:usr/)?lib/\S*?([^/\s]+)\s+(\S+)$", line)):
                owners = {owner.rpartition("/")[2] for owner in match[2].split(",")}
                ships.setdefault(match[1], set()).update(owners)
    wrong = [
        (row.debian[0], row.soname)
        for row in rows()
        if row.soname is not None and ships.get(row.soname, set()).isdisjoint(row.debian)
    ]
    assert wrong == []
