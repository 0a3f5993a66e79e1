"""``build image --mode scripts``, and the two modes compared: which files differ, and why."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from support import images
from support.image_world import World
from support.tools import run

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("image")]

ONLY_SCRIPTS = {
    "modules compiled to .pyc": r".*/__pycache__(/.*\.pyc)?",
    "certificates by hash, for OpenSSL": r"etc/ssl/certs/[0-9a-f]{8}\.[0-9]",
    "the loader's cache": r"etc/ld\.so\.cache",
    "links that start services": r"etc/(rc[0-9S]\.d/[KS]01hwclock\.sh"
    r"|systemd/system/timers\.target\.wants(/.*)?)|var/lib/systemd/deb-systemd-helper-enabled(/.*)?",
    "answers for debconf": r"var/cache/debconf/(config|passwords|templates)\.dat",
    "mmdebstrap's own": r"etc/fstab|(etc|var/cache|var/lib|var/log)/apt(/[a-z.]+)*",
}
"""What maintainer scripts (or mmdebstrap) make and envlock does not: reason → paths."""

ONLY_UNPACKED: dict[str, str] = {}
"""What envlock makes and the scripts do not."""

DIFFERENT: dict[str, str] = {}
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
    assert images.inside(with_scripts, "dpkg", "--verify") == ""
    assert images.inside(with_scripts, "python3.11", "-c", "print(1)") == "1\n"
    noise = run(["grep", "-rlE", r"envlock-image-|/tmp/pytest", with_scripts], check=False).stdout
    assert noise == ""


def _unexplained(paths: set[str], reasons: dict[str, str]) -> list[str]:
    """Paths without a reason; a reason without a path is an error, too."""
    for reason, pattern in reasons.items():
        assert any(re.fullmatch(pattern, path) for path in paths), f"nothing left of: {reason}"
    return sorted(p for p in paths if not any(re.fullmatch(r, p) for r in reasons.values()))
