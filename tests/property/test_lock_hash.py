"""The environment hash sees every change of what is installed, and nothing else.

Canonical JSON is held against the ``rfc8785`` library, an independent implementation.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import rfc8785
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support import strategies
from support.samples import small_lock

from envlock.lock.canonical import canonical_json
from envlock.lock.hashing import environment_hash, os_content, python_content, request_digest
from envlock.lock.model import Lock
from envlock.lock.os import OsLayer, OsPackage
from envlock.lock.package import PythonPackage
from envlock.lock.request import Request
from envlock.lock.target import Target

keys = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=6)
json_values = st.recursive(
    st.none() | st.booleans() | strategies.hostile_texts | st.just(""),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
@settings(deadline=None)
def test_canonical_json_is_rfc_8785(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)
    assert json.loads(canonical_json(value)) == value


@given(strategies.locks())
@settings(deadline=None, max_examples=50)
def test_a_locks_content_is_canonical_too(lock: Lock) -> None:
    layer = {} if lock.os is None else os_content(lock.os)
    for content in (python_content(lock), layer, lock.request.canonical()):
        assert canonical_json(content) == rfc8785.dumps(content)


@given(st.data(), strategies.locks())
@settings(deadline=None, max_examples=50)
def test_order_is_not_in_the_hashes(data: st.DataObject, lock: Lock) -> None:
    other = data.draw(strategies.shuffled(lock))
    assert environment_hash(other) == environment_hash(lock)
    assert request_digest(other.request) == request_digest(lock.request)


@given(st.data(), strategies.locks())
@settings(deadline=None, max_examples=50)
def test_places_sizes_and_times_are_not_in_the_hash(data: st.DataObject, lock: Lock) -> None:
    other = data.draw(strategies.relocated(lock))
    assert environment_hash(other) == environment_hash(lock)


def _other(data: st.DataObject, source: st.SearchStrategy[Any], than: Any) -> Any:
    return data.draw(source.filter(lambda value: value != than))


def _changed_source(data: st.DataObject, package: PythonPackage) -> PythonPackage:
    """One thing that decides what is installed from the package's source, changed."""
    if package.files:
        file = data.draw(st.sampled_from(package.files))
        fresh = replace(file, sha256=_other(data, strategies.sha256s, file.sha256))
        if file is package.sdist:
            return replace(package, sdist=fresh)
        return replace(package, wheels=tuple(fresh if w is file else w for w in package.wheels))
    subdirectories = st.none() | strategies.hostile_texts
    if package.archive is not None:
        archive = package.archive
        if data.draw(st.booleans()):
            archive = replace(archive, sha256=_other(data, strategies.sha256s, archive.sha256))
        else:
            other = _other(data, subdirectories, archive.subdirectory)
            archive = replace(archive, subdirectory=other)
        return replace(package, archive=archive)
    if package.vcs is not None:
        vcs = package.vcs
        if data.draw(st.booleans()):
            commits = st.binary(min_size=20, max_size=20).map(bytes.hex)
            vcs = replace(vcs, commit=_other(data, commits, vcs.commit))
        else:
            vcs = replace(vcs, subdirectory=_other(data, subdirectories, vcs.subdirectory))
        return replace(package, vcs=vcs)
    directory = package.directory
    assert directory is not None
    change = data.draw(st.sampled_from(["path", "editable", "subdirectory"]))
    if change == "path":
        path = _other(data, strategies.hostile_texts, directory.path)
        return replace(package, directory=replace(directory, path=path))
    if change == "editable":
        return replace(package, directory=replace(directory, editable=not directory.editable))
    other = _other(data, subdirectories, directory.subdirectory)
    return replace(package, directory=replace(directory, subdirectory=other))


def _changed_package(data: st.DataObject, package: PythonPackage) -> PythonPackage:
    change = data.draw(st.sampled_from(["name", "version", "marker", "source"]))
    if change == "name":
        return replace(package, name=_other(data, strategies.names, package.name))
    if change == "version":
        return replace(package, version=_other(data, strategies.versions, package.version))
    if change == "marker":
        markers = st.none() | strategies.markers
        return replace(package, marker=_other(data, markers, package.marker))
    return _changed_source(data, package)


