"""What of this machine's settings reaches uv: patience and cache, nothing that changes a result."""

from __future__ import annotations

import pytest

from envlock.resolve.python.engines import uv_settings


def test_envlocks_patience_is_uvs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVLOCK_HTTP_TIMEOUT", "7")
    monkeypatch.setenv("ENVLOCK_HTTP_RETRIES", "1")
    monkeypatch.setenv("UV_HTTP_RETRIES", "4")
    variables = uv_settings.environment()
    assert variables["UV_HTTP_TIMEOUT"] == "7"
    assert variables["UV_HTTP_RETRIES"] == "4"


def test_what_changes_results_does_not_get_through(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_EXCLUDE_NEWER", "UV_INDEX_URL", "PIP_INDEX_URL", "PYTHONPATH"):
        monkeypatch.setenv(name, "x")
    assert not {"UV_EXCLUDE_NEWER", "UV_INDEX_URL", "PIP_INDEX_URL", "PYTHONPATH"} & set(
        uv_settings.environment()
    )
