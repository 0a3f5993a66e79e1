"""``build image --mode scripts``, and the two modes compared: which files differ, and why."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support import images
from support.image_world import World
from support.real_debs import suite_packages
from support.tools import run

from envlock.io.progress import SilentReporter
from envlock.io.store import stored
from envlock.lock.target import Target
from envlock.realise.image.bootstrap import Bootstrapped
from envlock.realise.image.parts import Parts
from envlock.realise.image.system import Unpacked

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("image")]

ONLY_SCRIPTS = {
    "modules compiled to .pyc": r".*/__pycache__(/.*\.pyc)?",
    "certificates by hash, for OpenSSL": r"etc/ssl/certs/[0-9a-f]{8}\.[0-9]",
    "links that start services": r"etc/(rc[0-9S]\.d/[KS]01hwclock\.sh"
    r"|systemd/system/timers\.target\.wants(/.*)?)|var/lib/systemd/deb-systemd-helper-enabled(/.*)?",
    "answers for debconf": r"var/cache/debconf/(config|passwords|templates)\.dat",
    "mmdebstrap's own": r"etc/fstab|(etc|var/cache|var/lib|var/log)/apt(/[a-z.]+)*",
}
"""What maintainer scripts (or mmdebstrap) make and envlock does not: reason → paths."""

ONLY_UNPACKED: dict[str, str] = {}
"""What envlock makes and the scripts do not."""

DIFFERENT = {"the loader's cache names the program that wrote it": r"etc/ld\.so\.cache"}
"""Paths that both have, with other content, mode, owner or target."""


def test_the_modes_differ_in_what_is_listed(built_world: World, tmp_path: Path) -> None:
    """mmdebstrap, twice at a time, under another umask and time zone: the same bytes; then file by
    file against the mode that runs nothing."""
    caches = [tmp_path / name for name in ("one", "two")]
    own = Path(built_world.project.variables["ENVLOCK_CACHE_DIR"])
    running = []
    for cache, zone, mask in zip(caches, ("UTC", "Asia/Tokyo"), ("022", "077"), strict=True):
        cache.mkdir()
        shutil.copytree(own / "sha256", cache / "sha256")
        command = f'umask {mask}; exec "$@"'
        arguments = ("build", "image", "--mode", "scripts", "--only", "os", "--json")
        running.append(
            built_world.project.start(
                *arguments,
                *("--output", str(tmp_path / f"image-{cache.name}")),
                through=("sh", "-c", command, "sh"),
                ENVLOCK_CACHE_DIR=str(cache),
                TZ=zone,
            )
        )
    told: list[Any] = []
    for process in running:
        said, complaint = process.communicate(timeout=300)
        assert process.returncode == 0, complaint
        told.append(json.loads(said))
    assert told[0]["digest"] == told[1]["digest"]
    shutil.rmtree(tmp_path / "image-two")

    with_scripts = images.unpack(tmp_path / "image-one", tmp_path / "scripts")
    scripts = images.listing(with_scripts)
    built_world.build("--only", "os", "--output", str(tmp_path / "plain"))
    unpacked = images.listing(images.unpack(tmp_path / "plain", tmp_path / "unpacked"))
    assert _unexplained(scripts.keys() - unpacked.keys(), ONLY_SCRIPTS) == []
    assert _unexplained(unpacked.keys() - scripts.keys(), ONLY_UNPACKED) == []
    both = {path for path in scripts.keys() & unpacked.keys() if scripts[path] != unpacked[path]}
    assert _unexplained(both, DIFFERENT) == []
    assert _libraries(with_scripts) == _libraries(tmp_path / "unpacked")
    assert images.inside(with_scripts, "dpkg", "--verify") == ""
    assert images.inside(with_scripts, "python3.11", "-c", "print(1)") == "1\n"
    noise = run(["grep", "-rlE", r"envlock-image-|/tmp/pytest", with_scripts], check=False).stdout
    assert noise == ""


TRIXIE = (
    "ca-certificates",
    "libgomp1",
    "openssl",
    "pkg-config",
    "python3-venv",
    "tzdata",
    "xz-utils",
)


def test_debian_13_is_unpacked_as_its_scripts_leave_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The essential set and Python in two layers; mmdebstrap's result, file by file."""
    monkeypatch.setenv("ENVLOCK_CACHE_DIR", str(tmp_path / "cache"))
    base, more = suite_packages(tmp_path / "apt", "trixie", TRIXIE)
    target = Target(platform="linux/amd64", python="3.13")
    parts = Parts(target=target, base="debian:trixie", base_packages=base, packages=more)
    day = datetime(2026, 1, 1, tzinfo=UTC)
    systems = {
        "scripts": Bootstrapped(parts, "none", day, SilentReporter()),
        "plain": Unpacked(parts, "none", SilentReporter()),
    }
    for name, system in systems.items():
        (tmp_path / name).mkdir()
        for layer in system.layers():
            run(["tar", "-xpf", stored(layer.digest), "-C", tmp_path / name])
    scripts, unpacked = (images.listing(tmp_path / name) for name in systems)
    assert _unexplained(scripts.keys() - unpacked.keys(), ONLY_SCRIPTS) == []
    assert _unexplained(unpacked.keys() - scripts.keys(), ONLY_UNPACKED) == []
    both = {path for path in scripts.keys() & unpacked.keys() if scripts[path] != unpacked[path]}
    order = {"dpkg writes diversions in the order of a hash": "var/lib/dpkg/diversions"}
    assert _unexplained(both, DIFFERENT | order) == []
    one, two = (_diversions(tmp_path / name) for name in systems)
    assert one == two
    assert _libraries(tmp_path / "scripts") == _libraries(tmp_path / "plain")
    plain = tmp_path / "plain"
    assert images.inside(plain, "dpkg", "--verify") + images.inside(plain, "dpkg", "--audit") == ""
    images.inside(plain, "python3", "-m", "venv", "/tmp/venv")
    assert "python 3.13" in images.inside(plain, "/tmp/venv/bin/pip", "--version")


def _diversions(root: Path) -> list[tuple[str, ...]]:
    lines = (root / "var/lib/dpkg/diversions").read_text().splitlines()
    return sorted(zip(*[iter(lines)] * 3, strict=True))


def _libraries(root: Path) -> list[str]:
    """What ldconfig reads in the loader's cache, but for its writer."""
    lines = images.inside(root, "ldconfig", "-p").splitlines()
    assert len(lines) > 50
    return [line for line in lines if not line.startswith("Cache generated by")]


def _unexplained(paths: set[str], reasons: dict[str, str]) -> list[str]:
    """Paths without a reason; a reason without a path is an error, too."""
    for reason, pattern in reasons.items():
        assert any(re.fullmatch(pattern, path) for path in paths), f"nothing left of: {reason}"
    return sorted(p for p in paths if not any(re.fullmatch(r, p) for r in reasons.values()))
