"""The pip-tools engine: what it alone does, and that it answers as pip-compile itself does.

Oracle: real ``pip-compile`` on the same index with pip's own ``--uploaded-prior-to``. What all
engines share is in tests/contract/test_engines.py.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.index import LoopbackIndex, serving
from support.packages import make_wheel, source_tree
from support.tools import run

from envlock.errors import NoSolutionError, UsageError
from envlock.io.machine import machine_platform, running_python
from envlock.lock.request import Request, Wish
from envlock.lock.target import Target
from envlock.resolve.python.engines.engine import Question, Resolution
from envlock.resolve.python.engines.piptools import PipToolsEngine
from envlock.resolve.python.sources import FindLinks, Index, Sources

AS_OF = datetime(2024, 6, 1, tzinfo=UTC)
HERE = Target(platform=machine_platform(), python=running_python())


class Notes:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def step(self, text: str) -> None:
        pass

    def progress(self, done: int, total: int | None) -> None:
        pass

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def index() -> Iterator[LoopbackIndex]:
    with serving() as running:
        yield running


def question(index: LoopbackIndex, root: Path, *wishes: str, **more: Any) -> Question:
    asked = {k: more.pop(k) for k in ("targets", "overrides") if k in more}
    request = Request(
        wishes=tuple(Wish(text=w, origin=f"requirements.in:{n}") for n, w in enumerate(wishes, 1)),
        **({"targets": (HERE,)} | asked),
    )
    sources = Sources(indexes=(Index(url=index.url, default=True),))
    return Question(
        **({"request": request, "root": root, "as_of": AS_OF, "sources": sources} | more)
    )


def resolve(asked: Question, notes: Notes | None = None) -> Resolution:
    return PipToolsEngine().resolve(asked, notes or Notes())


def versions(resolution: Resolution) -> dict[str, str | None]:
    return {p.name: p.version for p in resolution.packages}


def other_platform() -> str:
    return "linux/arm64" if HERE.platform == "linux/amd64" else "linux/amd64"


@pytest.mark.parametrize(
    "targets",
    [
        (Target(platform=other_platform(), python=HERE.python),),
        (Target(platform=HERE.platform, python="3.9"),),
        (Target(platform=HERE.platform, python=f"{HERE.series}.99"),),
        (HERE, Target(platform=other_platform(), python=HERE.python)),
    ],
)
def test_only_what_it_runs_on(
    index: LoopbackIndex, tmp_path: Path, targets: tuple[Target, ...]
) -> None:
    with pytest.raises(UsageError, match=f"runs on \\({HERE.key}\\)") as caught:
        resolve(question(index, tmp_path, "app", targets=targets))
    assert "--engine uv" in (caught.value.remedy or "")
    assert index.requests == []


def test_this_very_patch_release_is_fine(index: LoopbackIndex, tmp_path: Path) -> None:
    index.add("app", "1.0", "2024-05-01")
    exact = ".".join(map(str, sys.version_info[:3]))
    asked = question(
        index, tmp_path, "app", targets=(Target(platform=HERE.platform, python=exact),)
    )
    assert versions(resolve(asked)) == {"app": "1.0"}


def test_overrides_are_refused_by_line(index: LoopbackIndex, tmp_path: Path) -> None:
    wrong = (Wish(text="lib==1", origin="pyproject.toml"),)
    with pytest.raises(UsageError, match="no overrides") as caught:
        resolve(question(index, tmp_path, "app", overrides=wrong))
    assert caught.value.where == "pyproject.toml"


def test_a_source_tree_without_building(index: LoopbackIndex, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    with pytest.raises(UsageError, match="only by building") as caught:
        resolve(question(index, tmp_path, "here @ file:here", build=False))
    assert caught.value.where == "requirements.in:1"
    name, content = make_wheel("there", "1.0")
    url = index.put(f"/direct/{name}", content)
    assert versions(resolve(question(index, tmp_path, f"there @ {url}", build=False))) == {
        "there": "1.0"
    }


def test_it_answers_as_pip_compile_does(index: LoopbackIndex, tmp_path: Path) -> None:
    """A made-up world of 12 projects and 60 dated versions, asked at three dates."""
    world = random.Random(11)
    names = [f"p{n}" for n in range(12)]
    for n, name in enumerate(names):
        for major in range(1, 6):
            needs = [f"{other}>={world.randint(1, 2)}" for other in names[n + 1 :][:2]]
            day = AS_OF - timedelta(days=200 - 40 * major - world.randint(0, 30))
            index.add(name, f"{major}.0", day, requires=needs)
    answers = []
    for days in (70, 35, 0):
        as_of = AS_OF - timedelta(days=days)
        found = versions(resolve(question(index, tmp_path, "p0", "p5", as_of=as_of)))
        assert found == compiled(index, tmp_path, ["p0", "p5"], as_of)
        answers.append(found)
    assert len({tuple(sorted(a.items())) for a in answers}) == 3


def compiled(
    index: LoopbackIndex, folder: Path, wishes: list[str], as_of: datetime
) -> dict[str, str]:
    """What pip-compile itself says, with the index's own upload times."""
    (folder / "oracle.in").write_text("\n".join(wishes) + "\n")
    stamp = as_of.strftime("%Y-%m-%dT%H:%M:%SZ")
    done = run(
        [sys.executable, "-m", "piptools", "compile", "--no-config", "--no-header",
         "--no-annotate", "--no-emit-options", "--allow-unsafe", "--strip-extras",
         "--index-url", index.url, "--uploaded-prior-to", stamp,
         "--output-file", "-", "--quiet", "oracle.in"],
        cwd=folder,
    )  # fmt: skip
    pins = [line.split("==") for line in done.stdout.splitlines() if "==" in line]
    return {name.strip(): version.strip() for name, version in pins}


