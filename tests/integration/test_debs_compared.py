"""How two .debs that dpkg-deb made of nearly the same tree differ."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.tools import run

from envlock.realise.debian.compare import Comparison, compare_debs

_CONTROL = (
    "Package: a\nVersion: 1\nArchitecture: all\nMaintainer: M <m@example.org>\nDescription: d\n"
)
TREE = {
    "DEBIAN/control": _CONTROL,
    "DEBIAN/md5sums": "0  usr/bin/tool\n",
    "usr/bin/tool": "one\ntwo\n",
    "usr/share/doc/a/changelog.gz": "first\nsecond\n",
}


def _deb(
    folder: Path,
    changes: Mapping[str, str | None],
    *,
    mode: int = 0o755,
    epoch: str = "1000000000",
    packed: str = "-Zxz",
    link: str | None = None,
) -> Path:
    tree = folder / "tree"
    for name, text in {**TREE, **changes}.items():
        if text is None:
            continue
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        packed_text = gzip.compress(text.encode(), mtime=0)
        path.write_bytes(packed_text if name.endswith(".gz") else text.encode())
        path.chmod(0o644)
    (tree / "usr/bin/tool").chmod(mode)
    if link is not None:
        (tree / "usr/bin/link").symlink_to(link)
    run(
        ["dpkg-deb", "--root-owner-group", packed, "--build", str(tree), str(folder / "a.deb")],
        env={"SOURCE_DATE_EPOCH": epoch},
    )
    return folder / "a.deb"


@pytest.fixture
def published(tmp_path: Path) -> Path:
    (tmp_path / "published").mkdir()
    return _deb(tmp_path / "published", {}, link="tool")


CASES = {
    "the same": ({}, {}, Comparison(state="identical")),
    "times": ({}, {"epoch": "900000000"}, Comparison(state="content-equal")),
    "compression": ({}, {"packed": "-Zgzip"}, Comparison(state="content-equal")),
    "a field": (
        {"DEBIAN/control": _CONTROL + "Section: misc\n"},
        {},
        Comparison(state="metadata-only", files=("~ DEBIAN/control: Section",)),
    ),
    "only md5sums": (
        {"DEBIAN/md5sums": "1  usr/bin/tool\n"},
        {},
        Comparison(
            state="metadata-only",
            files=("~ DEBIAN/md5sums: content",),
            first="line 1: '1  usr/bin/tool', then '0  usr/bin/tool'",
        ),
    ),
    "a list of configuration": (
        {"DEBIAN/conffiles": "", "DEBIAN/md5sums": None},
        {},
        Comparison(state="metadata-only", files=("+ DEBIAN/conffiles", "- DEBIAN/md5sums")),
    ),
    "content": (
        {"usr/bin/tool": "one\nthree\n", "DEBIAN/md5sums": "1  usr/bin/tool\n"},
        {},
        Comparison(
            state="different",
            files=("~ usr/bin/tool: content",),
            first="line 2: 'three', then 'two'",
        ),
    ),
    "content inside": (
        {"usr/share/doc/a/changelog.gz": "first\nlast\n"},
        {},
        Comparison(
            state="different",
            files=("~ usr/share/doc/a/changelog.gz: content",),
            first="line 2: 'last', then 'second'",
        ),
    ),
    "mode": (
        {},
        {"mode": 0o700},
        Comparison(state="different", files=("~ usr/bin/tool: mode",)),
    ),
    "target": (
        {},
        {"link": "other"},
        Comparison(state="different", files=("~ usr/bin/link: target",)),
    ),
    "more and less": (
        {"usr/bin/new": "", "usr/share/doc/a/changelog.gz": None},
        {},
        Comparison(
            state="different",
            files=(
                "+ usr/bin/new",
                "- usr/share",
                "- usr/share/doc",
                "- usr/share/doc/a",
                "- usr/share/doc/a/changelog.gz",
            ),
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_differs_is_named(published: Path, tmp_path: Path, name: str) -> None:
    changes, more, expected = CASES[name]
    (tmp_path / "built").mkdir()
    built = _deb(tmp_path / "built", changes, **{"link": "tool", **more})  # type: ignore[arg-type]
    assert compare_debs(built, published) == expected


def test_programs_are_told_apart_by_sections(tmp_path: Path) -> None:
    """gcc's own: another build id alone, and other code."""
    sources = {"one": ("0xaa", 1), "id": ("0xbb", 1), "code": ("0xaa", 2)}
    found = {}
    for name, (build_id, number) in sources.items():
        place = tmp_path / name
        (place / "tree/usr/bin").mkdir(parents=True)
        (place / "a.c").write_text(f"int main(void) {{ return {number}; }}")
        program = place / "tree/usr/bin/tool"
        run(["gcc", "-o", str(program), f"-Wl,--build-id={build_id}", str(place / "a.c")])
        found[name] = _deb(place, {"usr/bin/tool": None})
    only_id = compare_debs(found["id"], found["one"])
    assert only_id.files == ("~ usr/bin/tool: content",)
    assert only_id.first == "only its build id: code and data are the same"
    code = compare_debs(found["code"], found["one"])
    assert code.first is not None
    assert ".text" in code.first
    assert ".note.gnu.build-id" not in code.first
