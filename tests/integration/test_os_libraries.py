"""Libraries that wheels need: the real command on loopback, and real tools, wheels and archives."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import subprocess
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from support import real_index
from support.elf import ARM64, I386, PPC64, shared_object
from support.index import LoopbackIndex
from support.packages import make_wheel
from support.project import Project, errors_in
from support.snapshot import SnapshotServer, flip
from support.tiny_archive import NEW, Deb, TinySuite, security_suite, signer

from envlock.io.apt_config import apt_sources
from envlock.io.http.client import Http
from envlock.io.paths import cache_dir
from envlock.io.progress import SilentReporter
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.os import OsLayer
from envlock.resolve.os.archive.archive import Opening, open_archive
from envlock.resolve.os.archive.mirrors import choose_mirrors
from envlock.resolve.os.archive.trust import shipped_keyring
from envlock.resolve.os.distributions.distribution import parse_base
from envlock.resolve.os.libraries.choice import choose
from envlock.resolve.os.libraries.contents import Contents, read_contents
from envlock.resolve.os.libraries.elf import read_elf
from envlock.resolve.os.libraries.wheels import LARGE, WheelFile, WheelLibraries, WheelReader, scan

DATE = "2024-07-01"
LINUX = "cp312-cp312-manylinux_2_17_x86_64"
LIB = "usr/lib/x86_64-linux-gnu"
BOOKWORM = parse_base("debian:bookworm")

DEBS = (
    Deb(
        name="libc6",
        version="2.36-9",
        fields={"Essential": "yes", "Depends": "libgcc-s1"},
        paths=("lib/x86_64-linux-gnu/libc.so.6",),
    ),
    Deb(name="libgcc-s1", version="12", paths=("lib/x86_64-linux-gnu/libgcc_s.so.1",)),
    Deb(
        name="libgl1",
        version="1.6",
        fields={"Depends": "libx11-6"},
        paths=(f"{LIB}/libGL.so.1", f"{LIB}/libGL.so.1.7.0"),
    ),
    Deb(name="libx11-6", version="1.8", paths=(f"{LIB}/libX11.so.6",)),
    Deb(name="primus", version="1", paths=(f"{LIB}/primus/libGL.so.1",)),
    Deb(name="libjack0", version="1", paths=(f"{LIB}/libjack.so.0",)),
    Deb(
        name="libjack-jackd2-0",
        version="2",
        fields={"Conflicts": "libjack0"},
        paths=(f"{LIB}/libjack.so.0",),
    ),
    Deb(
        name="libblas3",
        version="3",
        fields={"Provides": "libblas.so.3"},
        paths=(f"{LIB}/blas/libblas.so.3",),
    ),
    Deb(
        name="libopenblas0-pthread",
        version="0.3",
        fields={"Provides": "libblas.so.3"},
        paths=(f"{LIB}/openblas-pthread/libblas.so.3", f"{LIB}/openblas-pthread/libopenblas.so.0"),
    ),
)


def suites(**options: Any) -> dict[str, dict[str, dict[str, bytes]]]:
    """One instant of bookworm's three suites; ``options`` are the main one's."""
    main = TinySuite(name="bookworm", debs=DEBS, date=NEW, **options).files(signer())
    updates = TinySuite(name="bookworm-updates", date=NEW, suite="stable-updates").files(signer())
    return {
        "debian": {"20240601T120000Z": main | updates},
        "debian-security": {"20240601T120000Z": security_suite(None, NEW)},
    }


@pytest.fixture
def archive() -> Iterator[SnapshotServer]:
    with SnapshotServer(suites()) as running:
        yield running


@pytest.fixture
def asking(project: Project, index: LoopbackIndex, archive: SnapshotServer) -> Project:
    """A project with one wheel that needs libGL, libgcc_s and what nobody has."""
    needed = ("libGL.so.1", "libgcc_s.so.1", "libcuda.so.1", "libc.so.6")
    wheel(index, "cv", *needed)
    (project.root / "archive.pgp").write_bytes(signer().public)
    return ask(project, archive, "cv")


def wheel(index: LoopbackIndex, name: str, *needed: str) -> Any:
    files = {f"{name}/_x.so": shared_object(*needed)}
    return index.add(name, "1.0", "2024-01-01", tag=LINUX, files=files)


def ask(project: Project, archive: SnapshotServer, *wishes: str, **os: Any) -> Project:
    table = {"base": "debian:bookworm", "keyring": "archive.pgp", "mirrors": [archive.template]}
    settings = {"targets": ["linux/amd64"], "python": "3.12", "interpreter": "base-image"}
    settings["os"] = table | os
    return project.write(*wishes, settings=settings)


def layer(lock: Lock) -> OsLayer:
    assert lock.os is not None
    return lock.os


def names(lock: Lock) -> set[str]:
    return {package.name for package in layer(lock).packages}


def libraries(lock: Lock) -> dict[str, str | None]:
    return {entry.soname: entry.package for entry in layer(lock).libraries}


def test_what_is_missing_is_said_with_the_package_to_add(
    asking: Project, archive: SnapshotServer
) -> None:
    done = asking.run("lock", "--as-of", DATE)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("libgl1") == 1
    assert 'cv needs libGL.so.1: add "libgl1" to packages in [tool.envlock.os]' in done.stderr
    assert "no package of debian:bookworm has libcuda.so.1 (for cv)" in done.stderr
    lock = asking.read()
    found = {"libGL.so.1": "libgl1", "libcuda.so.1": None, "libgcc_s.so.1": "libgcc-s1"}
    assert libraries(lock) == found
    assert {entry.wheels for entry in layer(lock).libraries} == {("cv",)}
    assert names(lock) == {"libc6", "libgcc-s1"}
    ask(asking, archive, "cv", packages=["libgl1"])
    done = asking.run("lock", "--as-of", DATE)
    assert "note: cv needs" not in done.stderr
    assert libraries(asking.read()) == found


def test_json_lists_what_is_missing(asking: Project) -> None:
    found = asking.json("lock", "--as-of", DATE)["missing-libraries"]
    assert [(entry["soname"], entry["package"]) for entry in found] == [
        ("libGL.so.1", "libgl1"),
        ("libcuda.so.1", None),
    ]


def test_auto_adds_it_for_the_wheel(asking: Project, archive: SnapshotServer) -> None:
    plain = asking.lock(as_of=DATE)
    ask(asking, archive, "cv", auto=True, **{"ignore-libraries": ["libcuda.so.1"]})
    assert asking.run("lock", "--check").returncode == 1
    done = asking.run("lock", "--as-of", DATE)
    assert "note: cv" not in done.stderr
    lock = asking.read()
    assert names(lock) == {"libc6", "libgcc-s1", "libgl1", "libx11-6"}
    [added] = layer(lock).package("libgl1")
    assert (added.via_wheels, added.via, added.requested) == (("cv",), (), False)
    assert "libcuda.so.1" not in libraries(lock)
    assert environment_hash(lock).python == environment_hash(plain).python
    assert environment_hash(lock).os != environment_hash(plain).os
    assert "libraries for cv → libgl1 1.6 → libx11-6 1.8" in asking.run("why", "libx11-6").stdout
    assert "needed by cv" in asking.run("why", "libGL.so.1").stdout
    first = asking.lock_path.read_bytes()
    asking.lock_path.unlink()
    asking.lock(as_of=DATE, ENVLOCK_CACHE_DIR=str(asking.root / "another-cache"))
    assert asking.lock_path.read_bytes() == first


def test_a_lock_that_knows_the_library_asks_neither_archive_nor_wheel_again(
    asking: Project, archive: SnapshotServer, index: LoopbackIndex
) -> None:
    wheel(index, "more", "libGL.so.1")
    before = asking.lock(as_of=DATE)
    ask(asking, archive, "cv", "more")
    archive.forget_requests()
    index.forget_requests()
    variables = {"ENVLOCK_CACHE_DIR": str(asking.root / "another-cache")}
    lock = asking.lock(as_of=DATE, **variables)
    assert archive.count() == 0
    assert layer(lock).packages == layer(before).packages
    assert {entry.wheels for entry in layer(lock).libraries} == {("cv",), ("cv", "more")}
    asking.lock_path.unlink()
    index.forget_requests()
    assert asking.lock(as_of=DATE, **variables) == lock  # as from scratch
    assert index.count("*.whl", "GET") == 0


def test_another_library_asks_the_archive(
    asking: Project, archive: SnapshotServer, index: LoopbackIndex
) -> None:
    ask(asking, archive, "cv", auto=True)
    asking.lock(as_of=DATE)
    wheel(index, "more", "libblas.so.3", "libopenblas.so.0")
    ask(asking, archive, "cv", "more", auto=True)
    lock = asking.lock(as_of=DATE)
    assert {"libgl1", "libblas3", "libopenblas0-pthread"} <= names(lock)
    ask(asking, archive, "more", auto=True)
    assert not {"libgl1", "libx11-6"} & names(asking.lock(as_of=DATE))


def test_what_is_locked_anyway_is_chosen(
    asking: Project, archive: SnapshotServer, index: LoopbackIndex
) -> None:
    wheel(index, "more", "libblas.so.3", "libjack.so.0")
    ask(asking, archive, "more", auto=True, packages=["libopenblas0-pthread", "libjack-jackd2-0"])
    lock = asking.lock(as_of=DATE)
    assert libraries(lock) == {
        "libblas.so.3": "libopenblas0-pthread",
        "libjack.so.0": "libjack-jackd2-0",
    }
    assert not any(package.via_wheels for package in layer(lock).packages)


def test_what_cannot_be_added_is_said_with_the_way_out(
    asking: Project, archive: SnapshotServer, index: LoopbackIndex
) -> None:
    wheel(index, "more", "libjack.so.0")
    wheel(index, "odd", "libopenblas.so.0")
    archive.states = suites()
    debs = (*DEBS, Deb(name="app", version="1", fields={"Conflicts": "libjack0, libjack-jackd2-0"}))
    main = TinySuite(name="bookworm", debs=debs, date=NEW).files(signer())
    archive.states["debian"]["20240601T120000Z"].update(main)
    ask(asking, archive, "more", auto=True, packages=["app"])
    said = asking.refused(code=2, as_of=DATE)
    assert errors_in(said) == 1
    assert "added for libraries that wheels need: libjack0 (for more)" in said
    assert "ignore-libraries" in said
    ask(
        asking, archive, "more", "odd", auto=True, packages=["app"],
        **{"ignore-libraries": ["libjack.so.0"]},
    )  # fmt: skip
    assert "libopenblas0-pthread" in names(asking.lock(as_of=DATE))


def test_off_means_that_no_wheel_is_asked(
    asking: Project, archive: SnapshotServer, index: LoopbackIndex
) -> None:
    ask(asking, archive, "cv", libraries=False)
    lock = asking.lock(as_of=DATE)
    assert layer(lock).libraries == ()
    assert index.count("*.whl", "GET") == 0
    assert archive.count("*/Contents*") == 0


def test_turned_off_later_the_os_packages_stay_without_asking(
    asking: Project, archive: SnapshotServer, index: LoopbackIndex
) -> None:
    before = layer(asking.lock(as_of=DATE))
    wheel(index, "more", "libblas.so.3")
    ask(asking, archive, "cv", "more")
    archive.fail("*", "cut")
    variables = {
        "ENVLOCK_CACHE_DIR": str(asking.root / "another-cache"),
        "ENVLOCK_HTTP_RETRIES": "0",
    }
    said = asking.refused(code=3, as_of=DATE, **variables)
    assert "wheels need other libraries than before" in said
    assert "libraries = false" in said
    ask(asking, archive, "cv", "more", libraries=False)
    after = layer(asking.lock(as_of=DATE, **variables))
    assert after.packages == before.packages
    assert after.libraries == ()


def test_wheels_that_need_nothing_need_no_contents(
    asking: Project, archive: SnapshotServer, index: LoopbackIndex
) -> None:
    wheel(index, "own", "libc.so.6", "libm.so.6")
    ask(asking, archive, "own")
    assert layer(asking.lock(as_of=DATE)).libraries == ()
    assert archive.count("*/Contents*") + archive.count("*/main/by-hash/*") == 0


def test_a_wrong_byte_in_contents_writes_nothing(asking: Project, archive: SnapshotServer) -> None:
    for path in ("*/main/by-hash/*", "*/Contents*"):
        archive.tamper(path, flip(30))
    said = asking.refused(code=4, as_of=DATE)
    assert errors_in(said) == 1
    assert "bookworm/main/Contents-amd64" in said
    archive.heal()
    assert libraries(asking.lock(as_of=DATE))["libGL.so.1"] == "libgl1", "the cache was poisoned"


def test_a_wrong_byte_in_a_wheel_writes_nothing(asking: Project, index: LoopbackIndex) -> None:
    index.fail("*.whl", "flip-byte")
    said = asking.refused(code=4, as_of=DATE)
    assert errors_in(said) == 1
    assert "cv-1.0-" in said
    index.heal()
    assert libraries(asking.lock(as_of=DATE))["libGL.so.1"] == "libgl1"


def test_an_archive_without_contents(asking: Project, archive: SnapshotServer) -> None:
    archive.states = suites(contents=None)
    said = asking.refused(code=3, as_of=DATE)
    assert errors_in(said) == 1
    assert "libraries = false" in said
    archive.states = suites(contents="suite")  # as Ubuntu has them
    another = {"ENVLOCK_CACHE_DIR": str(asking.root / "another-cache")}
    assert libraries(asking.lock(as_of=DATE, **another))["libGL.so.1"] == "libgl1"


def test_credentials_of_the_index_serve_for_its_wheels(
    asking: Project, archive: SnapshotServer
) -> None:
    with LoopbackIndex("json", auth=("me", "secret")) as private:
        wheel(private, "cv", "libGL.so.1")
        url = private.url_for("me", "secret")
        assert libraries(asking.lock(as_of=DATE, UV_DEFAULT_INDEX=url)) == {"libGL.so.1": "libgl1"}
    assert "secret" not in asking.lock_path.read_text()


# --- large wheels -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large_wheel() -> tuple[bytes, WheelLibraries]:
    """A wheel of more than ``LARGE`` bytes, nearly all of them in one file that is no library."""
    _, small = make_wheel("big", "1", tag=LINUX, files={"big/_x.so": shared_object("libGL.so.1")})
    buffer = BytesIO(small)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(zipfile.ZipInfo("big/data.bin"), bytes(LARGE))
        huge = shared_object("libhuge.so.1", padding=17_000_000)
        archive.writestr(zipfile.ZipInfo("big/libhuge.so.2"), huge)
        late = shared_object("libX11.so.6", "libhuge.so.2", "libc.so.6")
        archive.writestr(zipfile.ZipInfo("big/_late.so"), late, zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(buffer) as archive:
        return buffer.getvalue(), scan(archive, large=True)


def reading(index: LoopbackIndex, content: bytes, sha256: str | None = None) -> WheelLibraries:
    url = index.put("/files/big-1-py3-none-any.whl", content)
    digest = sha256 or hashlib.sha256(content).hexdigest()
    file = WheelFile(name="big.whl", sha256=digest, size=len(content), url=url)
    with Http(backoff=0.01) as http:
        return WheelReader(http, lambda _: None, SilentReporter()).read_all([file])[digest]


def test_parts_of_a_large_wheel_say_the_same_as_all_of_it(
    index: LoopbackIndex, large_wheel: tuple[bytes, WheelLibraries]
) -> None:
    content, expected = large_wheel
    assert list(expected.needs["amd64"]) == ["libGL.so.1", "libX11.so.6"]
    assert expected.unread == ("big/libhuge.so.2",)
    assert reading(index, content) == expected
    spans = [seen.headers.get("range", "") for seen in index.requests]
    assert all(spans)
    assert len(spans) <= 5
    assert not list((cache_dir() / "sha256").glob("*/*"))
    index.forget_requests()
    assert reading(index, content) == expected
    assert index.count() == 0
    # What one server says of a digest does not speak for another's file.
    with LoopbackIndex("json") as other:
        assert reading(other, content) == expected
        assert other.count() > 0


def test_without_ranges_the_whole_wheel_is_fetched_and_verified(
    index: LoopbackIndex,
    large_wheel: tuple[bytes, WheelLibraries],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content, expected = large_wheel
    answer = index.answer

    def without_ranges(path: str, headers: Any) -> Any:
        dict.pop(headers, "range", None)
        return answer(path, headers)

    monkeypatch.setattr(index, "answer", without_ranges)
    assert reading(index, content) == expected
    digest = hashlib.sha256(content).hexdigest()
    assert (cache_dir() / "sha256" / digest[:2] / digest).read_bytes() == content
    index.forget_requests()
    assert reading(index, content) == expected
    assert index.count() == 0


def test_a_whole_wheel_in_the_store_goes_before_what_parts_said(
    index: LoopbackIndex, large_wheel: tuple[bytes, WheelLibraries]
) -> None:
    content, expected = large_wheel
    digest = hashlib.sha256(content).hexdigest()
    _, other = make_wheel("big", "1", tag=LINUX, files={"big/_x.so": shared_object("liblie.so.1")})
    buffer = BytesIO(other)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(zipfile.ZipInfo("big/data.bin"), bytes(LARGE))
    lie = reading(index, buffer.getvalue(), sha256=digest)
    assert list(lie.needs["amd64"]) == ["liblie.so.1"]
    stored = cache_dir() / "sha256" / digest[:2] / digest
    stored.parent.mkdir(parents=True)
    stored.write_bytes(content)
    assert reading(index, content) == expected


# --- real tools ---------------------------------------------------------------------------------


def readelf(path: Path) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
    """Soname, needed and search path, as binutils read them."""
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(
        ["readelf", "-dW", str(path)], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    named = re.findall(r"\((\w+)\).*?\[(.*)\]$", done.stdout, re.M)
    texts = {key: [value for tag, value in named if tag == key] for key, _ in named}
    search = ":".join(texts.get("RUNPATH") or texts.get("RPATH") or []).split(":")
    return (
        next(iter(texts.get("SONAME", [])), None),
        tuple(texts.get("NEEDED", [])),
        tuple(folder for folder in search if folder),
    )


def ours(path: Path) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
    with path.open("rb") as file:
        found = read_elf(file)
    assert found is not None
    return found.soname, found.needed, found.search


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"machine": ARM64, "rpath": "$ORIGIN/y"},
        {"machine": I386, "bits": 32, "runpath": "$ORIGIN/x:/opt", "rpath": "z"},
        {"machine": PPC64, "big": True, "padding": 5000},
    ],
)
def test_files_made_for_tests_are_what_readelf_says(options: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.so"
    path.write_bytes(shared_object("libGL.so.1", "libc.so.6", soname="libown.so.2", **options))
    assert readelf(path)[:2] == ("libown.so.2", ("libGL.so.1", "libc.so.6"))
    assert ours(path) == readelf(path)


def test_this_machines_libraries_and_programs_are_what_readelf_says() -> None:
    folders = [Path("/usr/lib/x86_64-linux-gnu"), Path("/usr/lib/aarch64-linux-gnu")]
    libraries = [path for folder in folders for path in sorted(folder.glob("*.so*"))]
    files = [*libraries[:150], *sorted(Path("/usr/bin").glob("[c-g]*"))[:100]]
    real = [path for path in files if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"]
    assert len(real) > 60
    for path in real:
        assert ours(path) == readelf(path), path


# --- the real archive and index -----------------------------------------------------------------


@pytest.fixture(scope="module")
def real_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of ``real_contents``."""
    return tmp_path_factory.mktemp("contents")


