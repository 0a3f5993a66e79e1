"""Advisories: ranges held to what packaging says, and what a lock's owner gets to read."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from support.samples import os_layer, os_package, package, small_lock

from envlock.check.drift import Code, Drift, Layer
from envlock.check.online.advisories import Subject, compare_advisories, ecosystem_of, subjects_of
from envlock.check.online.osv import Affected, Event, judge_version, parse_advisory
from envlock.check.policy import judge
from envlock.lock.package import Vcs
from envlock.project.settings.check import CheckSettings, Ignore

VERSIONS = [*(f"{n}.{m}" for n in range(4) for m in range(3)), "1.0rc1", "1.0.post1", "2.0.dev3"]


def record(**changes: Any) -> dict[str, Any]:
    found = {
        "id": "GHSA-1",
        "affected": [affected({"introduced": "0"}, {"fixed": "1.1"})],
    }
    return {**found, **changes}


def affected(
    *events: dict[str, str], ecosystem: str = "PyPI", name: str = "alpha", **more: Any
) -> dict[str, Any]:
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}] if events else []
    return {"package": {"ecosystem": ecosystem, "name": name}, "ranges": ranges, **more}


def found(version: str, *records: dict[str, Any], **of: Any) -> tuple[Drift, ...]:
    subject = Subject(**{"ecosystem": "PyPI", "name": "alpha", "version": version, **of})
    return compare_advisories([subject], [parse_advisory(one) for one in records])


# --- ranges ---


@given(
    st.lists(st.sampled_from(VERSIONS), min_size=2, max_size=6, unique=True),
    st.sampled_from(VERSIONS),
    st.sampled_from(["fixed", "last_affected"]),
    st.randoms(use_true_random=False),
)
def test_a_range_is_what_packaging_says(
    bounds: list[str], version: str, kind: str, random: Any
) -> None:
    bounds = sorted(bounds[: len(bounds) // 2 * 2], key=Version)
    pairs = list(zip(bounds[::2], bounds[1::2], strict=True))
    events = [Event(kind="introduced", version=low) for low, _ in pairs]
    events += [Event(kind=kind, version=high) for _, high in pairs]
    random.shuffle(events)
    entry = Affected(ecosystem="PyPI", name="alpha", ranges=(tuple(events),))
    own = Version(version)
    inside = any(
        Version(low) <= own and (own < Version(high) if kind == "fixed" else own <= Version(high))
        for low, high in pairs
    )
    judged = judge_version(entry, version)
    assert (judged is not None) == inside
    if judged is not None and kind == "fixed":
        assert judged.fixed == min(
            (high for _, high in pairs if Version(high) > own), key=Version, default=None
        )


def test_ranges_agree_with_specifiers_on_releases() -> None:
    entry = parse_advisory(
        record(
            affected=[
                affected(
                    {"introduced": "0"}, {"fixed": "1.1"}, {"introduced": "2.0"}, {"fixed": "2.2"}
                )
            ]
        )
    ).affected[0]
    for text in ("0.1", "1.0", "1.1", "1.9", "2.0", "2.1", "2.2", "3"):
        expected = text in SpecifierSet("<1.1") or text in SpecifierSet(">=2.0,<2.2")
        assert (judge_version(entry, text) is not None) == expected


@pytest.mark.parametrize(
    ("entry", "version", "fixed"),
    [
        (affected(versions=["1.0.0", "1.0.1"]), "1.0", None),
        (affected({"introduced": "0"}, {"last_affected": "2.1"}), "2.1+cu118", None),
        (affected({"introduced": "0"}, {"fixed": "2.1"}), "2.1+cu118", "-"),
        (affected({"introduced": "0"}, {"fixed": "3"}, {"limit": "2"}), "2.5", "-"),
        (affected({"introduced": "0"}, {"fixed": "3"}, {"limit": "*"}), "2.5", "3"),
        (affected({"introduced": "0"}), "0.dev1", None),
        (affected({"introduced": "1.0"}, {"fixed": "1.1"}, versions=["0.9"]), "0.9", "1.1"),
    ],
)
def test_single_ranges(entry: dict[str, Any], version: str, fixed: str | None) -> None:
    one = parse_advisory(record(affected=[entry])).affected[0]
    judged = judge_version(one, version)
    assert ("-" if judged is None else judged.fixed) == fixed


def test_a_range_that_cannot_be_read_is_no_pass() -> None:
    [one] = found("1.0", record(affected=[affected({"introduced": "one"}, {"fixed": "two"})]))
    assert one.code is Code.VULNERABLE_NO_FIX
    assert "its range cannot be read" in str(one.cause)
    # Where versions are listed, they say it.
    listed = affected({"introduced": "one"}, versions=["0.9"])
    assert found("1.0", record(affected=[listed])) == ()


@pytest.mark.parametrize(
    ("ecosystem", "version", "hit"),
    [
        ("Debian:12", "3.0.11-1~deb12u2", True),
        ("Debian:12", "3.0.15-1~deb12u1", False),
        ("Debian:12", "3.0.15-1~deb12u0", True),
        ("Debian:11", "3.0.11-1~deb12u2", False),
        ("Debian", "3.0.11-1~deb12u2", True),
    ],
)
def test_debian_is_ordered_as_dpkg_does(ecosystem: str, version: str, hit: bool) -> None:
    events = ({"introduced": "0"}, {"fixed": "3.0.15-1~deb12u1"})
    entry = affected(*events, ecosystem=ecosystem, name="openssl")
    of = {"ecosystem": "Debian:12", "name": "openssl"}
    assert bool(found(version, record(id="DSA-1", affected=[entry]), **of)) == hit


# --- what is told ---


def test_one_matter_is_told_once() -> None:
    ghsa = record(aliases=["CVE-1"], database_specific={"severity": "MODERATE"}, summary="Leaks")
    pysec = record(id="PYSEC-1", aliases=["CVE-1", "GHSA-1"])
    other = record(id="PYSEC-2", aliases=["CVE-2"])
    first, second = found("1.0", pysec, other, ghsa)
    assert first.ids == ("GHSA-1", "PYSEC-1", "CVE-1")
    assert first.cause == "GHSA-1 (PYSEC-1, CVE-1), medium: Leaks"
    assert (first.code, first.expected, first.found) == (Code.VULNERABLE, "1.1 or newer", "1.0")
    assert second.ids == ("PYSEC-2", "CVE-2")


def test_a_notice_of_several_is_left_out_where_each_is_told() -> None:
    notice = record(id="DSA-1", upstream=["CVE-1", "CVE-2"])
    one = record(id="DEBIAN-CVE-1", upstream=["CVE-1"])
    two = record(id="DEBIAN-CVE-2", upstream=["CVE-2"])
    assert [d.ids for d in found("1.0", notice, one, two)] == [
        ("DEBIAN-CVE-1", "CVE-1"),
        ("DEBIAN-CVE-2", "CVE-2"),
    ]
    # The notice itself is accepted by its own name alone: it is about more than one.
    assert [d.ids for d in found("1.0", notice, one)] == [("DEBIAN-CVE-1", "CVE-1"), ("DSA-1",)]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"), "critical 9.8"),
        (
            (
                "CVSS_V4",
                "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
            ),
            "critical 9.3",
        ),
        (("CVSS_V3", "none of this"), "low"),
        (("Ubuntu", "negligible"), "low"),
    ],
)
def test_severity(more: tuple[str, str], told: str) -> None:
    scores = [dict(zip(("type", "score"), more, strict=True))]
    [one] = found("1.0", record(severity=scores, database_specific={"severity": "LOW"}))
    assert str(one.cause) == f"GHSA-1, {told}"


def test_withdrawn_and_other_packages_say_nothing() -> None:
    assert found("1.0", record(withdrawn="2026-01-01T00:00:00Z")) == ()
    assert found("1.0", record(affected=[affected({"introduced": "0"}, name="beta")])) == ()
    assert found("1.0", record(affected=[affected({"introduced": "0"}, ecosystem="npm")])) == ()
    assert found("1.0", record(affected=[{"ranges": []}])) == ()


def test_malware_counts_without_a_fix() -> None:
    [one] = found("1.0", record(id="MAL-2026-1", affected=[affected(versions=["1.0"])]))
    assert one.code is Code.MALICIOUS


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"id": 3},
        {"id": "X", "affected": {}},
        {"id": "X", "affected": [1]},
        {"id": "X", "affected": [{"package": {}}]},
        {"id": "X", "affected": [{**affected(), "ranges": [1]}]},
        {"id": "X", "affected": [{**affected(), "ranges": [{"type": "ECOSYSTEM"}]}]},
    ],
)
def test_what_is_no_record_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"it has no id|affected"):
        parse_advisory(broken)


# --- a lock's packages ---


def test_the_subjects_of_a_lock() -> None:
    repository = dataclasses.replace(
        package("tool"),
        wheels=(),
        sdist=None,
        vcs=Vcs(kind="git", url="https://example.org/tool", commit="0" * 40),
    )
    layer = dataclasses.replace(
        os_layer(),
        base="debian:bookworm",
        packages=tuple(
            dataclasses.replace(os_package(name), source="gcc-12", source_version="12.2.0-14")
            for name in ("libgomp1", "libstdc++6")
        ),
    )
    lock = dataclasses.replace(small_lock(package("x"), repository), os=layer)
    assert [(s.ecosystem, s.name, s.version, bool(s.commit)) for s in subjects_of(lock)] == [
        ("Debian:12", "gcc-12", "12.2.0-14", False),
        ("PyPI", "tool", repository.version, True),
        ("PyPI", "x", package("x").version, False),
    ]
    assert ecosystem_of("ubuntu:noble") == "Ubuntu:24.04"
    assert ecosystem_of("debian:sid") is None


# --- what a project accepts ---


def test_an_advisory_is_accepted_by_any_of_its_names_until_a_day() -> None:
    drifts = found("1.0", record(aliases=["CVE-1"]), record(id="PYSEC-2", aliases=["CVE-2"]))
    ignore = Ignore(id="CVE-1", reason="not reached", until=date(2026, 6, 30), where="here")
    settings = CheckSettings(ignores=(ignore,))
    compared = {Layer.ADVISORIES}
    judged = judge(drifts, settings, compared, today=date(2026, 6, 30))
    assert [d.ids[0] for d in judged.drift] == ["PYSEC-2"]
    assert [a.drift.ids[0] for a in judged.accepted] == ["GHSA-1"]
    over = judge(drifts, settings, compared, today=date(2026, 7, 1))
    assert [d.ids[0] for d in over.drift] == ["GHSA-1", "PYSEC-2"]
    assert (over.expired, over.unused) == ((ignore,), ())
    nothing = judge((), settings, compared, today=date(2026, 1, 1))
    assert nothing.unused == (ignore,)
    assert judge((), settings, {Layer.PYTHON}, today=date(2026, 1, 1)).unused == ()
