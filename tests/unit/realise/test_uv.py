"""uv sees none of the machine's settings but where its cache is; credentials only as variables."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli
from support.samples import small_lock

from envlock.realise.uv import write_configuration
from envlock.resolve.python.engines.uv_settings import environment
from envlock.resolve.python.sources import Credentials, FindLinks, Index, Sources

SOURCES = Sources(
    indexes=(
        Index(
            url="https://private.example.org/simple",
            credentials=Credentials(user="me", password="secret"),
        ),
        Index(url="https://index.example.org/simple", default=True),
    ),
    find_links=(FindLinks(location="/wheels"),),
    strategy="unsafe-best-match",
    certificate="/etc/ca.pem",
)


def test_settings_of_the_machine_do_not_reach_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_INDEX_URL", "UV_NO_VERIFY_HASHES", "UV_EXCLUDE_NEWER", "PIP_INDEX_URL"):
        monkeypatch.setenv(name, "https://elsewhere.example.org")
    monkeypatch.setenv("VIRTUAL_ENV", "/other")
    monkeypatch.setenv("PYTHONPATH", "/other")
    monkeypatch.setenv("UV_CACHE_DIR", "/cache")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org")
    variables = environment()
    assert "https://elsewhere.example.org" not in variables.values()
    assert "/other" not in variables.values()
    assert variables["UV_CACHE_DIR"] == "/cache"
    assert variables["HTTPS_PROXY"] == "http://proxy.example.org"
    assert variables["UV_PYTHON_DOWNLOADS"] == "never"


def test_credentials_travel_as_variables_and_in_no_file(tmp_path: Path) -> None:
    variables = environment(SOURCES)
    text = write_configuration(tmp_path, small_lock(), SOURCES).read_text()
    assert "secret" not in text
    [first, second] = tomli.loads(text)["index"]
    stem = f"UV_INDEX_{first['name'].upper()}"
    assert (variables[f"{stem}_USERNAME"], variables[f"{stem}_PASSWORD"]) == ("me", "secret")
    assert second["default"] is True
    assert variables["SSL_CERT_FILE"] == "/etc/ca.pem"


def test_what_is_built_is_built_as_of_the_locks_date(tmp_path: Path) -> None:
    table = tomli.loads(write_configuration(tmp_path, small_lock(), SOURCES).read_text())
    assert table["exclude-newer"] == "2024-06-01T00:00:00Z"
    assert table["find-links"] == ["/wheels"]
    assert table["index-strategy"] == "unsafe-best-match"
    assert "no-index" not in table


def test_without_an_index_uv_asks_none(tmp_path: Path) -> None:
    table = tomli.loads(
        write_configuration(tmp_path, small_lock(), Sources(indexes=())).read_text()
    )
    assert table["no-index"] is True