@pytest.fixture(scope="module")
def real_contents(real_cache: Path) -> Iterator[Contents]:
    """The libraries of the machine's own bookworm mirror."""
    patch = pytest.MonkeyPatch()
    patch.setenv("ENVLOCK_CACHE_DIR", str(real_cache))
    keyring = shipped_keyring(BOOKWORM.distribution.keyring)
    mirrors = choose_mirrors(BOOKWORM.distribution, sources=apt_sources(), keyring=lambda: keyring)
    opening = Opening(base=BOOKWORM, as_of=None, architectures=("amd64",), mirrors=mirrors)
    with Http() as http:
        yield read_contents(open_archive(opening, http, now=datetime.now(UTC)), "amd64", http)
    patch.undo()


@pytest.mark.network
def test_real_contents_agree_with_dpkg(real_contents: Contents) -> None:
    """Who owns each library that this machine has installed: ldconfig's list, dpkg's answer."""
    listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True)
    folder = r"(?:/usr)?/lib/x86_64-linux-gnu"
    entries = re.findall(rf"^\t(\S+) .*x86-64.* => ({folder}/\S+)$", listed.stdout, re.M)
    status = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"],
        capture_output=True,
        text=True,
        check=True,
    )
    installed = {line.split()[0] for line in status.stdout.splitlines() if " installed" in line}
    # Where dpkg says a file is, it may be listed with or without /usr (merged since).
    bare = {place.removeprefix("/usr") for _, place in entries}
    asked = ["dpkg", "-S", *sorted(bare), *sorted(f"/usr{place}" for place in bare)]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    owners = {
        path.removeprefix("/usr"): owner
        for owner, path in re.findall(r"^([a-z0-9.+-]+)(?::amd64)?: (/\S+)$", said, re.M)
    }
    compared = 0
    for soname, place in entries:
        owner = owners.get(place.removeprefix("/usr"))
        holders = real_contents.holders(soname)
        if owner is None or not (holders.found or holders.below):
            continue  # a link made at installation, or a package from elsewhere
        assert choose(soname, holders, (), installed) == owner, (soname, place)
        compared += 1
    assert compared > 20, compared


