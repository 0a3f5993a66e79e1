"""Builds of python-build-standalone, chosen by date from those that uv knows.

uv carries a list of the builds with their digests. Its list command shows their addresses. A
digest it says when an archive has another one; so it is asked to install an empty archive, and
refuses. Nothing is fetched for that, and what vouches for the digest is uv itself.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import unquote

from envlock.errors import SourceError, UsageError
from envlock.io import process
from envlock.io.http.client import Http
from envlock.io.progress import Reporter
from envlock.io.tools import find_uv
from envlock.lock.interpreter import StandalonePython
from envlock.lock.target import Target
from envlock.resolve import sizes
from envlock.resolve.python.engines.uv_settings import environment

PUBLISHER = "https://github.com/astral-sh/python-build-standalone/releases/download"
"""Where the builds are published, as ``PUBLISHER/BUILD/FILE``."""

_MIRROR = "UV_PYTHON_INSTALL_MIRROR"
_ADDRESS = re.compile(re.escape(PUBLISHER) + r"/([0-9]{8})/([^/]+\.tar\.(?:gz|zst))")
_RELEASE = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
_DIGESTS = re.compile(r"Expected:\s+([0-9a-f]{64})\s+Computed:\s+([0-9a-f]{64})\s")
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_LIBC = {"linux": "gnu", "macos": "none", "windows": "none"}
_EMPTY_TAR = bytes(1024)
_EMPTY = {
    ".gz": gzip.compress(_EMPTY_TAR, mtime=0),
    # RFC 8878: magic, header (one segment of 1024 bytes), one last block that repeats a zero.
    ".zst": bytes.fromhex("28b52ffd60000303200000"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Build:
    """A build as uv lists it: ``key`` is uv's name for it, ``release`` its CPython's version."""

    key: str
    release: str
    day: str
    url: str

    @property
    def rank(self) -> tuple[tuple[int, ...], str]:
        """The newest CPython first of all, then its newest build."""
        return tuple(int(part) for part in self.release.split(".")), self.day

    @property
    def available(self) -> datetime:
        """The end of its day: the hour at which it was published is not known."""
        return datetime.strptime(self.day, "%Y%m%d").replace(tzinfo=UTC) + timedelta(days=1)


def choose(
    targets: Iterable[Target], as_of: datetime, root: Path, http: Http, reporter: Reporter
) -> tuple[StandalonePython, ...]:
    """For each target the newest build of its Python whose day was over at ``as_of`` (UTC).

    Pre-releases, free-threaded and debug builds are left out. ``root`` is the project's folder,
    for uv's configuration (a mirror).

    Raises:
        UsageError: there is no such build.
        SourceError: uv is missing or does not answer, or nobody says an archive's size.
    """
    reporter.step("finding builds of Python")
    found = [(target, _newest(target, as_of)) for target in sorted(targets)]
    digests = {build.key: _digest(build) for _, build in found}
    known = _sizes({digests[build.key]: build for _, build in found}, root, http, reporter)
    return tuple(
        StandalonePython(
            target=target,
            version=build.release,
            build=build.day,
            url=build.url,
            sha256=digests[build.key],
            size=known[digests[build.key]],
        )
        for target, build in found
    )


def places(build: StandalonePython, root: Path) -> tuple[str, ...]:
    """Where the archive can be fetched from, most preferred first: uv's mirror, the publisher.

    The mirror is that of uv's own configuration (``UV_PYTHON_INSTALL_MIRROR``, ``uv.toml``).

    Raises:
        SourceError: uv is missing or does not answer.
    """
    file = build.url.removeprefix(PUBLISHER)
    return tuple(place + file for place in _roots(_question(build.target, "3"), root))


def _newest(target: Target, as_of: datetime) -> _Build:
    question = _question(target, target.python)
    builds = [build for entry in _listed(question) if (build := _build(entry, target)) is not None]
    fitting = [build for build in builds if build.available <= as_of]
    if fitting:
        return max(fitting, key=lambda build: build.rank)
    what = f"python-build-standalone has no CPython {target.python} for {target.platform}"
    if not builds:
        raise UsageError(
            f"{what}, as far as {_uv()} knows",
            remedy="lock for another Python, choose another interpreter, or a newer uv:"
            " pip install --upgrade uv",
        )
    first = min(builds, key=lambda build: build.day)
    raise UsageError(
        f"{what} from before {as_of:%Y-%m-%dT%H:%M:%SZ}: the first build that uv"
        f" {version('uv')} knows is {first.release} of {_shown(first.day)}",
        remedy="take a later as-of, lock for another Python, or choose another interpreter",
    )


def _uv() -> str:
    try:
        return f"uv {version('uv')}"
    except PackageNotFoundError:  # a uv on PATH
        return "this uv"


def _shown(day: str) -> str:
    return f"{day[:4]}-{day[4:6]}-{day[6:]}"


def _question(target: Target, python: str) -> str:
    """uv's name for the builds of a target's Python: ``cpython-3.13-linux-x86_64-gnu``."""
    system, machine = target.platform.split("/")
    return f"cpython-{python}-{system}-{_MACHINES[machine]}-{_LIBC[system]}"


def _build(entry: Mapping[str, str], target: Target) -> _Build | None:
    """The build of an entry, if it is a release for the target's machine and has a date."""
    address = _ADDRESS.fullmatch(entry["url"])
    machine = _MACHINES[target.platform.split("/")[1]]
    plain = (entry["implementation"], entry["variant"], entry["arch"]) == (
        *("cpython", "default"),
        machine,
    )
    if not plain or address is None or not _RELEASE.fullmatch(entry["version"]):
        return None
    return _Build(key=entry["key"], release=entry["version"], day=address[1], url=entry["url"])


