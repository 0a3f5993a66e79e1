"""Changes to a real Debian system (the root of the image that the other tests build), made by dpkg
and apt themselves where they make them: each is told with its code, and nothing else is."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support import images
from support.image_world import World
from support.mutations import judged, registry, told
from support.tools import run

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("image")]

DRIFT, mutation = registry()
HARMLESS, harmless = registry()
LIBRARY = "usr/lib/x86_64-linux-gnu/libgomp.so.1.0.0"
ZONE = "usr/share/zoneinfo/Europe/Berlin"
STATUS = "var/lib/dpkg/status"


@dataclass(slots=True)
class System:
    """A root folder. What is taken through ``at`` is put back by ``restore``."""

    project: Path
    root: Path
    kept: Path
    touched: list[str] = field(default_factory=list)

    def at(self, path: str) -> Path:
        """A file or folder of the root, which may then be changed."""
        kept, there = self.kept / str(len(self.touched)), self.root / path
        self.touched.append(path)
        if there.is_dir() and not there.is_symlink():
            shutil.copytree(there, kept, symlinks=True)
        elif os.path.lexists(there):
            shutil.copy2(there, kept, follow_symlinks=False)
        return there

    def restore(self) -> None:
        for number, path in reversed(list(enumerate(self.touched))):
            kept, there = self.kept / str(number), self.root / path
            if there.is_dir() and not there.is_symlink():
                shutil.rmtree(there)
            elif os.path.lexists(there):
                there.unlink()
            if os.path.lexists(kept):
                kept.rename(there)
        self.touched.clear()
        time.sleep(0.03)  # until the index believes the files' times

    def status(self, package: str, before: str, after: str) -> None:
        """Edit dpkg's paragraph of a package."""
        path = self.at(STATUS)
        head, mark, rest = path.read_text().partition(f"Package: {package}\n")
        assert mark, package
        assert before in rest.partition("\n\n")[0], (package, before)
        path.write_text(head + mark + rest.replace(before, after, 1))

    def dpkg(self, *arguments: str) -> None:
        """dpkg of the system itself."""
        for path in ("var/lib/dpkg", "var/log"):
            self.at(path)
        for command in (arguments, ("--configure", "--pending")):
            images.inside(self.root, "dpkg", *command)

    def found(self, capfd: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
        return told(self.project, capfd, "--os-only", "--root", str(self.root))


@pytest.fixture(scope="module")
def system(built_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system")
    run(["cp", "-a", "--reflink=auto", built_world.root, folder / "root"])
    for name in ("kept", "project"):
        (folder / name).mkdir()
    for name in ("pyproject.toml", "pylock.toml"):
        shutil.copy(built_world.project.root / name, folder / "project")
    yield System(folder / "project", folder / "root", folder / "kept")
    shutil.rmtree(folder)


def test_every_change_is_told_with_its_code_and_nothing_else(
    system: System,
    capfd: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    wrong = judged(DRIFT, system, lambda: system.found(capfd))
    record_property("mutations", f"{len(DRIFT) - len(wrong)} of {len(DRIFT)} changes caught")
    system.restore()
    assert not wrong, "\n".join(wrong)


def test_what_is_no_drift_is_not_told(
    system: System,
    capfd: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    wrong = judged(HARMLESS, system, lambda: system.found(capfd))
    record_property("mutations", f"{len(HARMLESS) - len(wrong)} of {len(HARMLESS)} silent")
    system.restore()
    assert not wrong, "\n".join(wrong)


# --- dpkg's status ---


@mutation(("OS001", "tzdata"))
def a_package_is_removed(system: System) -> None:
    for path in ("usr/share/zoneinfo", "usr/share/doc/tzdata", "etc"):
        system.at(path)
    system.dpkg("--remove", "--force-depends", "tzdata")


@mutation(("OS002", "libgomp1"))
def a_package_of_another_version(system: System) -> None:
    system.status("libgomp1", "Version: ", "Version: 99-")


@mutation(("OS003", "libgomp1"))
def a_package_is_half_installed(system: System) -> None:
    system.status("libgomp1", "install ok installed", "install ok half-installed")


@mutation(("OS003", "libgomp1"))
def a_package_is_unpacked_only(system: System) -> None:
    system.status("libgomp1", "install ok installed", "install ok unpacked")


@mutation(("OS003", "libgomp1"))
def a_package_waits_for_triggers(system: System) -> None:
    system.status("libgomp1", "install ok installed", "install ok triggers-pending")


@mutation(("OS004", "libgomp1"))
def a_package_is_held(system: System) -> None:
    system.at("var/lib/dpkg")
    images.inside(system.root, "sh", "-c", "echo libgomp1 hold | dpkg --set-selections")


# --- files of packages ---


@mutation(("OS102", f"/{LIBRARY}"))
def a_library_is_patched(system: System) -> None:
    path = system.at(LIBRARY)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@mutation(("OS101", f"/{LIBRARY}"))
def a_library_is_removed(system: System) -> None:
    system.at(LIBRARY).unlink()


@mutation(("OS102", f"/{LIBRARY}"))
def a_library_becomes_a_link(system: System) -> None:
    path = system.at(LIBRARY)
    path.unlink()
    path.symlink_to("libc.so.6")


@mutation(("OS102", f"/{LIBRARY}"))
def a_library_becomes_a_pipe(system: System) -> None:
    path = system.at(LIBRARY)
    path.unlink()
    os.mkfifo(path)


@mutation(("OS102", "/usr/bin/env"))
def a_program_is_replaced_and_its_time_put_back(system: System) -> None:
    path = system.at("usr/bin/env")
    before = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@mutation(("OS101", f"/{ZONE}"))
def data_is_removed(system: System) -> None:
    system.at(ZONE).unlink()


@mutation(("OS104", "tzdata"))
def the_list_of_a_packages_files_is_lost(system: System) -> None:
    system.at("var/lib/dpkg/info/tzdata.list").unlink()


@mutation(("OS105", "/etc/debian_version"))
def configuration_is_edited(system: System) -> None:
    system.at("etc/debian_version").write_text("99\n")


@mutation(("OS105", "/etc/debian_version"))
def configuration_is_removed(system: System) -> None:
    system.at("etc/debian_version").unlink()


# --- what goes before packages ---


@mutation(("OS106", "/usr/local/bin/env"))
def a_program_is_shadowed(system: System) -> None:
    system.at("usr/local/bin/env").write_text("#!/bin/sh\n")


@mutation(("OS106", "/usr/local/lib/libgomp.so.1"))
def a_library_is_shadowed(system: System) -> None:
    shutil.copy(system.root / LIBRARY, system.at("usr/local/lib/libgomp.so.1"))


# --- no drift ---


@harmless()
def manuals_and_translations_are_removed(system: System) -> None:
    for path in ("usr/share/doc", "usr/share/man", "usr/share/locale"):
        if (system.root / path).exists():
            shutil.rmtree(system.at(path))


@harmless()
def files_are_touched(system: System) -> None:
    for path in (LIBRARY, ZONE, "usr/bin/env"):
        os.utime(system.at(path), (1, 1))


@harmless()
def another_mode_and_owner(system: System) -> None:
    path = system.at(LIBRARY)
    path.chmod(0o600)
    os.chown(path, 1000, 1000)


@harmless()
def the_linkers_cache_is_made_anew(system: System) -> None:
    system.at("etc/ld.so.cache")
    system.at("var/cache/ldconfig")
    images.inside(system.root, "ldconfig")


@harmless()
def dpkg_configures_what_is_configured(system: System) -> None:
    system.dpkg("--configure", "--pending")


@harmless()
def programs_of_the_administrator(system: System) -> None:
    system.at("usr/local/bin/deploy").write_text("#!/bin/sh\n")
    system.at("opt/tool").mkdir()


@harmless()
def logs_and_caches(system: System) -> None:
    system.at("var/log/more").write_text("x\n")
    system.at("var/cache/more").write_text("x\n")
    system.at("etc/hostname").write_text("other\n")


@harmless()
def a_user_is_added(system: System) -> None:
    with system.at("etc/passwd").open("a") as file:
        file.write("me:x:1000:1000::/home/me:/bin/sh\n")
