"""Changes to a project's exported files, its lock and what it asks for: each is told with its code,
and nothing else is; what is no drift is not told. No environment is needed for that."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.guix import CHANNEL, pure
from support.mutations import Mutation, judged, registry, told
from support.samples import AS_OF, IMAGE, LINUX, NIXPKGS, small_lock

from envlock.cli.app import run
from envlock.lock import codec
from envlock.lock.hashing import environment_hash
from envlock.lock.image import PlatformImage
from envlock.lock.model import Lock
from envlock.lock.target import Target
from envlock.project.load import load_request
from envlock.project.locate import locate

DRIFT, mutation = registry()
HARMLESS, harmless = registry()
ARM = Target(platform="linux/arm64", python="3.11")
PYPROJECT = """\
[project]
name = "sample"
version = "1"
dependencies = ["aa", "bb"]

[project.optional-dependencies]
more = ["cc"]

[dependency-groups]
dev = ["dd"]

[tool.envlock]
python = "3.11"
targets = ["linux/amd64", "linux/arm64"]

[tool.envlock.image]
base = "debian:bookworm-slim"

[tool.envlock.nix]

[tool.envlock.guix]
"""
EXPORTS = (
    "docker",
    "nix",
    "guix",
    "sbom",
    "provenance -o provenance.intoto.json",
    "cyclonedx -o bill.json",
    "requirements -o locked.txt",
    f"requirements --target {LINUX.key} -o deploy/requirements-amd64.txt",
    f"docker --target {ARM.key} -o deploy/arm",
)
OF_ONE_FILE = (
    "bill.json",
    "deploy/requirements-amd64.txt",
    "locked.txt",
    "provenance.intoto.json",
)
ALL_OUTDATED = tuple(
    ("EX001", path)
    for path in (
        "Dockerfile",
        "bill.json",
        "deploy/arm/Dockerfile",
        "deploy/requirements-amd64.txt",
        "guix/channels.scm",
        "locked.txt",
        "nix/flake.nix",
        "provenance.intoto.json",
        "sbom/sbom.cdx.json",
    )
)


@dataclass(slots=True)
class Place:
    """A project with exports of every kind."""

    root: Path
    kept: Path

    @property
    def lock(self) -> Lock:
        return codec.load((self.root / "pylock.toml").read_text(), where="pylock.toml")

    def write(self, lock: Lock) -> None:
        (self.root / "pylock.toml").write_text(codec.dump(lock))

    def replace(self, path: str, before: str, after: str) -> None:
        """Edit a file, once."""
        text = (self.root / path).read_text()
        assert before in text, (path, before)
        (self.root / path).write_text(text.replace(before, after, 1))

    def restore(self) -> None:
        shutil.rmtree(self.root)
        shutil.copytree(self.kept, self.root, symlinks=True)

    def found(self, capfd: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
        parts = ("--exports", "--request-only")
        return sorted({one for part in parts for one in told(self.root, capfd, part)})


def _exports() -> None:
    for command in EXPORTS:
        assert run(["export", *command.split()]) == 0, command


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("project")
    root = folder / "project"
    (root / "deploy").mkdir(parents=True)
    (root / "pyproject.toml").write_text(PYPROJECT)
    request = load_request(
        locate(root),
        platform="linux/amd64",
        default_python=lambda _, __: "3.11",
        now=datetime.now(UTC),
    )
    image = replace(
        IMAGE,
        platforms=(
            *IMAGE.platforms,
            PlatformImage(platform="linux/arm64", digest="sha256:" + "3" * 64),
        ),
    )
    lock = replace(
        small_lock(pure("aa"), pure("bb", needs=("aa",))),
        request=request,
        targets=request.targets,
        image=image,
        nixpkgs=NIXPKGS,
        guix=CHANNEL,
    )
    (root / "pylock.toml").write_text(codec.dump(lock))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        _exports()
    shutil.copytree(root, folder / "kept")
    return Place(root, folder / "kept")


def test_every_change_is_told_with_its_code_and_nothing_else(
    place: Place,
    capfd: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    changes = [*DRIFT, *_of_files(place)]
    wrong = judged(changes, place, lambda: place.found(capfd))
    record_property("mutations", f"{len(changes) - len(wrong)} of {len(changes)} changes caught")
    print(f"{len(changes) - len(wrong)} of {len(changes)} changes caught")
    assert not wrong, "\n".join(wrong)


def test_what_is_no_drift_is_not_told(
    place: Place,
    capfd: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(place.root.parent)
    wrong = judged(HARMLESS, place, lambda: place.found(capfd))
    record_property("mutations", f"{len(HARMLESS) - len(wrong)} of {len(HARMLESS)} silent")
    print(f"{len(HARMLESS) - len(wrong)} of {len(HARMLESS)} silent")
    assert not wrong, "\n".join(wrong)


# --- exported files ---


def _of_files(place: Place) -> list[Mutation]:
    """Every exported file, edited and removed."""
    found, change = registry()
    own = ("pylock.toml", "pyproject.toml")
    files = (path for path in place.kept.rglob("*") if path.is_file())
    for path in sorted(file.relative_to(place.kept).as_posix() for file in files):
        if path in own or path.startswith("deploy/arm/"):
            continue

        def edited(place: Place, path: str = path) -> None:
            file = place.root / path
            content = file.read_bytes()
            mark, slashes = b"# >>> envlock\n", b"// >>> envlock\n"
            for start in (mark, slashes):
                content = content.replace(start, start + start[:2].strip() + b" more\n")
            file.write_bytes(content if content != file.read_bytes() else content + b" \n")

        def removed(place: Place, path: str = path) -> None:
            (place.root / path).unlink()

        edited.__name__, removed.__name__ = f"edited: {path}", f"removed: {path}"
        change(("EX101", path))(edited)
        if path not in OF_ONE_FILE:
            change(("EX002", path))(removed)
    return found


@mutation(*ALL_OUTDATED)
def a_newer_lock(place: Place) -> None:
    place.write(replace(place.lock, packages=(pure("aa", "2.0"), pure("bb", needs=("aa",)))))


@mutation(*((code, path.replace("flake.nix", "lock.toml")) for code, path in ALL_OUTDATED))
def a_later_date_with_the_same_packages(place: Place) -> None:
    place.write(replace(place.lock, as_of=AS_OF + timedelta(days=1)))


@mutation(("EX001", "docker/lock/requirements-x86_64.txt"))
def one_file_of_an_older_lock(place: Place) -> None:
    path = place.root / "docker/lock/requirements-x86_64.txt"
    text = path.read_text()
    hashed = environment_hash(place.lock).root
    path.write_text(text.replace(hashed, "env1-" + "0" * 64).replace("aa==1.0", "aa==0.9"))


@mutation(("EX004", "docker/lock/requirements-riscv64.txt"))
def a_list_for_a_platform_that_is_not_locked(place: Place) -> None:
    folder = place.root / "docker/lock"
    shutil.copy(folder / "requirements-x86_64.txt", folder / "requirements-riscv64.txt")


@mutation(
    *(
        ("EX003" if "ocker" in path or "deploy/arm" in path else code, path)
        for code, path in ALL_OUTDATED
    ),
    ("RQ001", "image-base"),
)
def the_base_image_is_taken_out(place: Place) -> None:
    place.write(replace(place.lock, image=None))
    lock = place.lock
    place.write(replace(lock, request=replace(lock.request, image_base=None)))


@mutation(("EX101", "Dockerfile"))
def the_marks_are_removed(place: Place) -> None:
    place.replace("Dockerfile", "# >>> envlock\n", "")


@mutation(("EX101", "Dockerfile"))
def the_lines_between_the_marks_are_there_twice(place: Place) -> None:
    path = place.root / "Dockerfile"
    path.write_text(path.read_text() * 2)


@mutation(("EX101", "docker/lock/os-packages.sh"))
def line_ends_of_a_script(place: Place) -> None:
    path = place.root / "docker/lock/os-packages.sh"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


@mutation(("EX101", "docker/lock/verify.py"))
def the_check_of_the_build_is_emptied(place: Place) -> None:
    (place.root / "docker/lock/verify.py").write_text("")


@mutation(("EX101", "nix/flake.lock"))
def nix_updates_the_flake(place: Place) -> None:
    place.replace("nix/flake.lock", NIXPKGS.rev, "0" * 40)


@mutation(("EX101", "locked.txt"))
def a_digest_is_taken_out(place: Place) -> None:
    lines = (place.root / "locked.txt").read_text().splitlines()
    (place.root / "locked.txt").write_text("\n".join(lines[:-1]) + "\n")


@mutation(("EX101", "bill.json"))
def a_component_is_taken_out_of_an_sbom(place: Place) -> None:
    place.replace("bill.json", '"name": "aa"', '"name": "zz"')


@mutation(("EX002", "Dockerfile"), ("EX002", "compose.yaml"), ("EX002", "apptainer.def"))
def all_but_the_lists_are_removed(place: Place) -> None:
    for name in ("Dockerfile", "compose.yaml", "apptainer.def"):
        (place.root / name).unlink()


@mutation(("EX002", "compose.yaml"), ("EX002", "nix/env.json"))
def files_become_a_pipe_and_a_folder(place: Place) -> None:
    for path in ("compose.yaml", "nix/env.json"):
        (place.root / path).unlink()
    os.mkfifo(place.root / "compose.yaml")
    (place.root / "nix/env.json").mkdir()


# --- the lock ---


@mutation(("RQ002", "aa"))
def a_pin_is_bumped(place: Place) -> None:
    place.replace("pylock.toml", 'name = "aa"\nversion = "1.0"', 'name = "aa"\nversion = "1.1"')


@mutation(("RQ002", "aa"), ("RQ002", "bb"))
def two_pins_are_bumped(place: Place) -> None:
    a_pin_is_bumped(place)
    place.replace("pylock.toml", 'name = "bb"\nversion = "1.0"', 'name = "bb"\nversion = "2"')


def _text(before: str, after: str) -> Callable[[Place], None]:
    return lambda place: place.replace("pylock.toml", before, after)


for _name, _before, _after in (
    ("a_digest_is_edited", 'sha256 = "aaaa', 'sha256 = "bbbb'),
    ("a_pin_and_its_files_are_bumped", "", ""),
    ("the_environment_hash_is_edited", 'environment-hash = "env1-', 'environment-hash = "env1-0'),
    ("a_marker_is_added", 'name = "bb"\n', 'name = "bb"\nmarker = "sys_platform == \'linux\'"\n'),
    ("a_dependency_is_dropped", "", ""),
    ("the_revision_of_nixpkgs_is_edited", f'rev = "{NIXPKGS.rev}"', f'rev = "{"0" * 40}"'),
    ("the_commit_of_guix_is_edited", f'commit = "{CHANNEL.commit}"', f'commit = "{"0" * 40}"'),
    ("the_base_image_is_edited", IMAGE.digest, "sha256:" + "9" * 64),
    ("what_was_asked_for_is_edited", '"bb",', '"bb>=0",'),
):
    if _before:
        _change = _text(_before, _after)
        _change.__name__ = _name
        mutation(("RQ002", "pylock.toml"))(_change)


@mutation(("RQ002", "pylock.toml"))
def a_pin_and_its_files_are_bumped(place: Place) -> None:
    text = (place.root / "pylock.toml").read_text()
    text = text.replace('name = "aa"\nversion = "1.0"', 'name = "aa"\nversion = "1.1"')
    (place.root / "pylock.toml").write_text(text.replace("aa-1.0", "aa-1.1"))


@mutation(("RQ002", "pylock.toml"))
def a_package_is_removed(place: Place) -> None:
    text = (place.root / "pylock.toml").read_text()
    start = text.index('[[packages]]\nname = "bb"')
    end = text.index("\n[tool.envlock]\n")
    (place.root / "pylock.toml").write_text(text[:start] + text[end:])


@mutation(("RQ002", "pylock.toml"))
def a_merge_takes_packages_of_one_and_digests_of_the_other(place: Place) -> None:
    newer = codec.dump(replace(place.lock, packages=(pure("aa", "2.0"), pure("bb"))))
    text = (place.root / "pylock.toml").read_text()
    at = "\n[tool.envlock]\n"
    whole = newer[: newer.index(at)] + text[text.index(at) :]
    (place.root / "pylock.toml").write_text(whole)


# --- what the project asks for ---

for _name, _subjects, _before, _after in (
    ("a_requirement_is_added", "requirements", '"aa", "bb"', '"aa", "bb", "zz"'),
    ("a_requirement_is_removed", "requirements", '"aa", "bb"', '"aa"'),
    ("a_requirement_is_changed", "requirements", '"aa"', '"aa>=2"'),
    ("a_requirement_gets_a_marker", "requirements", '"aa"', "\"aa; sys_platform == 'linux'\""),
    ("a_target_is_added", "targets", '"linux/arm64"]', '"linux/arm64", "macos/arm64"]'),
    ("a_target_is_removed", "targets", ', "linux/arm64"]', "]"),
    ("another_python", "targets", 'python = "3.11"', 'python = "3.12"'),
    (
        "a_group_is_chosen",
        "groups requirements",
        'python = "3.11"',
        'python = "3.11"\ngroups = ["dev"]',
    ),
    (
        "an_extra_is_chosen",
        "extras requirements",
        'python = "3.11"',
        'python = "3.11"\nextras = ["more"]',
    ),
    ("another_date", "as-of", 'python = "3.11"', 'python = "3.11"\nas-of = "2024-07-01"'),
    ("sources_are_wanted", "sources", 'python = "3.11"', 'python = "3.11"\nsources = true'),
    ("another_base_image", "image-base", "bookworm-slim", "trixie-slim"),
    (
        "another_branch_of_nixpkgs",
        "nix-branch",
        "[tool.envlock.nix]",
        '[tool.envlock.nix]\nbranch = "x"',
    ),
):

    def _ask(place: Place, before: str = _before, after: str = _after) -> None:
        place.replace("pyproject.toml", before, after)

    _ask.__name__ = _name
    mutation(*(("RQ001", subject) for subject in _subjects.split()))(_ask)


# --- no drift ---


@harmless()
def nothing(place: Place) -> None:
    pass


@harmless()
def exported_again(place: Place) -> None:
    os.chdir(place.root)
    _exports()
    os.chdir(place.root.parent)


@harmless()
def files_are_touched(place: Place) -> None:
    for path in place.root.rglob("*"):
        os.utime(path, (1, 1))


@harmless()
def modes_are_changed(place: Place) -> None:
    for path in place.root.rglob("*"):
        path.chmod(0o777)


@harmless()
def lines_of_the_users_own(place: Place) -> None:
    path = place.root / "Dockerfile"
    path.write_text("# syntax=docker/dockerfile:1\n" + path.read_text() + "RUN true\n")
    place.replace("compose.yaml", "services:\n", "services:\n  db:\n    image: postgres\n")


@harmless()
def the_heading_is_removed(place: Place) -> None:
    path = place.root / "Dockerfile"
    path.write_text(path.read_text().split("\n\n", 1)[1])


@harmless()
def the_lock_is_written_again(place: Place) -> None:
    place.write(place.lock)


@harmless()
def a_comment_in_the_lock(place: Place) -> None:
    path = place.root / "pylock.toml"
    path.write_text("# seen\n" + path.read_text())


@harmless()
def line_ends_of_the_lock(place: Place) -> None:
    path = place.root / "pylock.toml"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


@harmless()
def line_ends_of_the_project(place: Place) -> None:
    path = place.root / "pyproject.toml"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


@harmless()
def requirements_in_another_order(place: Place) -> None:
    place.replace("pyproject.toml", '"aa", "bb"', '"bb", "aa"')


@harmless()
def what_is_not_locked_is_changed(place: Place) -> None:
    place.replace("pyproject.toml", 'version = "1"', 'version = "2"')
    place.replace("pyproject.toml", '["dd"]', '["ee"]')


@harmless()
def files_of_other_tools(place: Place) -> None:
    (place.root / "Dockerfile.dev").write_text("FROM scratch\n")
    (place.root / "requirements-docs.txt").write_text("sphinx\n")
    (place.root / "package.json").write_text("{}\n")
    (place.root / "broken.json").write_bytes(b"\xff\xfe")
    (place.root / "loop.txt").symlink_to("loop.txt")
    os.mkfifo(place.root / "requirements.txt")
    Path(os.fsdecode(os.fsencode(place.root) + b"/caf\xe9.txt")).write_bytes(
        (place.root / "locked.txt").read_bytes() + b"more\n"
    )


@harmless()
def exports_of_another_project_inside(place: Place) -> None:
    (place.root / "sub").mkdir()
    for name in ("Dockerfile", "pylock.toml"):
        shutil.copy(place.root / name, place.root / "sub")
    (place.root / "sub/Dockerfile").write_text("# >>> envlock\n# <<< envlock\n")


@harmless()
def an_old_export_in_a_hidden_folder(place: Place) -> None:
    shutil.copytree(place.root / "nix", place.root / ".old")
    (place.root / ".old/env.json").write_text("{}")


@harmless()
def the_project_is_moved(place: Place) -> None:
    place.root.rename(place.root.with_name("moved"))
    shutil.copytree(place.root.with_name("moved"), place.root)
    shutil.rmtree(place.root.with_name("moved"))
