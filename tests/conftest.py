"""Shared by all tests: a private cache, no user configuration, no colours."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support.index import LoopbackIndex
from support.project import Project

# Real Guix comes in a folder that `scripts/guix-root` makes; .ci/run has it made.
collect_ignore = [] if "GUIX_ROOT" in os.environ else ["guix"]

# How quick an example is made and run says how busy the machine is, and nothing of the code.
# Whether a change is good must not depend on luck: the same examples each time. Others are tried by
# HYPOTHESIS_PROFILE=search, which takes new ones, and many.
_QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("steady", derandomize=True, **_QUIET)
settings.register_profile("search", max_examples=2000, print_blob=True, **_QUIET)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

# Started in the background or by nohup, pytest ignores these, and so would every program that a
# test starts to send them to.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

_MACHINE_VARIABLES = ("ENVLOCK_", "UV_", "PIP_")


@pytest.fixture(autouse=True)
def _private_machine(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each test sees an empty cache and no uv or pip configuration but what it writes itself."""
    home: Path = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(_MACHINE_VARIABLES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(home / "etc"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def index() -> Iterator[LoopbackIndex]:
    """An empty package index on loopback that gives upload times (PEP 691/700)."""
    with LoopbackIndex("json") as running:
        yield running


@pytest.fixture
def project(index: LoopbackIndex, tmp_path: Path) -> Project:
    """An empty project whose machine knows no index but ``index``."""
    root = tmp_path / "project"
    root.mkdir()
    return Project(root, index)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the suites of mutations counted."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, value in report.user_properties:
                if name == "mutations":
                    terminalreporter.write_line(f"mutations: {value}")
