"""Credentials for registries: where they are found, and what cannot be read."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from envlock.errors import SourceError, UsageError
from envlock.io.images.login import RegistryLogin, find_login
from envlock.io.images.reference import parse_reference


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def find(text: str, **variables: str) -> RegistryLogin | None:
    return find_login(parse_reference(text), variables)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("https://index.docker.io/v1/", "debian"),
        ("docker.io", "debian"),
        ("docker.io/library", "debian"),
        ("ghcr.io", "ghcr.io/team/app"),
        ("https://ghcr.io/v2/", "ghcr.io/team/app"),
        ("ghcr.io/team", "ghcr.io/team/app"),
        ("localhost:5000", "localhost:5000/app"),
    ],
)
def test_names_of_a_registry(tmp_path: Path, key: str, text: str) -> None:
    write(tmp_path / ".docker/config.json", {"auths": {key: auth("ada", "a:b")}})
    assert find(text, HOME=str(tmp_path)) == RegistryLogin(user="ada", password="a:b")
    assert find("quay.io/other/app", HOME=str(tmp_path)) is None


def test_order_of_files(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for number, path in enumerate(
        [".config/containers/auth.json", "run/containers/auth.json", "own.json", "d/config.json"]
    ):
        login = auth("ada", str(number))
        write(home / path, {"auths": {f"r{n}.io": login for n in range(number + 1)}})
    variables = {
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "REGISTRY_AUTH_FILE": str(home / "own.json"),
        "DOCKER_CONFIG": str(home / "d"),
    }
    for number in range(4):
        found = find(f"r{number}.io/a", **variables)
        assert found is not None
        assert found.password == "3"
    del variables["DOCKER_CONFIG"], variables["REGISTRY_AUTH_FILE"]
    found = find("r0.io/a", **variables)
    assert found is not None
    assert found.password == "1"


def test_narrower_names_go_first(tmp_path: Path) -> None:
    auths = {"ghcr.io": auth("all", "1"), "ghcr.io/team/app": auth("one", "2")}
    write(tmp_path / ".docker/config.json", {"auths": auths})
    assert find("ghcr.io/team/app", HOME=str(tmp_path)) == RegistryLogin(user="one", password="2")
    assert find("ghcr.io/team/b", HOME=str(tmp_path)) == RegistryLogin(user="all", password="1")


def test_nothing_secret_is_shown() -> None:
    login = RegistryLogin(user="ada", password="secret", identity="token")
    assert "secret" not in repr(login)
    assert "token" not in repr(login)
    assert set(login.secrets) == {"secret", "token", login.basic.removeprefix("Basic ")}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "not the JSON"),
        ("[]", "not the JSON"),
        ({"auths": {"ghcr.io": {"auth": "!"}}}, "base64"),
        ({"auths": {"ghcr.io": {"auth": "YWRh"}}}, "base64"),
        ({"credHelpers": {"ghcr.io": "../x"}}, "helper"),
        ({"credsStore": "/bin/sh"}, "helper"),
    ],
)
def test_damage(tmp_path: Path, content: Any, why: str) -> None:
    path = write(tmp_path / ".docker/config.json", content)
    with pytest.raises((UsageError, SourceError), match=why) as caught:
        find("ghcr.io/team/app", HOME=str(tmp_path))
    assert caught.value.where == str(path)
