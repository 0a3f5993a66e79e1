"""A uv.lock becomes packages: the files that targets can use, markers, dependencies, no users."""

from __future__ import annotations

import pytest

from envlock.errors import SourceError
from envlock.lock.package import Dependency
from envlock.lock.target import Target
from envlock.resolve.python.engines import uv_lockfile

LINUX = Target(platform="linux/amd64", python="3.11")
WINDOWS = Target(platform="windows/amd64", python="3.11")
H = "0" * 63

UV_LOCK = f"""
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "app"
version = "0"
source = {{ virtual = "." }}
dependencies = [
    {{ name = "web", extra = ["fast"] }},
    {{ name = "colour", marker = "sys_platform == 'win32'" }},
]

[[package]]
name = "web"
version = "2.0"
source = {{ registry = "https://user:secret@index.example.org/simple" }}
dependencies = [{{ name = "base" }}]
sdist = {{ url = "https://user:secret@files.example.org/web-2.0.tar.gz", hash = "sha256:{H}0", size = 12, upload-time = "2024-01-02T03:04:05.678Z" }}
wheels = [
    {{ url = "https://files.example.org/web-2.0-cp311-cp311-manylinux_2_17_x86_64.whl", hash = "sha256:{H}1", upload-time = "2024-01-02T03:04:05Z" }},
    {{ url = "https://files.example.org/web-2.0-cp311-cp311-musllinux_1_2_x86_64.whl", hash = "sha256:{H}2", upload-time = "2024-01-02T03:04:05Z" }},
    {{ url = "https://files.example.org/web-2.0-cp312-cp312-manylinux_2_17_x86_64.whl", hash = "sha256:{H}3", upload-time = "2024-01-02T03:04:05Z" }},
    {{ url = "https://files.example.org/web-2.0-cp311-cp311-win_amd64.whl", hash = "sha256:{H}4", upload-time = "2024-01-02T03:04:05Z" }},
]

[package.optional-dependencies]
fast = [{{ name = "speed" }}]
slow = [{{ name = "never" }}]

[[package]]
name = "base"
version = "1"
source = {{ registry = "https://index.example.org/simple" }}
wheels = [{{ url = "https://files.example.org/base-1-py3-none-any.whl", hash = "sha256:{H}5" }}]

[[package]]
name = "speed"
version = "1"
source = {{ registry = "https://index.example.org/simple" }}
wheels = [{{ url = "https://files.example.org/speed-1-py3-none-any.whl", hash = "sha256:{H}6" }}]

[[package]]
name = "never"
version = "1"
source = {{ registry = "https://index.example.org/simple" }}
wheels = [{{ url = "https://files.example.org/never-1-py3-none-any.whl", hash = "sha256:{H}7" }}]

[[package]]
name = "colour"
version = "1"
source = {{ registry = "https://index.example.org/simple" }}
wheels = [{{ url = "https://files.example.org/colour-1-py3-none-any.whl", hash = "sha256:{H}8" }}]
"""  # noqa: E501


def _packages(*targets: Target):
    return {
        p.name: p
        for p in uv_lockfile.to_packages(*uv_lockfile.read(UV_LOCK, root_name="app"), targets)
    }


def test_only_what_a_target_needs_is_locked() -> None:
    assert set(_packages(LINUX)) == {"web", "base", "speed"}
    both = _packages(LINUX, WINDOWS)
    assert set(both) == {"web", "base", "speed", "colour"}
    assert both["colour"].marker == 'sys_platform == "win32"'
    assert both["web"].marker is None


def test_only_wheels_that_a_target_can_use_are_locked() -> None:
    assert [w.sha256[-1] for w in _packages(LINUX)["web"].wheels] == ["1"]
    assert [w.sha256[-1] for w in _packages(LINUX, WINDOWS)["web"].wheels] == ["1", "4"]


def test_dependencies_include_those_of_chosen_extras() -> None:
    assert _packages(LINUX)["web"].dependencies == (
        Dependency(name="base"),
        Dependency(name="speed"),
    )


def test_no_credential_gets_in() -> None:
    web = _packages(LINUX)["web"]
    assert web.index == "https://index.example.org/simple"
    assert web.sdist is not None
    assert web.sdist.url == "https://files.example.org/web-2.0.tar.gz"
    assert web.sdist.size == 12


def test_another_version_of_the_file_is_refused() -> None:
    with pytest.raises(SourceError, match="version 2"):
        uv_lockfile.read(UV_LOCK.replace("version = 1\nrev", "version = 2\nrev"), root_name="app")


def test_a_file_without_sha256_is_refused_by_name() -> None:
    text = UV_LOCK.replace(f"sha256:{H}5", "md5:abc")
    with pytest.raises(SourceError, match=r"base-1-py3-none-any\.whl"):
        uv_lockfile.to_packages(*uv_lockfile.read(text, root_name="app"), (LINUX,))