def test_indexes_are_merged_and_the_true_place_is_locked(
    index: LoopbackIndex, tmp_path: Path
) -> None:
    """pip has no order of indexes: the newest version wins, wherever it is."""
    with serving("dated-html") as other:
        index.add("both", "1.0", "2024-05-01")
        other.add("both", "2.0", "2024-05-01")
        other.add("both", "3.0", "2024-07-01")
        index.add("first", "1.0", "2024-05-01", requires=["both"])
        places = (Index(url=index.url), Index(url=other.url, default=True))
        resolution = resolve(question(index, tmp_path, "first", sources=Sources(indexes=places)))
        assert {p.name: (p.version, p.index) for p in resolution.packages} == {
            "both": ("2.0", other.url),
            "first": ("1.0", index.url),
        }
        turned = resolve(question(index, tmp_path, "first", sources=Sources(indexes=places[::-1])))
        assert turned == resolution


def test_an_explicit_index_serves_nobody(index: LoopbackIndex, tmp_path: Path) -> None:
    with serving() as special:
        special.add("app", "2.0", "2024-05-01")
        index.add("app", "1.0", "2024-05-01")
        places = (Index(url=special.url, explicit=True), Index(url=index.url, default=True))
        resolution = resolve(question(index, tmp_path, "app", sources=Sources(indexes=places)))
        assert versions(resolution) == {"app": "1.0"}
        assert special.count() == 0


def test_an_index_that_fails_is_not_passed_over(
    index: LoopbackIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip itself would go on with the other index, and lock another file."""
    monkeypatch.setenv("ENVLOCK_HTTP_RETRIES", "0")
    with serving() as other:
        index.add("app", "1.0", "2024-05-01")
        other.fail("/simple/*", "500")
        places = (Index(url=other.url), Index(url=index.url, default=True))
        with pytest.raises(Exception, match="answered 500") as caught:
            resolve(question(index, tmp_path, "app", sources=Sources(indexes=places)))
        assert other.base in str(caught.value)


def test_the_machine_s_pip_settings_do_not_count(
    index: LoopbackIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add("app", "1.0", "2024-05-01")
    elsewhere = "http://127.0.0.1:9/simple"
    monkeypatch.setenv("PIP_INDEX_URL", elsewhere)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_REQUIRE_HASHES", "1")
    configured = Path(os.environ["HOME"], ".config", "pip", "pip.conf")
    configured.parent.mkdir(parents=True)
    configured.write_text(f"[global]\nindex-url = {elsewhere}\nno-binary = :all:\n")
    monkeypatch.delenv("PIP_CONFIG_FILE")
    (tmp_path / ".pip-tools.toml").write_text("[tool.pip-tools]\nno-such-option = true\n")
    monkeypatch.chdir(tmp_path)
    assert versions(resolve(question(index, tmp_path, "app"))) == {"app": "1.0"}


def test_a_proxy_is_not_asked_for_the_view(
    index: LoopbackIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index is reached as localhost, which needs no proxy; the view is on 127.0.0.1."""
    name, content = make_wheel("app", "1.0")
    index.put(f"/alone/{name}", content)
    digest = hashlib.sha256(content).hexdigest()
    page = (
        f'<!DOCTYPE html><html><body><a href="/alone/{name}#sha256={digest}"'
        f' data-upload-time="2024-05-01T00:00:00Z">{name}</a></body></html>'
    )
    index.put("/alone/simple/app/", page.encode(), "text/html")
    for variable in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "localhost")
    monkeypatch.delenv("NO_PROXY", raising=False)
    named = Index(url=index.base.replace("127.0.0.1", "localhost") + "/alone/simple", default=True)
    asked = question(index, tmp_path, "app", sources=Sources(indexes=(named,)))
    assert versions(resolve(asked)) == {"app": "1.0"}