@given(st.data(), strategies.locks())
@settings(deadline=None, max_examples=200)
def test_every_change_of_a_package_is_in_the_hash(data: st.DataObject, lock: Lock) -> None:
    assume(lock.packages)
    old = data.draw(st.sampled_from(lock.packages))
    new = _changed_package(data, old)
    packages = tuple(new if p is old else p for p in lock.packages)
    assert environment_hash(replace(lock, packages=packages)) != environment_hash(lock)


@given(st.data(), strategies.locks())
@settings(deadline=None, max_examples=50)
def test_packages_that_come_and_go_are_in_the_hash(data: st.DataObject, lock: Lock) -> None:
    fresh = data.draw(strategies.packages())
    more = replace(lock, packages=(*lock.packages, fresh))
    assert environment_hash(more) != environment_hash(lock)


_OS_FIELDS = {
    "architecture": strategies.architectures,
    "name": strategies.deb_names,
    "version": strategies.deb_versions,
    "sha256": strategies.sha256s,
}


@given(st.data(), strategies.os_layers())
@settings(deadline=None, max_examples=100)
def test_every_change_of_an_os_package_is_in_the_hash(data: st.DataObject, layer: OsLayer) -> None:
    assume(layer.packages)
    lock = replace(small_lock(), os=layer)
    old = data.draw(st.sampled_from(layer.packages))
    field = data.draw(st.sampled_from(sorted(_OS_FIELDS)))
    new = replace(old, **{field: _other(data, _OS_FIELDS[field], getattr(old, field))})
    packages = tuple(new if p is old else p for p in layer.packages)
    changed = environment_hash(replace(lock, os=replace(layer, packages=packages)))
    assert changed.os != environment_hash(lock).os
    assert changed.root != environment_hash(lock).root
    assert changed.python == environment_hash(lock).python


@given(strategies.os_layers(), strategies.os_packages())
@settings(deadline=None, max_examples=50)
def test_os_packages_that_come_and_go_are_in_the_hash(layer: OsLayer, fresh: OsPackage) -> None:
    lock = small_lock()
    without, with_layer = replace(lock, os=None), replace(lock, os=layer)
    more = replace(lock, os=replace(layer, packages=(*layer.packages, fresh)))
    assert len({environment_hash(one).root for one in (without, with_layer, more)}) == 3
    assert environment_hash(without).os is None


@given(st.data(), strategies.target_sets())
@settings(deadline=None, max_examples=50)
def test_archives_of_python_are_in_the_hash(
    data: st.DataObject, targets: tuple[Target, ...]
) -> None:
    lock = replace(small_lock(), targets=targets)
    target, *others = data.draw(st.permutations(targets))
    there = tuple(data.draw(strategies.standalone_pythons(other)) for other in others)
    one = data.draw(strategies.standalone_pythons(target))
    two = replace(one, sha256=_other(data, strategies.sha256s, one.sha256))
    choices = [replace(lock, standalone=(*there, *chosen)) for chosen in ((), (one,), (two,))]
    assert len({environment_hash(choice).root for choice in choices}) == 3
    assert {environment_hash(choice).os for choice in choices} == {None}


@given(st.data(), strategies.locks())
@settings(deadline=None, max_examples=50)
def test_targets_are_in_the_hash(data: st.DataObject, lock: Lock) -> None:
    others = _other(data, strategies.target_sets(), lock.targets)
    assert environment_hash(replace(lock, targets=others)) != environment_hash(lock)


@given(strategies.requests(), strategies.requests())
@settings(deadline=None, max_examples=50)
def test_requests_have_one_digest_when_they_are_the_same(one: Request, two: Request) -> None:
    same = replace(one, as_of=None) == replace(two, as_of=None)
    assert (request_digest(one) == request_digest(two)) is same
