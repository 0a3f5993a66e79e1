"""One suite for every Python engine, through the ``Engine`` protocol, on a loopback index.

Whatever resolves, a user gets the same: versions as of the date, every file that the target can
use and no other, dependencies, and errors of the same kind that name what matters. Where an index
has no upload times, or none are old enough, no engine answers.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.index import LoopbackIndex, Style, serving
from support.packages import make_sdist, make_wheel, source_tree

from envlock.errors import NoSolutionError, SourceError
from envlock.io.machine import machine_platform, running_python
from envlock.io.progress import SilentReporter
from envlock.io.value import changed
from envlock.lock.package import Dependency, PythonPackage
from envlock.lock.request import Request, Wish
from envlock.lock.target import Target
from envlock.resolve.lock import load_engine
from envlock.resolve.python.engines.engine import Engine, Question, Resolution, Upgrade
from envlock.resolve.python.sources import Credentials, FindLinks, Index, Sources

AS_OF = datetime(2024, 6, 1, tzinfo=UTC)
HERE = Target(platform=machine_platform(), python=running_python())
TAG = f"cp{HERE.series.replace('.', '')}"


@pytest.fixture(params=["uv", "pip-tools"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return load_engine(request.param)


@pytest.fixture
def index() -> Iterator[LoopbackIndex]:
    with serving() as running:
        yield running


class Asker:
    """Puts questions to one engine about one index."""

    def __init__(self, engine: Engine, index: LoopbackIndex, root: Path) -> None:
        self.engine = engine
        self.root = root
        self.sources = Sources(indexes=(Index(url=index.url, default=True),))

    def __call__(
        self, *wishes: str, constraints: tuple[str, ...] = (), as_of: datetime = AS_OF, **more: Any
    ) -> Resolution:
        # Where to look, not the request's flag of the same name.
        sources = more.pop("sources", self.sources)
        asked = {k: more.pop(k) for k in list(more) if k in Request.__dataclass_fields__}
        request = Request(
            wishes=tuple(Wish(text=w, origin=f"requirements.in:{n}") for n, w in enumerate(wishes)),
            constraints=tuple(Wish(text=c) for c in constraints),
            targets=(HERE,),
            **asked,
        )
        question = Question(
            request=request,
            root=self.root,
            as_of=as_of,
            sources=sources,
            **more,
        )
        return self.engine.resolve(question, SilentReporter())

    def versions(self, *wishes: str, **more: Any) -> dict[str, str | None]:
        return {p.name: p.version for p in self(*wishes, **more).packages}


@pytest.fixture
def ask(engine: Engine, index: LoopbackIndex, tmp_path: Path) -> Asker:
    return Asker(engine, index, tmp_path)


def only(resolution: Resolution, name: str) -> PythonPackage:
    [package] = [p for p in resolution.packages if p.name == name]
    return package


# --- the date -----------------------------------------------------------------------------------


def test_nothing_later_than_the_date(ask: Asker, index: LoopbackIndex) -> None:
    index.add("app", "1.0", "2024-05-01")
    index.add("app", "2.0", "2024-06-02")
    assert ask.versions("app") == {"app": "1.0"}
    assert ask.versions("app", as_of=AS_OF + timedelta(days=2)) == {"app": "2.0"}


def test_the_second_before_the_date_counts(ask: Asker, index: LoopbackIndex) -> None:
    index.add("app", "1.0", "2024-05-01")
    index.add("app", "2.0", "2024-05-31T23:59:59.999")
    assert ask.versions("app") == {"app": "2.0"}


def test_a_file_of_the_date_itself_is_too_late(ask: Asker, index: LoopbackIndex) -> None:
    index.add("app", "1.0", "2024-05-01")
    index.add("app", "2.0", "2024-06-01T00:00:00")
    assert ask.versions("app") == {"app": "1.0"}


def test_files_added_later_to_an_old_version_are_not_there(
    ask: Asker, index: LoopbackIndex
) -> None:
    kept = index.add("app", "1.0", "2024-05-01", sdist=True)
    index.add("app", "1.0", "2024-06-02")
    package = only(ask("app"), "app")
    assert [file.sha256 for file in package.files] == [kept.sha256]


def test_a_dependency_is_bounded_too(ask: Asker, index: LoopbackIndex) -> None:
    index.add("app", "1.0", "2024-05-01", requires=["lib"])
    index.add("lib", "1.0", "2024-05-01")
    index.add("lib", "2.0", "2024-07-01")
    assert ask.versions("app") == {"app": "1.0", "lib": "1.0"}


def test_nothing_is_old_enough(ask: Asker, index: LoopbackIndex) -> None:
    index.add("app", "1.0", "2024-07-01")
    with pytest.raises(NoSolutionError, match="app"):
        ask("app")


@pytest.mark.parametrize("style", ["json", "dated-html", "legacy-json"])
def test_wherever_the_index_keeps_its_times(engine: Engine, tmp_path: Path, style: Style) -> None:
    with serving(style) as index:
        old = index.add("app", "1.0", "2024-05-01T10:00:00.5")
        index.add("app", "2.0", "2024-06-02")
        package = only(Asker(engine, index, tmp_path)("app"), "app")
    assert package.version == "1.0"
    assert package.files[0].upload_time == old.uploaded


def test_an_index_without_times_is_refused(engine: Engine, tmp_path: Path) -> None:
    with serving("undated-html") as index:
        index.add("app", "1.0", "2024-05-01")
        with pytest.raises(SourceError, match="upload times") as caught:
            Asker(engine, index, tmp_path)("app")
        assert index.base in str(caught.value)


# --- what an entry holds ------------------------------------------------------------------------


def test_every_usable_file_and_no_other(ask: Asker, index: LoopbackIndex) -> None:
    same = {"name": "Demo.App", "version": "1.0", "upload_time": "2024-05-01T01:02:03.004"}
    pure = index.add(**same)  # type: ignore[arg-type]
    machine = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}[HERE.platform]
    manylinux = f"manylinux_2_17_{machine}.manylinux2014_{machine}"
    here = index.add(**same, tag=f"{TAG}-{TAG}-{manylinux}")  # type: ignore[arg-type]
    index.add(**same, tag=f"{TAG}-{TAG}-win_amd64")  # type: ignore[arg-type]
    index.add(**same, tag=f"cp38-cp38-{manylinux}")  # type: ignore[arg-type]
    source = index.add(**same, sdist=True)  # type: ignore[arg-type]
    package = only(ask("demo-app"), "demo-app")
    assert (package.name, package.version, package.marker) == ("demo-app", "1.0", None)
    assert package.index == index.url
    assert {w.name: w.sha256 for w in package.wheels} == {
        pure.name: pure.sha256,
        here.name: here.sha256,
    }
    assert package.sdist is not None
    for file, stored in zip(
        package.files,
        [*sorted((pure, here), key=lambda s: s.name), source],
        strict=True,
    ):
        assert (file.name, file.url) == (stored.name, index.file_url(stored))
        assert (file.sha256, file.upload_time) == (stored.sha256, stored.uploaded)
        assert file.size in (len(stored.content), None)
        assert file.path is None


def test_dependencies_extras_and_markers(ask: Asker, index: LoopbackIndex) -> None:
    day = "2024-05-01"
    index.add(
        "app",
        "1.0",
        day,
        requires=["lib>=1", "never; sys_platform == 'plan9'"],
        extras={"fast": ["speed", "app[more]"], "more": ["extra-one"], "unused": ["unused"]},
    )
    for name in ("lib", "never", "speed", "extra-one", "unused", "other"):
        index.add(name, "1.0", day, requires=["lib"] if name == "speed" else [])
    resolution = ask("app[fast]", "other ; python_version < '3'")
    assert {p.name for p in resolution.packages} == {"app", "lib", "speed", "extra-one"}
    assert only(resolution, "app").dependencies == (
        Dependency(name="extra-one"),
        Dependency(name="lib"),
        Dependency(name="speed"),
    )
    assert only(resolution, "speed").dependencies == (Dependency(name="lib"),)
    assert only(resolution, "lib").dependencies == ()


def test_the_same_question_has_the_same_answer(ask: Asker, index: LoopbackIndex) -> None:
    for name in ("a", "b", "c"):
        for version in ("1.0", "2.0"):
            index.add(name, version, "2024-05-01", requires=[] if name == "c" else ["c"])
    first = ask("b", "a")
    assert ask("a", "b") == first
    assert [p.name for p in first.packages] == ["a", "b", "c"]


def test_no_address_of_the_view_is_left(ask: Asker, engine: Engine, tmp_path: Path) -> None:
    with serving("legacy-json") as index:
        index.add("app", "1.0", "2024-05-01", requires=["lib"])
        index.add("lib", "1.0", "2024-05-01", sdist=True)
        resolution = Asker(engine, index, tmp_path)("app")
        files = [file for p in resolution.packages for file in p.files]
        assert len(files) == 2
        for place in [*(f.url for f in files), *(p.index for p in resolution.packages)]:
            assert place is not None
            assert place.startswith(index.base + "/")


# --- choosing -----------------------------------------------------------------------------------


def test_constraints_bound_without_asking(ask: Asker, index: LoopbackIndex) -> None:
    for version in ("1.0", "2.0"):
        index.add("app", version, "2024-05-01")
        index.add("idle", version, "2024-05-01")
    assert ask.versions("app", constraints=("app<2", "idle<2")) == {"app": "1.0"}


def test_backtracking(ask: Asker, index: LoopbackIndex) -> None:
    index.add("app", "1.0", "2024-05-01", requires=["lib<2"])
    index.add("app", "2.0", "2024-05-01", requires=["lib>=2"])
    index.add("tool", "1.0", "2024-05-01", requires=["lib<2"])
    for version in ("1.0", "2.0"):
        index.add("lib", version, "2024-05-01")
    assert ask.versions("app", "tool") == {"app": "1.0", "lib": "1.0", "tool": "1.0"}


def test_prereleases(ask: Asker, index: LoopbackIndex) -> None:
    index.add("app", "1.0", "2024-05-01")
    index.add("app", "2.0rc1", "2024-05-01")
    index.add("young", "0.1b1", "2024-05-01")
    assert ask.versions("app", "young") == {"app": "1.0", "young": "0.1b1"}
    assert ask.versions("app", prereleases=True) == {"app": "2.0rc1"}
    assert ask.versions("app>=2.0rc1") == {"app": "2.0rc1"}


def test_yanked_versions_need_to_be_asked_for(ask: Asker, index: LoopbackIndex) -> None:
    index.add("app", "1.0", "2024-05-01")
    yanked = index.add("app", "2.0", "2024-05-01", yanked="broken")
    assert ask.versions("app") == {"app": "1.0"}
    package = only(ask("app==2.0"), "app")
    assert [f.sha256 for f in package.files] == [yanked.sha256]


def test_requires_python(ask: Asker, index: LoopbackIndex) -> None:
    index.add("app", "1.0", "2024-05-01", requires_python=">=3.8")
    index.add("app", "2.0", "2024-05-01", requires_python=">=3.99")
    assert ask.versions("app") == {"app": "1.0"}


def test_a_version_for_other_machines_only_is_no_choice(ask: Asker, index: LoopbackIndex) -> None:
    index.add("app", "1.0", "2024-05-01")
    index.add("app", "2.0", "2024-05-01", tag="cp38-cp38-win_amd64")
    assert ask.versions("app") == {"app": "1.0"}


def test_only_binary(ask: Asker, index: LoopbackIndex) -> None:
    index.add("app", "1.0", "2024-05-01")
    index.add("app", "2.0", "2024-05-01", sdist=True)
    assert ask.versions("app") == {"app": "2.0"}
    assert ask.versions("app", only_binary=("app",)) == {"app": "1.0"}
    assert ask.versions("app", only_binary=(":all:",)) == {"app": "1.0"}
    assert ask.versions("app", build=False) == {"app": "1.0"}


def test_no_binary(ask: Asker, index: LoopbackIndex) -> None:
    index.add("app", "1.0", "2024-05-01", sdist=True)
    index.add("app", "2.0", "2024-05-01")
    assert ask.versions("app", no_binary=("app",)) == {"app": "1.0"}


def test_metadata_that_only_building_tells(ask: Asker, index: LoopbackIndex) -> None:
    index.add("app", "1.0", "2024-05-01", sdist=True, dynamic=True, requires=["lib"])
    index.add("lib", "1.0", "2024-05-01")
    resolution = ask("app")
    assert only(resolution, "app").dependencies == (Dependency(name="lib"),)
    with pytest.raises(NoSolutionError):
        ask("app", build=False)


def test_old_metadata_is_repaired_and_said(ask: Asker, index: LoopbackIndex) -> None:
    old = "Metadata-Version: 2.1\nName: app\nVersion: 2.0\nRequires-Dist: lib (>=2011k)\n"
    index.add("app", "1.0", "2024-05-01")
    index.add("app", "2.0", "2024-05-01", metadata_override=old)
    index.add("lib", "2012.1", "2024-05-01")
    resolution = ask("app")
    assert {p.name: p.version for p in resolution.packages} == {"app": "2.0", "lib": "2012.1"}
    [repair] = resolution.repairs
    assert (repair.subject, repair.found) == ("app==2.0", "lib (>=2011k)")


# --- pins ---------------------------------------------------------------------------------------


@pytest.fixture
def grown(ask: Asker, index: LoopbackIndex) -> tuple[PythonPackage, ...]:
    """What was locked before version 2.0 of everything came."""
    for name in ("app", "lib", "new"):
        index.add(name, "1.0", "2024-05-01", requires=["lib"] if name == "app" else [])
    pins = ask("app", "lib").packages
    for name in ("app", "lib", "new"):
        index.add(name, "2.0", "2024-05-02", requires=["lib"] if name == "app" else [])
    return pins


def test_pins_stay(ask: Asker, grown: tuple[PythonPackage, ...]) -> None:
    found = ask.versions("app", "lib", "new", pins=grown, refresh=True)
    assert found == {"app": "1.0", "lib": "1.0", "new": "2.0"}


def test_pins_move_where_they_no_longer_answer(
    ask: Asker, grown: tuple[PythonPackage, ...]
) -> None:
    found = ask.versions("app", "lib>=2", pins=grown, refresh=True)
    assert found == {"app": "1.0", "lib": "2.0"}


def test_upgrades(ask: Asker, grown: tuple[PythonPackage, ...]) -> None:
    one = ask.versions(
        "app", "lib", pins=grown, upgrade=Upgrade(names=frozenset({"lib"})), refresh=True
    )
    assert one == {"app": "1.0", "lib": "2.0"}
    everything = ask.versions(
        "app", "lib", pins=grown, upgrade=Upgrade(everything=True), refresh=True
    )
    assert everything == {"app": "2.0", "lib": "2.0"}


def test_pins_newer_than_the_date_are_given_up(
    ask: Asker, grown: tuple[PythonPackage, ...], index: LoopbackIndex
) -> None:
    pins = ask("app>=2", "lib", pins=grown, refresh=True).packages
    found = ask.versions("app", "lib", pins=pins, as_of=datetime(2024, 5, 1, 12, tzinfo=UTC))
    assert found == {"app": "1.0", "lib": "1.0"}


def test_pins_that_nobody_needs_go(ask: Asker, grown: tuple[PythonPackage, ...]) -> None:
    assert ask.versions("lib", pins=grown, refresh=True) == {"lib": "1.0"}


def test_pins_that_stand_in_the_way_together_move(ask: Asker, index: LoopbackIndex) -> None:
    """The new wish fits no locked version, directly and through another package."""
    for version in ("1.0", "2.0"):
        index.add("base", version, "2024-05-01")
        major = version[0]
        for name in ("left", "right"):
            index.add(name, version, "2024-05-01", requires=[f"base=={major}.*"])
    index.add("late", "1.0", "2024-05-01", requires=["left>=2", "base>=2"])
    pins = ask("left<2", "right<2").packages
    assert ask.versions("left", "right", "late", pins=pins) == {
        "base": "2.0",
        "late": "1.0",
        "left": "2.0",
        "right": "2.0",
    }


# --- direct references --------------------------------------------------------------------------


def test_a_folder_an_archive_and_a_repository(
    ask: Asker, index: LoopbackIndex, tmp_path: Path
) -> None:
    index.add("lib", "1.0", "2024-05-01")
    write(tmp_path / "my folder", source_tree("here", "1.5", ["lib"]))
    name, content = make_sdist("there", "2.5", ["lib"])
    url = index.put(f"/direct/{name}", content)
    repository = tmp_path / "repository"
    write(repository, source_tree("cloned", "3.5", ["lib"]))
    commit = committed(repository)
    resolution = ask(
        "here @ file:my%20folder",
        f"there @ {url}",
        f"cloned @ git+{repository.as_uri()}@{commit}",
    )
    assert {p.name: p.version for p in resolution.packages} == {
        "here": "1.5",
        "there": "2.5",
        "cloned": "3.5",
        "lib": "1.0",
    }
    for direct in ("here", "there", "cloned"):
        package = only(resolution, direct)
        assert package.dependencies == (Dependency(name="lib"),)
        assert package.index is None
        assert package.files == ()


def test_a_folder_whose_version_is_computed_has_none(ask: Asker, tmp_path: Path) -> None:
    tree = source_tree("here", "1.5", dynamic=True)
    tree["pyproject.toml"] = (
        tree["pyproject.toml"]
        .replace(b'version = "1.5"\n', b"")
        .replace(b"dynamic = [", b'dynamic = ["version", ')
    )
    write(tmp_path / "here", tree)
    assert ask.versions("here @ file:here") == {"here": None}


def write(folder: Path, tree: dict[str, bytes]) -> None:
    for path, content in tree.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def committed(folder: Path) -> str:
    for argv in (
        ["init", "--quiet"],
        ["add", "."],
        ["-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "--quiet", "-m", "x"],
    ):
        subprocess.run(["git", "-C", str(folder), *argv], check=True)
    return subprocess.run(
        ["git", "-C", str(folder), "rev-parse", "HEAD"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


# --- failures -----------------------------------------------------------------------------------


def test_a_conflict_names_both_sides(ask: Asker, index: LoopbackIndex) -> None:
    index.add("left", "1.0", "2024-05-01", requires=["lib<2"])
    index.add("right", "1.0", "2024-05-01", requires=["lib>=2"])
    for version in ("1.0", "2.0"):
        index.add("lib", version, "2024-05-01")
    with pytest.raises(NoSolutionError) as caught:
        ask("left", "right")
    for word in ("left", "right", "lib<2", "lib>=2"):
        assert word in caught.value.what
    assert_readable(caught.value.what)


def test_a_project_that_is_not_there(ask: Asker) -> None:
    with pytest.raises(NoSolutionError, match="no-such-thing") as caught:
        ask("no-such-thing")
    assert "spelling" in (caught.value.remedy or "")
    assert_readable(caught.value.what)


def test_a_dependency_that_is_not_there(ask: Asker, index: LoopbackIndex) -> None:
    index.add("app", "1.0", "2024-05-01", requires=["no-such-thing"])
    with pytest.raises(NoSolutionError, match="no-such-thing") as caught:
        ask("app")
    assert "app" in caught.value.what
    assert_readable(caught.value.what)


@pytest.mark.parametrize("fault", ["500", "html-for-json", "truncate"])
def test_an_index_that_fails(
    ask: Asker, index: LoopbackIndex, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVLOCK_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    index.add("app", "1.0", "2024-05-01")
    index.add("lib", "1.0", "2024-05-01", requires=["app"])
    index.fail("/simple/app/", fault)
    with pytest.raises(SourceError) as caught:
        ask("lib")
    assert caught.value.exit_code == 3
    assert index.base in str(caught.value)
    assert_readable(str(caught.value))


def test_a_source_distribution_that_cannot_be_built(ask: Asker, index: LoopbackIndex) -> None:
    tree = {"_backend/tiny_backend.py": "raise SystemExit('the compiler is on strike')\n"}
    index.add("app", "1.0", "2024-05-01", sdist=True, dynamic=True, files=tree)
    with pytest.raises(SourceError, match="on strike") as caught:
        ask("app")
    assert "app" in caught.value.what
    assert_readable(caught.value.what)


def assert_readable(text: str) -> None:
    """Nothing of the machinery: no traceback, no temporary folder, no generated project."""
    for word in ("Traceback", "/tmp/", "envlock-request", "envlock-pip", "envlock-uv", 'File "'):
        assert word not in text


# --- indexes ------------------------------------------------------------------------------------


def test_credentials_reach_the_index_and_stay_out_of_the_answer(
    engine: Engine, tmp_path: Path
) -> None:
    with serving(auth=("me", "s3cret-word")) as index:
        index.add("app", "1.0", "2024-05-01", requires=["lib"])
        index.add("lib", "1.0", "2024-05-01", sdist=True, dynamic=True)
        credentials = Credentials(user="me", password="s3cret-word")
        sources = Sources(indexes=(Index(url=index.url, default=True, credentials=credentials),))
        resolution = Asker(engine, index, tmp_path)("app", sources=sources)
    assert {p.name for p in resolution.packages} == {"app", "lib"}
    assert "s3cret-word" not in repr(resolution)
    assert "me@" not in repr(resolution)


def test_no_index_at_all(ask: Asker, tmp_path: Path) -> None:
    write(tmp_path / "here", source_tree("here", "1.5"))
    nothing = Sources(indexes=())
    assert ask.versions("here @ file:here", sources=nothing) == {"here": "1.5"}
    with pytest.raises(NoSolutionError, match="app"):
        ask("app", sources=nothing)


def test_a_second_index_for_what_the_first_lacks(ask: Asker, index: LoopbackIndex) -> None:
    with serving("dated-html") as other:
        index.add("app", "1.0", "2024-05-01", requires=["lib"])
        other.add("lib", "1.0", "2024-05-01")
        other.add("lib", "2.0", "2024-07-01")
        places = (Index(url=other.url), Index(url=index.url, default=True))
        resolution = ask("app", sources=Sources(indexes=places))
        assert {p.name: (p.version, p.index) for p in resolution.packages} == {
            "app": ("1.0", index.url),
            "lib": ("1.0", other.url),
        }


def test_a_folder_of_files(ask: Asker, index: LoopbackIndex, tmp_path: Path) -> None:
    """Find-links: what is only there is locked by its path from the lockfile; it has no date."""
    index.add("app", "1.0", "2024-05-01", requires=["local", "source"])
    folder = tmp_path / "my files"
    folder.mkdir()
    name, wheel = make_wheel("local", "7.0")
    (folder / name).write_bytes(wheel)
    sdist_name, sdist = make_sdist("source", "8.0")
    (folder / sdist_name).write_bytes(sdist)
    sources = changed(ask.sources, find_links=(FindLinks(location=str(folder)),))
    resolution = ask("app", sources=sources)
    assert only(resolution, "app").index == index.url
    for package, content in (("local", wheel), ("source", sdist)):
        entry = only(resolution, package)
        assert entry.index is None
        [file] = entry.files
        assert (file.path, file.url) == (f"my files/{file.name}", None)
        assert file.sha256 == hashlib.sha256(content).hexdigest()
