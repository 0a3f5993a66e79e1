"""What ``envlock lock`` chooses, as pip's users expect, with either engine.

Each question has an index of its own, made in the test; the index's upload times decide.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.pylock import Pylock
from support.index import LoopbackIndex, Style, serving
from support.project import Project, only, pins

from envlock.lock.package import Dependency
from envlock.lock.target import parse_target


@pytest.fixture(params=["uv", "pip-tools"])
def engine(request: pytest.FixtureRequest) -> str:
    """``--engine`` of the run."""
    name: str = request.param
    return f"--engine={name}"


# --- dates ---


def test_nothing_uploaded_later_is_chosen(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    index.add("lib", "1.0", "2024-01-01", requires=["deep"])
    index.add("lib", "2.0", "2024-05-31T23:59:59Z", requires=["deep"])
    index.add("lib", "2.1", "2024-06-01T00:00:01Z", requires=["deep"])
    index.add("lib", "3.0", "2025-01-01")
    index.add("deep", "1.0", "2024-02-01")
    index.add("deep", "1.1", "2024-07-01")
    project.write("lib")
    lock = project.lock(engine)
    assert pins(lock) == {"lib": "2.0", "deep": "1.0"}
    assert lock.as_of.isoformat() == "2024-06-01T00:00:00+00:00"
    assert lock.engine == engine.removeprefix("--engine=")
    later = project.lock(engine, as_of="2024-07-01T00:00:01Z")
    assert pins(later) == {"lib": "2.1", "deep": "1.1"}


def test_the_instant_itself_is_not_seen_any_more(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    index.add("lib", "1.0", "2024-05-31T23:59:59.999999Z")
    index.add("lib", "2.0", "2024-06-01T00:00:00Z")
    index.add("lib", "3.0", "2024-06-01T00:00:00.500000Z")
    assert pins(project.write("lib").lock(engine)) == {"lib": "1.0"}


def test_a_wheel_added_later_to_an_old_version_is_not_seen(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    old = index.add("lib", "1.0", "2024-01-01", tag="py3-none-any")
    sdist = index.add("lib", "1.0", "2024-01-02", sdist=True)
    index.add("lib", "1.0", "2024-06-02", tag="cp311-none-any", build="1")
    lib = only(project.write("lib").lock(engine), "lib")
    assert [f.sha256 for f in lib.files] == [old.sha256, sdist.sha256]


def test_the_locks_files_are_those_of_the_index(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    stored = index.add("lib", "1.0", "2024-01-01T12:34:56.789Z", requires_python=">=3.8")
    lib = only(project.write("lib").lock(engine), "lib")
    [wheel] = lib.wheels
    assert wheel.name == stored.name
    assert wheel.url == index.file_url(stored)
    assert wheel.sha256 == stored.sha256
    assert wheel.size == len(stored.content)
    assert wheel.upload_time == stored.uploaded
    assert lib.index == index.url
    assert (lib.requires_python or ">=3.8").replace(" ", "") == ">=3.8"


@pytest.mark.parametrize("style", ["json", "dated-html", "legacy-json"])
def test_every_dated_kind_of_index_gives_the_same_answer(
    tmp_path: Path, style: Style, engine: str
) -> None:
    with serving(style) as index:
        index.add("lib", "1.0", "2024-01-01", requires=["deep"])
        index.add("lib", "2.0", "2024-07-01")
        deep = index.add("deep", "1.0", "2024-05-01", sdist=True)
        lock = Project(tmp_path, index).write("lib").lock(engine)
        assert pins(lock) == {"lib": "1.0", "deep": "1.0"}
        sdist = only(lock, "deep").sdist
        assert sdist is not None
        assert (sdist.url, sdist.upload_time) == (index.file_url(deep), deep.uploaded)
        assert sdist.size == len(deep.content)


def test_an_index_without_times_is_refused(tmp_path: Path, engine: str) -> None:
    with serving("undated-html") as index:
        index.add("lib", "1.0", "2024-01-01")
        said = Project(tmp_path, index).write("lib").refused(engine, code=3)
        assert index.url in said
        assert "upload time" in said or "when" in said


def test_a_file_without_a_time_is_not_used(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    index.add("lib", "1.0", "2024-01-01")
    index.add("lib", "2.0", None)
    assert pins(project.write("lib").lock(engine)) == {"lib": "1.0"}


def test_without_a_date_it_is_now_and_stays_so(project: Project, index: LoopbackIndex) -> None:
    index.add("lib", "1.0", "2024-01-01")
    first = project.write("lib").lock(as_of=None)
    assert pins(first) == {"lib": "1.0"}
    index.add("lib", "2.0", "2024-02-01")
    assert project.lock(as_of=None) == first
    assert pins(project.lock("--upgrade", "--refresh", as_of=None)) == {"lib": "2.0"}


# --- files ---


def test_a_yanked_file_is_passed_over(project: Project, index: LoopbackIndex, engine: str) -> None:
    index.add("lib", "1.0", "2024-01-01")
    index.add("lib", "2.0", "2024-02-01", yanked="broken")
    index.add("lib", "3.0", "2024-02-02", yanked="")
    assert pins(project.write("lib").lock(engine)) == {"lib": "1.0"}


def test_a_yanked_file_is_used_when_it_is_pinned(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    index.add("lib", "1.0", "2024-01-01")
    index.add("lib", "2.0", "2024-02-01", yanked="broken")
    assert pins(project.write("lib==2.0").lock(engine)) == {"lib": "2.0"}


def test_a_reupload_is_locked_by_its_own_digest(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    first = index.add("lib", "1.0", "2024-01-01")
    before = project.write("lib").lock(engine)
    second = index.add("lib", "1.0", "2024-05-01", files={"lib/more.py": "x = 1\n"})
    assert (first.name, first.sha256 == second.sha256) == (second.name, False)
    after = project.lock(engine, "--upgrade", "--refresh")
    assert only(before, "lib").wheels[0].sha256 == first.sha256
    assert only(after, "lib").wheels[0].sha256 == second.sha256
    assert only(after, "lib").wheels[0].upload_time == second.uploaded
    # As of an earlier day there is no such file any more: not even under its old name.
    project.refused(engine, "--refresh", code=2, as_of="2024-02-01")


def test_only_wheels_that_a_target_takes_are_kept(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    for tag in (
        "cp311-cp311-manylinux_2_17_x86_64",
        "cp311-cp311-musllinux_1_2_x86_64",
        "cp312-cp312-manylinux_2_17_x86_64",
        "cp311-cp311-manylinux_2_17_aarch64",
        "cp311-cp311-win_amd64",
        "cp39-abi3-manylinux_2_28_x86_64",
    ):
        index.add("lib", "1.0", "2024-01-01", tag=tag)
    settings = {"targets": ["linux/amd64@3.11"]}
    lib = only(project.write("lib", settings=settings).lock(engine), "lib")
    assert [w.name for w in lib.wheels] == [
        "lib-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
        "lib-1.0-cp39-abi3-manylinux_2_28_x86_64.whl",
    ]


def test_a_sdist_that_must_be_built_is_built_and_listed(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    index.add("lib", "1.0", "2024-01-01", sdist=True, dynamic=True, requires=["deep<2"])
    index.add("deep", "1.0", "2024-01-01")
    index.add("deep", "2.0", "2024-01-01")
    lock = project.write("lib").lock(engine)
    assert pins(lock) == {"lib": "1.0", "deep": "1.0"}
    assert lock.built == ("lib==1.0",)


def test_no_build_forbids_building(project: Project, index: LoopbackIndex, engine: str) -> None:
    index.add("lib", "1.0", "2024-01-01")
    index.add("lib", "2.0", "2024-01-02", sdist=True, dynamic=True)
    assert pins(project.write("lib").lock(engine, "--no-build")) == {"lib": "1.0"}
    said = project.write("lib>=2").refused(engine, "--no-build", code=2)
    assert "lib" in said


def test_only_binary_and_no_binary_name_packages(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    for name in ("lib", "other"):
        index.add(name, "1.0", "2024-01-01")
        index.add(name, "1.0", "2024-01-01", sdist=True)
        index.add(name, "2.0", "2024-01-02", sdist=True)
    settings = {"only-binary": ["lib"], "no-binary": ["other"]}
    lock = project.write("lib", "other<2", settings=settings).lock(engine)
    assert pins(lock) == {"lib": "1.0", "other": "1.0"}
    assert only(lock, "lib").wheels
    assert not only(lock, "other").wheels
    assert only(lock, "other").sdist


@pytest.mark.parametrize("metadata", ["absent", "missing", "wrong-digest"])
def test_metadata_that_the_index_does_not_have_is_no_obstacle(
    project: Project, index: LoopbackIndex, metadata: str
) -> None:
    index.add("lib", "1.0", "2024-01-01", requires=["deep"], metadata=metadata)  # type: ignore[arg-type]
    index.add("deep", "1.0", "2024-01-01")
    done = project.write("lib").run("lock", "--as-of=2024-06-01")
    if metadata == "wrong-digest":  # a lie is not passed on
        assert done.returncode in (0, 4), done.stderr
    else:
        assert pins(project.read()) == {"lib": "1.0", "deep": "1.0"}


# --- pre-releases ---


def test_pre_releases_are_passed_over(project: Project, index: LoopbackIndex, engine: str) -> None:
    index.add("lib", "1.0", "2024-01-01")
    index.add("lib", "2.0rc1", "2024-02-01")
    index.add("lib", "2.1.dev1", "2024-02-01")
    assert pins(project.write("lib").lock(engine)) == {"lib": "1.0"}


@pytest.mark.parametrize("wish", ["lib>=2.0rc1", "lib==2.0rc1"])
def test_pre_releases_are_chosen_when_named(
    project: Project, index: LoopbackIndex, engine: str, wish: str
) -> None:
    index.add("lib", "1.0", "2024-01-01")
    index.add("lib", "2.0rc1", "2024-02-01")
    assert pins(project.write(wish).lock(engine)) == {"lib": "2.0rc1"}


def test_pre_releases_are_chosen_when_there_is_nothing_else(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    index.add("lib", "2.0rc1", "2024-02-01")
    assert pins(project.write("lib").lock(engine)) == {"lib": "2.0rc1"}


def test_pre_releases_are_chosen_when_allowed(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    index.add("lib", "1.0", "2024-01-01", requires=["deep"])
    index.add("lib", "2.0rc1", "2024-02-01", requires=["deep"])
    index.add("deep", "1.0", "2024-02-01")
    index.add("deep", "1.1a1", "2024-02-01")
    lock = project.write("lib", settings={"prereleases": True}).lock(engine)
    assert pins(lock) == {"lib": "2.0rc1", "deep": "1.1a1"}


# --- extras, groups, constraints, overrides ---


def test_a_requirements_extras_are_resolved(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    extras = {"plot": ["paint"], "Fast_IO": ["speed; os_name == 'posix'"], "never": ["absent"]}
    index.add("lib", "1.0", "2024-01-01", extras=extras)
    index.add("paint", "1.0", "2024-01-01")
    index.add("speed", "1.0", "2024-01-01")
    lock = project.write("lib[plot,fast-io]").lock(engine)
    assert pins(lock) == {"lib": "1.0", "paint": "1.0", "speed": "1.0"}
    assert {d.name for d in only(lock, "lib").dependencies} == {"paint", "speed"}


def test_the_projects_own_extras_and_groups_are_chosen_by_name(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    for name in ("base", "paint", "test-tool", "lint-tool", "never"):
        index.add(name, "1.0", "2024-01-01")
    project.write(
        "base",
        extras={"plot": ["paint"], "other": ["never"]},
        groups={"test": ["test-tool"], "dev": ["lint-tool", {"include-group": "test"}]},  # type: ignore[list-item]
        settings={"extras": ["plot"], "groups": ["dev"]},
    )
    lock = project.lock(engine)
    assert set(pins(lock)) == {"base", "paint", "test-tool", "lint-tool"}
    assert lock.request.extras == ("plot",)
    assert lock.request.groups == ("dev",)


def test_constraints_bound_what_others_ask_for(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    index.add("lib", "1.0", "2024-01-01", requires=["deep"])
    for version in ("1.0", "1.5", "2.0"):
        index.add("deep", version, "2024-01-01")
    index.add("unasked", "1.0", "2024-01-01")
    settings = {"constraints": ["deep<2", "unasked==1.0"]}
    assert pins(project.write("lib", settings=settings).lock(engine)) == {
        "lib": "1.0",
        "deep": "1.5",
    }


def test_overrides_replace_what_others_ask_for(project: Project, index: LoopbackIndex) -> None:
    index.add("lib", "1.0", "2024-01-01", requires=["deep<2"])
    for version in ("1.0", "2.0"):
        index.add("deep", version, "2024-01-01")
    settings = {"overrides": ["deep>=2"]}
    assert pins(project.write("lib", settings=settings).lock()) == {"lib": "1.0", "deep": "2.0"}


# --- targets and markers ---


def test_markers_follow_the_target(project: Project, index: LoopbackIndex, engine: str) -> None:
    for name in ("here", "there", "always"):
        index.add(name, "1.0", "2024-01-01")
    wishes = ["here; sys_platform == 'linux'", "there; sys_platform == 'win32'", "always"]
    settings = {"targets": ["linux/amd64@3.11"]}
    lock = project.write(*wishes, settings=settings).lock(engine)
    assert set(pins(lock)) == {"here", "always"}
    assert [p.marker for p in lock.packages] == [None, None]


def test_several_targets_are_locked_together(project: Project, index: LoopbackIndex) -> None:
    linux, windows, mac = "linux/amd64@3.11", "windows/amd64@3.12", "macos/arm64@3.11"
    index.add("lib", "1.0", "2024-01-01", requires=["winonly; sys_platform == 'win32'"])
    index.add("winonly", "1.0", "2024-01-01", requires=["deep"])
    index.add("deep", "1.0", "2024-01-01")
    index.add("newpy", "1.0", "2024-01-01")
    tags = {
        "cp311-cp311-manylinux_2_17_x86_64": linux,
        "cp312-cp312-win_amd64": windows,
        "cp311-cp311-macosx_11_0_arm64": mac,
        "cp312-cp312-macosx_11_0_arm64": None,
    }
    for tag in tags:
        index.add("native", "1.0", "2024-01-01", tag=tag)
    project.write(
        "lib", "native", "newpy; python_version >= '3.12'",
        settings={"targets": [windows, linux, mac]},
    )  # fmt: skip
    lock = project.lock()
    assert [t.key for t in lock.targets] == sorted([linux, windows, mac])
    found = Pylock.from_dict(_table(project))
    expected = {
        linux: {"lib", "native"},
        mac: {"lib", "native"},
        windows: {"lib", "native", "newpy", "winonly", "deep"},
    }
    for key, names in expected.items():
        target = parse_target(key)
        tag = next(tag for tag, wanted in tags.items() if wanted == key)
        # packaging's own selection, as an installer would do it
        chosen = found.select(
            environment=target.environment(),  # type: ignore[arg-type]
            tags=sorted(_tags(target), key=str),
        )
        assert {str(package.name): _name(file) for package, file in chosen} == {
            name: f"native-1.0-{tag}.whl" if name == "native" else f"{name}-1.0-py3-none-any.whl"
            for name in names
        }
    assert len(only(lock, "native").wheels) == 3


def test_a_package_may_have_two_versions_by_target(project: Project, index: LoopbackIndex) -> None:
    index.add("lib", "1.0", "2024-01-01", requires_python=">=3.8")
    index.add("lib", "2.0", "2024-01-01", requires_python=">=3.12")
    settings = {"targets": ["linux/amd64@3.11", "linux/amd64@3.12"]}
    project.write(
        "lib<2; python_version < '3.12'", "lib>=2; python_version >= '3.12'", settings=settings
    )
    lock = project.lock()
    assert [p.version for p in lock.package("lib")] == ["1.0", "2.0"]
    found = Pylock.from_dict(_table(project))
    for target, version in zip(lock.targets, ("1.0", "2.0"), strict=True):
        [(package, _)] = found.select(
            environment=target.environment(),  # type: ignore[arg-type]
            tags=sorted(_tags(target), key=str),
        )
        assert str(package.version) == version


def test_requires_python_of_a_release_is_respected(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    index.add("lib", "1.0", "2024-01-01", requires_python=">=3.8")
    index.add("lib", "2.0", "2024-02-01", requires_python=">=3.12")
    settings = {"targets": ["linux/amd64@3.11"]}
    assert pins(project.write("lib", settings=settings).lock(engine)) == {"lib": "1.0"}


def test_dependencies_are_named_in_the_lock(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    index.add("lib", "1.0", "2024-01-01", requires=["deep>=1", "Other_Lib; os_name != 'x'"])
    index.add("deep", "1.0", "2024-01-01")
    index.add("other.lib", "1.0", "2024-01-01", requires=["deep"])
    lock = project.write("LIB").lock(engine)
    assert {p.name: [d.name for d in p.dependencies] for p in lock.packages} == {
        "deep": [],
        "lib": ["deep", "other-lib"],
        "other-lib": ["deep"],
    }
    assert only(lock, "other-lib").dependencies == (Dependency(name="deep"),)


def test_a_cycle_is_locked(project: Project, index: LoopbackIndex, engine: str) -> None:
    index.add("egg", "1.0", "2024-01-01", requires=["hen"])
    index.add("hen", "1.0", "2024-01-01", requires=["egg"])
    assert pins(project.write("egg").lock(engine)) == {"egg": "1.0", "hen": "1.0"}


def test_a_project_may_ask_for_nothing(project: Project) -> None:
    assert project.write().lock().packages == ()


# --- hashes ---


def test_stated_hashes_limit_the_files(project: Project, index: LoopbackIndex, engine: str) -> None:
    wheel = index.add("lib", "1.0", "2024-01-01")
    index.add("lib", "1.0", "2024-01-01", sdist=True)
    project.write(settings={"requirements": ["requirements.txt"]})
    wishes = project.root / "requirements.txt"
    wishes.write_text(f"lib==1.0 --hash=sha256:{wheel.sha256}\n")
    lib = only(project.lock(engine), "lib")
    assert [f.sha256 for f in lib.files] == [wheel.sha256]
    wishes.write_text("lib==1.0\n")
    assert len(only(project.lock(engine), "lib").files) == 2
    wishes.write_text(f"lib==1.0 --hash=sha256:{'0' * 64}\n")
    said = project.refused(engine, code=4)
    assert "lib" in said
    assert "requirements.txt:1" in said


# --- names and addresses ---


def test_no_credential_reaches_the_lock_or_a_message(tmp_path: Path, engine: str) -> None:
    with serving("json", auth=("ann", "s3cret")) as index:
        index.add("lib", "1.0", "2024-01-01")
        project = Project(tmp_path, index).write("lib")
        project.variables["UV_DEFAULT_INDEX"] = index.url_for("ann", "s3cret")
        lock = project.lock(engine)
        assert pins(lock) == {"lib": "1.0"}
        text = project.lock_path.read_text()
        assert "s3cret" not in text
        assert "ann" not in text
        project.write("lib", "absent-lib")
        said = project.refused(engine, code=2)
        assert "s3cret" not in said


def test_an_extra_index_is_asked_first(project: Project, index: LoopbackIndex) -> None:
    # uv's rule, which keeps a stranger's "lib" 2.0 out; pip knows no order of indexes.
    index.add("lib", "2.0", "2024-01-01")
    index.add("public", "1.0", "2024-01-01")
    with serving("json") as private:
        private.add("lib", "1.0", "2024-01-01")
        project.variables["UV_INDEX"] = private.url
        lock = project.write("lib", "public").lock()
        assert pins(lock) == {"lib": "1.0", "public": "1.0"}
        assert only(lock, "lib").index == private.url


def _table(project: Project) -> dict[str, object]:
    import tomli

    return tomli.loads(project.lock_path.read_text("utf-8"))


def _tags(target: object) -> frozenset[object]:
    from envlock.lock.target import wheel_tags

    return wheel_tags(target)  # type: ignore[arg-type, return-value]


def _name(file: object) -> str:
    return str(file.name)  # type: ignore[attr-defined]