def test_nothing_is_left_in_the_project(
    index: LoopbackIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add("app", "1.0", "2024-05-01")
    monkeypatch.chdir(tmp_path)
    resolve(question(index, tmp_path, "app"))
    assert list(tmp_path.iterdir()) == []


def test_files_of_the_chosen_version_follow_the_bounds(
    index: LoopbackIndex, tmp_path: Path
) -> None:
    """Yanked files of a version that is not, and files for other Pythons, are left out."""
    kept = index.add("app", "1.0", "2024-05-01", requires_python=">=3.8")
    index.add("app", "1.0", "2024-05-01", sdist=True, yanked="wrong archive")
    index.add("app", "1.0", "2024-05-01", build="2", requires_python="<3.8")
    [package] = resolve(question(index, tmp_path, "app")).packages
    assert [f.sha256 for f in package.files] == [kept.sha256]
    assert package.requires_python == ">=3.8"


def test_notes_of_yanked_and_unreadable_versions(index: LoopbackIndex, tmp_path: Path) -> None:
    index.add("app", "1.0", "2024-05-01")
    index.add("app", "2.0", "2024-05-01", requires=["not a requirement"])
    index.add("old", "1.0", "2024-05-01", yanked="security")
    notes = Notes()
    resolution = resolve(question(index, tmp_path, "app", "old==1.0"), notes)
    assert versions(resolution) == {"app": "1.0", "old": "1.0"}
    assert notes.notes[0].startswith("app==2.0 was left out: its metadata cannot be read (")
    assert notes.notes[1:] == ["old==1.0 is yanked: security"]


def test_a_conflict_says_who_asked_where(index: LoopbackIndex, tmp_path: Path) -> None:
    index.add("left", "1.0", "2024-05-01", requires=["lib<2"])
    index.add("lib", "1.0", "2024-05-01")
    index.add("lib", "2.0", "2024-05-01")
    with pytest.raises(NoSolutionError) as caught:
        resolve(question(index, tmp_path, "left", "lib>=2"))
    lines = caught.value.what.splitlines()
    assert "left 1.0 depends on lib<2" in lines
    assert "The user requested lib>=2" in lines
    assert lines[-1] == "through left (requirements.in:1) and lib>=2"


@pytest.mark.parametrize(
    ("wish", "said", "remedy"),
    [
        ("yank>1", "ignored the following yanked versions: 2.0", "the date"),
        ("new", "require a different python version: 1.0 Requires-Python >=3.99", "the target"),
        ("far", "no version satisfies far", "the target"),
        ("few>=3", "known are 1.0, 2.0", "the requirement"),
        ("gone", "no version satisfies gone", "spelling of gone"),
    ],
)
def test_why_no_version_will_do(
    index: LoopbackIndex, tmp_path: Path, wish: str, said: str, remedy: str
) -> None:
    index.add("yank", "1.0", "2024-05-01")
    index.add("yank", "2.0", "2024-05-01", yanked="")
    index.add("new", "1.0", "2024-05-01", requires_python=">=3.99")
    index.add("far", "1.0", "2024-05-01", tag="cp38-cp38-win_amd64")
    index.add("few", "1.0", "2024-05-01")
    index.add("few", "2.0", "2024-05-01")
    with pytest.raises(NoSolutionError) as caught:
        resolve(question(index, tmp_path, wish))
    assert said in caught.value.what
    assert remedy in (caught.value.remedy or "")
    assert index.base not in caught.value.what


def test_a_name_that_is_not_the_wheel_s(index: LoopbackIndex, tmp_path: Path) -> None:
    name, content = make_wheel("other", "1.0")
    url = index.put(f"/direct/{name}", content)
    with pytest.raises(UsageError, match="refuses a requirement"):
        resolve(question(index, tmp_path, f"app @ {url}"))


def test_a_name_that_is_not_the_folder_s(index: LoopbackIndex, tmp_path: Path) -> None:
    for path, content in source_tree("other", "1.0").items():
        (tmp_path / "here" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "here" / path).write_bytes(content)
    with pytest.raises(UsageError, match="expected 'app', but metadata has 'other'"):
        resolve(question(index, tmp_path, "app @ file:here"))


def test_find_links_pages(index: LoopbackIndex, tmp_path: Path) -> None:
    """A page of links elsewhere: the file's own address and digest are locked."""
    name, content = make_wheel("linked", "1.0")
    address = index.put(f"/elsewhere/{name}", content)
    page = index.put(
        "/links.html",
        f'<!DOCTYPE html><html><body><a href="{address}">{name}</a></body></html>'.encode(),
        "text/html",
    )
    sources = Sources(
        indexes=(Index(url=index.url, default=True),), find_links=(FindLinks(location=page),)
    )
    [package] = resolve(question(index, tmp_path, "linked", sources=sources)).packages
    assert package.index is None
    assert [(f.url, f.path) for f in package.files] == [(address, None)]