def _listed(question: str) -> list[dict[str, str]]:
    # With the publisher as the mirror, uv lists the builds under the publisher's addresses.
    return _uv_list(["--no-config", question], environment() | {_MIRROR: PUBLISHER}, None)


def _uv_list(
    arguments: list[str], variables: Mapping[str, str] | None, root: Path | None
) -> list[dict[str, str]]:
    argv = [str(find_uv()), "python", "list", "--only-downloads", "--all-versions"]
    completed = process.run(
        [*argv, "--output-format", "json", *arguments],
        cwd=root,
        env=variables,
        remedy="pip install uv",
    )
    if completed.code != 0:
        raise SourceError(
            f"uv cannot list the builds of Python:\n{completed.stderr.strip()}",
            where="uv python list",
        )
    try:
        entries = json.loads(completed.stdout)
        names = ("key", "version", "url", "implementation", "variant", "arch")
        return [{name: str(entry[name]) for name in names} for entry in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"uv's list of builds cannot be read: {error}",
            where="uv python list",
            remedy="pip install --upgrade uv",
        ) from None


def _digest(build: _Build) -> str:
    """The sha256 that uv expects of the build's archive."""
    with tempfile.TemporaryDirectory(prefix="envlock-python-") as folder:
        mirror = Path(folder) / "mirror"
        content = _EMPTY[Path(build.url).suffix]
        probe = mirror / unquote(build.url.removeprefix(f"{PUBLISHER}/"))
        probe.parent.mkdir(parents=True)
        probe.write_bytes(content)
        argv = [str(find_uv()), "python", "install", "--no-config", "--color=never"]
        argv += ["--no-bin", "--no-registry", "--no-progress", "--mirror", mirror.as_uri()]
        variables = {"UV_PYTHON_DOWNLOADS": "manual", "UV_HTTP_RETRIES": "0"}
        completed = process.run(
            [*argv, "--install-dir", str(Path(folder) / "pythons"), build.key],
            env=environment() | variables,
            remedy="pip install uv",
        )
    said = _DIGESTS.search(completed.stderr + "\n")
    if completed.code == 0 or said is None or said[2] != hashlib.sha256(content).hexdigest():
        raise SourceError(
            f"{_uv()} does not say the digest of {build.key}, and none is locked"
            " without one" + (f":\n{completed.stderr.strip()}" if completed.stderr else ""),
            where="uv python install",
            remedy="try another version of uv, or choose another interpreter",
        )
    return said[1]


def _sizes(
    builds: Mapping[str, _Build], root: Path, http: Http, reporter: Reporter
) -> dict[str, int]:
    """Each digest's size in bytes: remembered, or asked where the archive can be fetched."""
    known = sizes.remembered()
    found = {digest: known[digest] for digest in builds if digest in known}
    missing = {digest: build for digest, build in builds.items() if digest not in found}
    if not missing:
        return found
    failures: list[str] = []
    for place in _roots(next(iter(missing.values())).key, root):
        urls = {d: place + build.url.removeprefix(PUBLISHER) for d, build in missing.items()}
        try:
            return found | sizes.ask(urls, http, reporter)
        except SourceError as error:
            failures.append(f"{error.where}: {error.what}")
    raise SourceError(
        "\n  ".join(["nobody says the size of the archive of Python:", *failures]),
        remedy=f"check the network; name a mirror of python-build-standalone in {_MIRROR} (or"
        " python-install-mirror in uv.toml); or choose another interpreter in [tool.envlock]",
    )


def _roots(question: str, root: Path) -> tuple[str, ...]:
    """Where builds can be fetched from, as ``ROOT/BUILD/FILE``; the publisher comes last."""
    # Here uv runs with the machine's configuration: where to fetch from is the machine's business.
    variables = process.clean_environment("VIRTUAL_ENV", "CONDA_PREFIX")
    listed = [entry["url"] for entry in _uv_list([question], variables, root)]
    roots = dict.fromkeys([*(place.rsplit("/", 2)[0] for place in listed), PUBLISHER])
    return tuple(place for place in roots if place.startswith(("http://", "https://")))
