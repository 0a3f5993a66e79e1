"""``check --online``: what an index, archives, a registry and an OSV service say today."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.index import LoopbackIndex
from support.install import artifact, locked, write_lock
from support.osv import OsvServer
from support.project import Project
from support.registries import layer, publish, registry, tiny_image
from support.snapshot import SnapshotServer, flip
from support.tiny_archive import signer, two_instants

from envlock.lock import codec
from envlock.lock.image import BaseImage, PlatformImage
from envlock.lock.package import Archive

OLDER = "2024-01-01"


def asked(
    project: Project, code: int, *options: str, **variables: str
) -> list[tuple[str, str, str | None]]:
    variables.setdefault("ENVLOCK_HTTP_RETRIES", "0")
    done = project.run("check", "--lock-only", "--online", "--json", *options, **variables)
    assert done.returncode == code, done.stdout + done.stderr
    return [(d["code"], d["subject"], d["found"]) for d in json.loads(done.stdout)["drift"]]


@pytest.fixture
def world(project: Project, index: LoopbackIndex) -> Project:
    """A lock of six packages, one with two files; no OSV service is asked."""
    names = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")
    files = {name: index.add(name, "1.0", OLDER) for name in names}
    sdist = index.add("alpha", "1.0", OLDER, sdist=True)
    packages = [locked(index, file) for file in files.values()]
    packages[0] = dataclasses.replace(packages[0], sdist=artifact(index, sdist))
    project.write(*names, settings={"check": {"osv": False}})
    write_lock(project.root, *packages, wishes=names)
    return project


@pytest.mark.parametrize("style", ["json", "dated-html"])
def test_what_the_index_says_today(world: Project, index: LoopbackIndex, style: Any) -> None:
    index.style = style
    assert asked(world, 0) == []
    index.yank(index.files("alpha")[0], "breaks  on\nMondays")
    index.yank(index.files("beta")[0], "")
    index.add("gamma", "1.0", OLDER, files={"gamma/more.py": "MORE = 1\n"})
    index.remove(index.files("delta")[0])
    index.add("delta", "2.0", OLDER)
    index.drop("epsilon")
    index.statuses["zeta"] = ("quarantined", "malware")
    found = asked(world, 1)
    assert [row[:2] for row in found] == [
        ("IX005", "zeta"),
        ("IX003", "gamma"),
        ("IX004", "epsilon"),
        ("IX002", "delta"),
        ("IX001", "alpha"),
        ("IX001", "beta"),
    ]
    told = {subject: there for _, subject, there in found}
    assert told["zeta"] == "quarantined: malware"
    [wheel, _] = index.files("alpha")
    assert told["alpha"] == f"{wheel.name} yanked: breaks on Mondays"
    assert told["beta"] == "1.0 yanked"
    assert told["gamma"] == f"sha256:{index.files('gamma')[0].sha256}"


def test_yanked_and_archived_are_told_and_fail_where_the_project_says_so(
    world: Project, index: LoopbackIndex
) -> None:
    index.yank(index.files("beta")[0])
    index.statuses["zeta"] = ("archived", "use eta")
    expected = [("IX001", "beta", "1.0 yanked: broken"), ("IX006", "zeta", "archived: use eta")]
    assert asked(world, 0) == expected
    settings = {"osv": False, "severity": {"IX001": "error"}}
    world.write("alpha", settings={"check": settings})
    assert asked(world, 1) == expected


@pytest.mark.parametrize("fault", ["500", "html-for-json"])
def test_who_gives_no_answer_is_never_a_pass(
    world: Project, index: LoopbackIndex, fault: Any
) -> None:
    index.fail("/simple/beta/", fault)
    index.fail("/simple/delta/", fault)
    done = world.run("check", "--lock-only", "--online", ENVLOCK_HTTP_RETRIES="0")
    assert done.returncode == 3, done.stderr
    assert "2 of 6 questions got no answer" in done.stderr
    assert "/simple/beta/" in done.stderr
    assert done.stdout == ""
    # What was found is told all the same.
    project_file = world.root / "pyproject.toml"
    before = project_file.read_text()
    project_file.write_text(before.replace('"alpha"', '"alpha==2"'))
    done = world.run("check", "--online", "--json", ENVLOCK_HTTP_RETRIES="0")
    assert done.returncode == 3, done.stderr
    assert "RQ" in done.stdout
    project_file.write_text(before)
    index.heal()
    assert asked(world, 0) == []


def test_files_that_are_locked_by_their_address(project: Project, index: LoopbackIndex) -> None:
    files = [index.add(name, "1.0", OLDER) for name in ("alpha", "beta", "gamma")]
    packages = [dataclasses.replace(locked(index, file), index=None) for file in files]
    [wheel] = packages[1].wheels
    direct = Archive(url=wheel.url, sha256=wheel.sha256, size=wheel.size)
    packages[1] = dataclasses.replace(packages[1], wheels=(), archive=direct)
    project.write("alpha", settings={"check": {"osv": False}})
    write_lock(project.root, *packages, wishes=("alpha",))
    assert asked(project, 0) == []
    index.remove(files[0])
    index.fail(f"*{files[1].name}", "not-found")
    assert [row[:2] for row in asked(project, 1)] == [("IX002", "alpha"), ("IX002", "beta")]
    index.fail(f"*{files[2].name}", "500")
    done = project.run("check", "--lock-only", "--online", ENVLOCK_HTTP_RETRIES="0")
    assert done.returncode == 3, done.stderr


def test_an_index_with_a_password_is_asked_with_it(project: Project) -> None:
    with LoopbackIndex("json", auth=("me", "secret")) as index:
        stored = index.add("alpha", "1.0", OLDER)
        project.write("alpha", settings={"check": {"osv": False}})
        write_lock(project.root, locked(index, stored), wishes=("alpha",))
        variables = {"UV_DEFAULT_INDEX": index.url_for("me", "secret")}
        assert asked(project, 0, **variables) == []
        assert project.run("check", "--lock-only", "--online").returncode == 3


# --- archives and registries ---


@pytest.fixture
def archive() -> Iterator[SnapshotServer]:
    with SnapshotServer(two_instants()) as running:
        yield running


def test_archives_and_debs(project: Project, index: LoopbackIndex, archive: SnapshotServer) -> None:
    index.add("lib", "1.0", OLDER)
    (project.root / "archive.pgp").write_bytes(signer().public)
    os_settings = {
        "base": "debian:bookworm",
        "packages": ["app"],
        "keyring": "archive.pgp",
        "mirrors": [archive.template],
    }
    settings = {"targets": ["linux/amd64"], "python": "3.12", "interpreter": "base-image"}
    project.write("lib", settings={**settings, "os": os_settings, "check": {"osv": False}})
    project.lock(as_of="2024-06-02")
    assert asked(project, 0) == []
    archive.tamper("*/dists/bookworm-updates/InRelease", flip(400))
    archive.fail("*/dists/bookworm-security/*Release*", "not-found")
    archive.fail("*/app_*.deb", "not-found")
    archive.tamper("*/libc6_*.deb", lambda content: content + b"\0")
    found = asked(project, 1)
    assert [row[:2] for row in found] == [
        ("IX007", "bookworm-updates 20240601T120000Z"),
        ("IX007", "bookworm-security 20240601T120000Z"),
        ("IX008", "app"),
        ("IX008", "libc6"),
    ]
    assert found[1][2] is None
    archive.heal()
    archive.fail("*/app_*.deb", "500")
    done = project.run("check", "--lock-only", "--online", ENVLOCK_HTTP_RETRIES="0")
    assert done.returncode == 3
    assert "app_" in done.stderr


def test_the_base_image(project: Project, index: LoopbackIndex, tmp_path: Path) -> None:
    stored = index.add("alpha", "1.0", OLDER)
    lock = write_lock(project.root, locked(index, stored), wishes=("alpha",))
    project.write("alpha", settings={"check": {"osv": False}})
    with registry(tmp_path / "registry") as address:
        digest = publish(address, "team/base:v1", {"amd64": tiny_image([layer({"etc": None})])})
        reference = f"{address}/team/base:v1"

        def write(digest: str, platform: str) -> None:
            platforms = (PlatformImage(platform="linux/amd64", digest=platform),)
            image = BaseImage(reference=reference, digest=digest, platforms=platforms)
            request = dataclasses.replace(lock.request, image_base=reference)
            text = codec.dump(dataclasses.replace(lock, image=image, request=request))
            project.lock_path.write_text(text)

        write(digest, digest)
        assert asked(project, 0) == []
        publish(address, "team/base:v1", {"amd64": tiny_image([layer({"usr": None})])})
        [(code, subject, found)] = asked(project, 0)
        assert (code, subject) == ("IX010", reference)
        assert found not in (None, digest)
        gone = "sha256:" + "0" * 64
        write(digest, gone)
        name = reference.removesuffix(":v1")
        assert asked(project, 1)[0] == ("IX009", f"{name} linux/amd64", None)


# --- the OSV service ---

RECORD = {
    "id": "GHSA-aaaa-bbbb-cccc",
    "aliases": ["CVE-2026-0001", "PYSEC-2026-1"],
    "summary": "Reads what it should not",
    "database_specific": {"severity": "HIGH"},
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "Alpha"},
            "ranges": [
                {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]},
            ],
        }
    ],
}


def test_an_osv_service_is_asked_for_every_package(world: Project, index: LoopbackIndex) -> None:
    records = {
        "GHSA-aaaa-bbbb-cccc": RECORD,
        "PYSEC-2026-1": {**RECORD, "id": "PYSEC-2026-1", "aliases": ["CVE-2026-0001"]},
        "MAL-2026-7": {"id": "MAL-2026-7", "summary": "Steals", "affected": []},
        "GHSA-gone": {**RECORD, "id": "GHSA-gone", "withdrawn": "2026-01-02T00:00:00Z"},
    }
    answers = {
        ("PyPI", "alpha", "1.0"): ["GHSA-aaaa-bbbb-cccc", "GHSA-gone", "PYSEC-2026-1"],
        ("PyPI", "beta", "1.0"): ["MAL-2026-7"],
    }
    with OsvServer(answers, records) as service:
        world.write("alpha", settings={"check": {"osv": service.url}})
        assert [row[:2] for row in asked(world, 1)] == [("AD003", "beta"), ("AD001", "alpha")]
        assert {key[1] for key in service.asked} == {
            *("alpha", "beta", "gamma", "delta", "epsilon", "zeta")
        }
        # Records stay in the cache as long as they are not modified.
        service.requests.clear()
        [_, alpha] = json.loads(world.run("check", "--lock-only", "--online", "--json").stdout)[
            "drift"
        ]
        assert set(service.requests) == {"POST /v1/querybatch"}
        assert alpha["ids"] == ["GHSA-aaaa-bbbb-cccc", "PYSEC-2026-1", "CVE-2026-0001"]
        assert (alpha["found"], alpha["expected"]) == ("1.0", "1.1 or newer")
        assert "high: Reads what it should not" in alpha["cause"]
        for broken in ("{}", "[]", '{"results": [{}]}', "<html>"):
            service.broken = broken
            done = world.run("check", "--lock-only", "--online", ENVLOCK_HTTP_RETRIES="0")
            assert done.returncode == 3, done.stderr
            assert "no OSV service" in done.stderr
    done = world.run("check", "--lock-only", "--online", ENVLOCK_HTTP_RETRIES="0")
    assert done.returncode == 3, "a service that is not there is no pass"