@pytest.mark.network
def test_real_contents_agree_with_a_plain_reading(
    real_contents: Contents, real_cache: Path
) -> None:
    """Line by line, as `zgrep` would find them: each library's holders in the loader's folders."""
    folder = "/lib/x86_64-linux-gnu"
    packed = max((real_cache / "sha256").glob("*/*"), key=lambda path: path.stat().st_size)
    found: dict[str, set[str]] = {}
    with gzip.open(packed, "rt") as lines:
        for line in lines:
            if ".so" not in line:
                continue
            path, _, holders = line.rstrip().rpartition(" ")
            place, _, name = f"/{path.strip()}".rpartition("/")
            if place.removeprefix("/usr") == folder and re.search(r"\.so(\.|$)", name):
                found.setdefault(name, set()).update(h.split("/")[-1] for h in holders.split(","))
    assert len(found) > 15_000
    for name, holders in sorted(found.items())[::20]:
        if " " not in name:
            assert holders <= set(real_contents.holders(name).found), name


@pytest.mark.network
@pytest.mark.parametrize(
    ("soname", "package"),
    [
        ("libGL.so.1", "libgl1"),
        ("libX11.so.6", "libx11-6"),
        ("libglib-2.0.so.0", "libglib2.0-0"),
        ("libgomp.so.1", "libgomp1"),
        ("libstdc++.so.6", "libstdc++6"),
        ("libgcc_s.so.1", "libgcc-s1"),
        ("libz.so.1", "zlib1g"),
        ("libjack.so.0", "libjack0"),
        ("libavcodec.so.59", "libavcodec59"),
        ("libnss3.so", "libnss3"),
        ("libcuda.so.1", None),
    ],
)
def test_well_known_libraries(real_contents: Contents, soname: str, package: str | None) -> None:
    assert choose(soname, real_contents.holders(soname), (), ()) == package


