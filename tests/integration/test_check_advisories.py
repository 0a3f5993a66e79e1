"""``check --advisories``: records as they are published: files, folders, zips, addresses."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.index import LoopbackIndex
from support.project import PYTHON
from support.samples import package, small_lock

from envlock.cli.app import run
from envlock.lock import codec

HIT = {
    "schema_version": "1.7.0",
    "id": "PYSEC-2026-1",
    "modified": "2026-01-01T00:00:00Z",
    "aliases": ["CVE-2026-0001"],
    "summary": "Reads what it should not",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "Alpha.Lib"},
            "ranges": [
                {"type": "GIT", "repo": "https://example.org", "events": [{"introduced": "0"}]},
                {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]},
            ],
        }
    ],
}
YAML = """\
id: PYSEC-2026-1
modified: "2026-01-01T00:00:00Z"
aliases: [CVE-2026-0001]
affected:
- package:
    name: alpha-lib
    ecosystem: PyPI
  versions: ["1.0"]
  ranges:
  - type: ECOSYSTEM
    events:
    - introduced: "0"
    - fixed: "2.0"
"""
FOUND = [("AD001", "alpha-lib", ["PYSEC-2026-1", "CVE-2026-0001"])]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "requirements.in").write_text("alpha-lib\n")
    (folder / "pylock.toml").write_text(codec.dump(small_lock(package("alpha-lib", "1.0"))))
    return folder


def checked(
    root: Path, capfd: pytest.CaptureFixture[str], *places: object, code: int
) -> list[tuple[str, str, list[str]]]:
    capfd.readouterr()
    options = [text for place in places for text in ("--advisories", str(place))]
    found = run(["-C", str(root), "check", "--lock-only", *options, "--json"])
    out, err = capfd.readouterr()
    assert found == code, err
    if code > 1:
        assert "Traceback" not in err
        return []
    return [(d["code"], d["subject"], d["ids"]) for d in json.loads(out)["drift"]]


def other(number: int) -> dict[str, Any]:
    affected = [{"package": {"ecosystem": "PyPI", "name": f"other-{number}"}, "versions": ["1"]}]
    return {"id": f"PYSEC-2025-{number}", "modified": "2025-01-01T00:00:00Z", "affected": affected}


def test_every_form_says_the_same(
    root: Path, tmp_path: Path, index: LoopbackIndex, capfd: pytest.CaptureFixture[str]
) -> None:
    text = json.dumps(HIT, indent=2)
    (tmp_path / "one.json").write_text(text)
    (tmp_path / "answer.json").write_text(json.dumps({"vulns": [HIT]}))
    for kind, content in (("json", text), ("yaml", YAML)):
        folder = tmp_path / kind / "vulns" / "alpha"
        folder.mkdir(parents=True)
        (folder / f"PYSEC-2026-1.{kind}").write_text(content)
        (tmp_path / kind / "README.md").write_text("advisories")
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(50):
            archive.writestr(f"PYSEC-2025-{number}.json", json.dumps(other(number)))
        archive.writestr("PYSEC-2026-1.json", text)
    served = index.put("/osv/all.zip", (tmp_path / "all.zip").read_bytes())
    places = ("one.json", "answer.json", "json", "yaml", "all.zip")
    for place in (*(tmp_path / name for name in places), "../one.json", served):
        assert checked(root, capfd, place, code=1) == FOUND, place
    assert checked(root, capfd, tmp_path / "json", tmp_path / "yaml", code=1) == FOUND


def test_what_cannot_be_read_is_no_pass(
    root: Path, tmp_path: Path, index: LoopbackIndex, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = json.dumps(HIT)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("PYSEC-2026-1.json", whole)
        archive.writestr("cut.json", json.dumps(other(1))[:-9])
    (tmp_path / "half.zip").write_bytes((tmp_path / "all.zip").read_bytes()[:-60])
    content = bytearray((tmp_path / "all.zip").read_bytes())
    content[content.index(b"Reads")] ^= 1
    (tmp_path / "flipped.zip").write_bytes(content)
    (tmp_path / "cut.json").write_text(whole[:-5])
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "none.json").write_text('{"name": "alpha-lib"}')
    (tmp_path / "cut.yaml").write_text("id: [\n")
    (tmp_path / "empty").mkdir()
    names = ("all.zip", "half.zip", "flipped.zip", "cut.json", "list.json", "none.json")
    for name in (*names, "cut.yaml", "empty", "nowhere"):
        checked(root, capfd, tmp_path / name, code=2)
    served = index.put("/osv/half.zip", (tmp_path / "half.zip").read_bytes())
    for url in (served, f"{index.base}/osv/nowhere.zip"):
        checked(root, capfd, url, code=3)


def test_a_project_accepts_one_until_a_day(
    root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.json").write_text(json.dumps(HIT))
    (root / "requirements.in").unlink()
    text = (
        f'[project]\nname = "app"\nversion = "1"\nrequires-python = ">={PYTHON}"\n'
        "[tool.envlock.check]\n"
        'ignore = [{ id = "CVE-2026-0001", reason = "not reached", until = %s }]\n'
    )
    for until, found, words in (
        ("2999-12-31", [], "1 ignored"),
        ('"2999-12-31"', [], "1 ignored"),
        ("2020-01-01", FOUND, "until 2020-01-01, which is over"),
    ):
        (root / "pyproject.toml").write_text(text % until)
        assert checked(root, capfd, tmp_path / "one.json", code=bool(found)) == found
        run(["-C", str(root), "check", "--lock-only", "--advisories", str(tmp_path / "one.json")])
        assert words in capfd.readouterr().err
    for wrong in ('"soon"', "3", "2026-01-01T00:00:00Z"):
        (root / "pyproject.toml").write_text(text % wrong)
        checked(root, capfd, tmp_path / "one.json", code=2)


def test_options_that_exclude_one_another(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for options in (
        ["--lock-only"],
        ["--lock-only", "--python-only", "--online"],
        ["--portable", "--online"],
        ["--image", "x.tar", "--advisories", "y"],
    ):
        assert run(["-C", str(root), "check", *options]) == 2
    assert "Traceback" not in capfd.readouterr().err
