"""Where an environment belongs, and what is refused before anything is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.samples import LINUX, package, small_lock

from envlock.errors import UsageError
from envlock.realise.place import Place, default_prefix, place_at_prefix

LOCK = small_lock(package("aa"))


@pytest.mark.parametrize(
    ("lock", "folder"),
    [("pylock.toml", ".venv"), ("pylock.gpu.toml", ".venv-gpu")],
)
def test_each_lock_has_its_own_folder(lock: str, folder: str) -> None:
    assert default_prefix(Path("/project") / lock) == Path("/project") / folder


def test_a_missing_or_empty_folder_is_to_be_made(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("missing", "empty"):
        place = place_at_prefix(LOCK, tmp_path / name, platform="linux/amd64")
        assert place == Place(prefix=tmp_path / name, interpreter=None, target=LINUX, python="3.11")


@pytest.mark.parametrize("recreate", [False, True])
def test_a_folder_with_something_else_is_refused_even_to_recreate(
    tmp_path: Path, recreate: bool
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="no virtual environment") as caught:
        place_at_prefix(LOCK, tmp_path, platform="linux/amd64", recreate=recreate)
    assert caught.value.where == str(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_file_is_no_environment(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be used"):
        place_at_prefix(LOCK, tmp_path / "file", platform="linux/amd64")


def test_another_platform_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"not for macos/arm64, but for linux/amd64@3\.11"):
        place_at_prefix(LOCK, tmp_path / "env", platform="macos/arm64")
    assert not (tmp_path / "env").exists()
