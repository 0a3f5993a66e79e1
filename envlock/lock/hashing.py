"""The environment hash. Specified in docs/environment-hash.md, with vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envlock.lock.builds import pins_content
from envlock.lock.canonical import digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from envlock.lock.builds import Build
    from envlock.lock.model import Lock
    from envlock.lock.os import OsLayer, OsPackage
    from envlock.lock.package import PythonPackage
    from envlock.lock.request import Request
    from envlock.lock.target import Target

PREFIX = "env1-"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentHash:
    """The Merkle root and its branches. A branch is None where the lock has no such layer."""

    python: str
    os: str | None = None
    toolchain: str | None = None

    @property
    def root(self) -> str:
        """``env1-`` and 64 hex digits."""
        branches = {"os": self.os, "python": self.python, "toolchain": self.toolchain}
        return PREFIX + digest(branches)

    @property
    def short(self) -> str:
        """The first 12 digits, for people."""
        return shorten(self.root)


def shorten(root: str) -> str:
    """``env1-`` and the first 12 of its digits."""
    return root[: len(PREFIX) + 12]


def environment_hash(lock: Lock) -> EnvironmentHash:
    """The hash of what the lock installs: no locations, sizes, dates or order are in it."""
    return EnvironmentHash(
        python=digest(python_content(lock)),
        os=None if lock.os is None else digest(os_content(lock.os)),
        toolchain=digest(toolchain) if (toolchain := toolchain_content(lock)) else None,
    )


def os_content(layer: OsLayer) -> dict[str, Any]:
    """The OS branch's content, as JSON values."""
    content = {"packages": _os_packages(layer.packages)}
    if layer.build_packages:
        content["build-packages"] = _os_packages(layer.build_packages)
    return content


def _os_packages(packages: Iterable[OsPackage]) -> list[dict[str, str]]:
    return [
        {
            "architecture": p.architecture,
            "name": p.name,
            "sha256": p.sha256,
            "version": p.version,
        }
        for p in sorted(packages, key=lambda p: (p.architecture, p.name, p.version))
    ]


def toolchain_content(lock: Lock) -> dict[str, Any]:
    """The toolchain branch's content, as JSON values; empty where the lock has no such layer."""
    content: dict[str, Any] = {}
    if lock.nixpkgs is not None:
        content["nixpkgs"] = {
            "names": sorted(lock.nixpkgs.names),
            "nar-hash": lock.nixpkgs.nar_hash,
            "rev": lock.nixpkgs.rev,
        }
    if lock.guix is not None:
        content["guix"] = {"commit": lock.guix.commit, "names": sorted(lock.guix.names)}
    if lock.image is not None:
        content["image"] = {
            "digest": lock.image.digest,
            "platforms": [
                {"digest": one.digest, "platform": one.platform}
                for one in sorted(lock.image.platforms)
            ],
        }
    if lock.builds:
        content["builds"] = [
            _build_content(build) for build in sorted(lock.builds, key=lambda b: b.key)
        ]
        content["build-packages"] = [
            {
                "artifacts": sorted(file.sha256 for file in package.files),
                "name": package.name,
                "version": package.version,
            }
            for package in sorted(lock.build_packages, key=lambda p: p.sort_key)
        ]
    # Only where cycles are broken: locks without any keep the hash that they had.
    if seeds := sorted(seed.key for seed in lock.bootstrap if seed.cycle):
        content["bootstrap"] = [{"package": name, "version": version} for name, version in seeds]
    return content


def _build_content(build: Build) -> dict[str, Any]:
    return {
        "backend": build.backend,
        "backend-path": list(build.backend_path),
        "package": build.package,
        "pins": pins_content(build.pins),
        "sdist": build.sdist,
        "version": build.version,
    }


def python_content(lock: Lock) -> dict[str, Any]:
    """The Python branch's content, as JSON values."""
    artifacts = {build.target: build.sha256 for build in lock.standalone}
    return {
        "interpreters": [_interpreter_content(t, artifacts.get(t)) for t in sorted(lock.targets)],
        "packages": [_package_content(p) for p in sorted(lock.packages, key=lambda p: p.sort_key)],
    }


def _interpreter_content(target: Target, artifact: str | None) -> dict[str, Any]:
    content = {
        "implementation": "cpython",
        "platform": target.platform,
        "version": target.python,
    }
    # Only where there is one: locks without it keep the hash that they had.
    return content if artifact is None else content | {"artifact": artifact}


def _package_content(package: PythonPackage) -> dict[str, Any]:
    artifacts = [file.sha256 for file in package.files]
    content: dict[str, Any] = {
        "name": package.name,
        "version": package.version,
        "marker": package.marker,
    }
    if package.archive is not None:
        artifacts.append(package.archive.sha256)
        content["subdirectory"] = package.archive.subdirectory
    if package.vcs is not None:
        content["commit"] = package.vcs.commit
        content["subdirectory"] = package.vcs.subdirectory
    if package.directory is not None:
        # A source tree has no digest: where it lies in the project is what identifies it.
        content["directory"] = package.directory.path
        content["editable"] = package.directory.editable
        content["subdirectory"] = package.directory.subdirectory
    content["artifacts"] = sorted(artifacts)
    return content


def request_digest(request: Request) -> str:
    """``sha256:<hex>`` of the request's canonical content."""
    return "sha256:" + digest(request.canonical())