def real_wheel(name: str, version: str, ending: str) -> real_index.Listed:
    [found] = [
        file
        for file in real_index.page(name)
        if str(file.version) == version and file.name.endswith(ending)
    ]
    return found


@pytest.mark.network
@pytest.mark.parametrize(
    ("name", "version", "ending", "outside"),
    [
        # As their makers' documentation has it: opencv needs GL and GLib, unless headless.
        (
            "opencv-python",
            "4.10.0.84",
            "cp37-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            {"libGL.so.1", "libgthread-2.0.so.0", "libglib-2.0.so.0"},
        ),
        ("lxml", "5.3.0", "cp311-cp311-manylinux_2_28_x86_64.whl", set()),
        (
            "shapely",
            "2.0.6",
            "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            {"libstdc++.so.6", "libgcc_s.so.1"},
        ),
    ],
)
def test_a_real_wheel_needs_what_readelf_says(
    name: str, version: str, ending: str, outside: set[str], tmp_path: Path
) -> None:
    listed = real_wheel(name, version, ending)
    file = WheelFile(name=listed.name, sha256=listed.sha256, size=None, url=listed.url)
    with Http() as http:
        reader = WheelReader(http, lambda _: None, SilentReporter())
        found = set(reader.read_all([file])[listed.sha256].needs.get("amd64", {}))
    stored = cache_dir() / "sha256" / listed.sha256[:2] / listed.sha256
    with zipfile.ZipFile(stored) as archive:
        members = [n for n in archive.namelist() if re.search(r"\.so(\.[0-9.]+)?$", n)]
        archive.extractall(tmp_path, members)
    facts = [readelf(tmp_path / member) for member in members]
    own = {Path(member).name for member in members} | {soname for soname, _, _ in facts}
    needed = {soname for _, sonames, _ in facts for soname in sonames} - own
    glibc = {f"lib{x}" for x in ("c.so.6", "m.so.6", "pthread.so.0", "dl.so.2", "rt.so.1")}
    assert found == needed - glibc - {"ld-linux-x86-64.so.2", "libutil.so.1", "libresolv.so.2"}
    assert outside <= found


@pytest.mark.network
def test_a_real_lock_says_that_opencv_needs_libgl(tmp_path: Path) -> None:
    with LoopbackIndex("json") as unused:
        project = Project(tmp_path, unused)
        settings = {
            "python": "3.11",
            "targets": ["linux/amd64"],
            "as-of": None,
            "os": {"base": "debian:bookworm", "auto": True},
        }
        del settings["as-of"]
        project.write("opencv-python==4.10.0.84", settings=settings)
        done = project.run("lock", UV_DEFAULT_INDEX=real_index.default_index())
        assert done.returncode == 0, done.stderr
        lock = project.read()
    assert libraries(lock)["libGL.so.1"] == "libgl1"
    [added] = layer(lock).package("libgl1")
    assert added.via_wheels == ("opencv-python",)
    assert {"libstdc++6", "libglib2.0-0", "libx11-6"} <= names(lock)
