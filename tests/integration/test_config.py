"""Sources against the tools themselves: what pip and uv say their configuration is."""

from __future__ import annotations

import itertools
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.tools import UV

from envlock.errors import SourceError
from envlock.io.progress import SilentReporter
from envlock.lock.request import Request
from envlock.resolve.python.config.default_index import default_index
from envlock.resolve.python.config.find import discover_sources
from envlock.resolve.python.config.pip import read_pip
from envlock.resolve.python.sources import Sources


def host(name: object) -> str:
    return f"https://{name}.example.org/simple"


# --- pip ---


def closed_port(name: object) -> str:
    """An index where nobody answers: pip says where it looks, and gives up at once."""
    return f"http://127.0.0.1:9/{name}/simple"


def pip_says(environ: dict[str, str]) -> tuple[list[str], list[str]]:
    """Where a real ``pip install`` looks: indexes and find-links."""
    argv = [sys.executable, "-m", "pip", "install", "--dry-run", "--retries=0", "no-such-project"]
    said = subprocess.run(argv, env=environ, capture_output=True, text=True).stdout

    def words(label: str) -> list[str]:
        match = re.search(rf"^{label}: (.*)$", said, re.MULTILINE)
        return match[1].split(", ") if match else []

    return words("Looking in indexes"), words("Looking in links")


@pytest.mark.parametrize("seed", range(6))
def test_pip_agrees(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    number = itertools.count()
    home = tmp_path / "home"
    files = {
        "system": tmp_path / "system/pip/pip.conf",
        "legacy": home / ".pip/pip.conf",
        "user": home / ".config/pip/pip.conf",
        "named": tmp_path / "named.conf",
    }
    environ = {"HOME": str(home), "XDG_CONFIG_DIRS": str(tmp_path / "system")}
    environ |= {"PATH": os.environ["PATH"], "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    for name, path in files.items():
        if name != "system" and chance.random() < 0.3:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        # Without any default pip would turn to the real one.
        text = f"[global]\nindex-url = {closed_port('first')}\n" if name == "system" else ""
        for section in ("install", "freeze") if text else ("global", "install", "freeze"):
            text += f"[{section}]\n"
            for key in ("index-url", "extra_index_url", "Find-Links"):
                if chance.random() < 0.4:
                    text += f"{key} = {closed_port(next(number))}\n"
        path.write_text(text)
        if name == "named":
            environ["PIP_CONFIG_FILE"] = str(path)
    for key in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        if chance.random() < 0.2:
            environ[key] = closed_port(next(number))
    indexes, links = pip_says(environ)
    found = read_pip(tmp_path, environ, home, Path(sys.prefix))
    default = [found.old_default.url] if found.old_default else []
    ours = default + [index.url for index in found.extra_indexes]
    assert ours == [url for url in indexes if "127.0.0.1" in url]
    assert [link.location for link in found.find_links] == links


# --- uv ---


def uv_says(root: Path, environ: dict[str, str]) -> tuple[list[str], str]:
    """The index URLs that uv looks at, in its order, and its strategy; explicit ones left out."""
    shown = subprocess.run(
        [UV, "lock", "--show-settings"], cwd=root, env=environ, capture_output=True, text=True
    )
    text = shown.stdout + shown.stderr
    start = text.index("IndexLocations")
    block = text[start : text.index("flat_index", start)]
    entry = r'given: Some\(\s*"([^"]*)".*?explicit: (\w+),.*?default: (\w+)'
    entries = re.findall(entry, block, re.DOTALL)
    plain = [url for url, explicit, default in entries if (explicit, default) == ("false",) * 2]
    defaults = [(url, explicit) for url, explicit, default in entries if default == "true"]
    closing = [url for url, explicit in defaults[:1] if explicit == "false"]
    strategy = re.search(r"index_strategy: (\w+)", text)
    assert strategy
    return [url.rstrip("/") for url in plain + closing], strategy[1]


def sources(root: Path, environ: dict[str, str]) -> Sources:
    return discover_sources(
        Request(targets=()), root, dated=False, reporter=SilentReporter(), environ=environ
    )


def uv_file(chance: random.Random, number: itertools.count[int], head: str) -> str:
    lines = [f"[{head}]"] if head else []
    if chance.random() < 0.5:
        lines.append(f"extra-index-url = ['{host(next(number))}', '{host(next(number))}']")
    if chance.random() < 0.4:
        lines.append(f"index-url = '{host(next(number))}'")
    if chance.random() < 0.4:
        lines.append(f"index-strategy = '{chance.choice(['first-index', 'unsafe-best-match'])}'")
    for _ in range(chance.randrange(3)):
        name = next(number)
        lines += [f"[[{head}.index]]" if head else "[[index]]", f"name = 'n{name}'"]
        lines.append(f"url = '{host(name)}'")
        lines += [f"{key} = true" for key in ("default", "explicit") if chance.random() < 0.3]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("seed", range(25))
def test_uv_agrees(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    number = itertools.count()
    root, home = tmp_path / "project", tmp_path / "home"
    system = tmp_path / "system"
    for folder in (root, home / ".config/uv", system / "uv"):
        folder.mkdir(parents=True)
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("UV_", "PIP_", "XDG_"))}
    environ |= {"HOME": str(home), "XDG_CONFIG_DIRS": str(system), "PIP_CONFIG_FILE": os.devnull}
    project = '[project]\nname = "x"\nversion = "0"\n'
    (root / "pyproject.toml").write_text(project + uv_file(chance, number, "tool.uv"))
    if chance.random() < 0.3:
        (root / "uv.toml").write_text(uv_file(chance, number, ""))
    if chance.random() < 0.7:
        (home / ".config/uv/uv.toml").write_text(uv_file(chance, number, ""))
    if chance.random() < 0.5:
        (system / "uv/uv.toml").write_text(uv_file(chance, number, ""))
    for key in ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if chance.random() < 0.3:
            environ[key] = host(next(number))
    urls, strategy = uv_says(root, environ)
    found = sources(root, environ)
    ours = [index.url for index in found.indexes if index.origin != "uv's default"]
    assert ours == urls
    assert found.strategy.replace("-", "") == strategy.lower()


# --- the default index ---


def test_the_default_index_is_an_address_and_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("ENVLOCK_CACHE_DIR", str(cache))
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://not-this-one.example.org/simple")
    first = default_index()
    assert re.fullmatch(r"https://[^/\s]+/\S*[^/\s]", first)
    assert "not-this-one" not in first
    assert [path for path in cache.rglob("*") if path.is_file()]

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("uv was asked again")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert default_index() == first


def test_another_uv_is_asked_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A uv that says something else, or nothing, at the place where uv is found."""
    import uv

    fake = tmp_path / "uv"
    monkeypatch.setattr(uv, "find_uv_bin", lambda: str(fake))
    for url in ("https://one.example.org/simple", "https://other.example.org/simple"):
        fake.write_text(f"#!/bin/sh\necho '(by default: <{url}>)'\n")
        fake.chmod(0o755)
        assert default_index() == url
    fake.write_text("#!/bin/sh\necho 'usage'\n")
    with pytest.raises(SourceError, match="does not say") as caught:
        default_index()
    assert caught.value.remedy


def test_no_uv_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import uv

    def nowhere() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(uv, "find_uv_bin", nowhere)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="uv is not installed") as caught:
        default_index()
    assert caught.value.remedy == "pip install uv"
