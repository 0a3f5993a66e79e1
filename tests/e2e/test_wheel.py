"""What is in the wheel that people install, and how the installed program starts."""

from __future__ import annotations

import re
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from support.guix import pure, with_guix
from support.samples import package, small_lock
from support.tools import run

from envlock.lock import codec

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("e2e")]

ROOT = Path(__file__).parents[2]


def _content(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _info(content: dict[str, bytes], name: str) -> bytes:
    [found] = [body for path, body in content.items() if path.endswith(f".dist-info/{name}")]
    return found


def test_it_holds_the_package_and_nothing_else(wheel: Path) -> None:
    content = _content(wheel)
    tops = {name.partition("/")[0] for name in content}
    [info] = tops - {"envlock"}
    assert re.fullmatch(r"envlock-[0-9.]+\.dist-info", info)
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "envlock").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "envlock/py.typed" in package
    templates = {
        f"envlock/{path.relative_to(ROOT)}"
        for path in (ROOT / "templates").rglob("*")
        if path.is_file()
    }
    assert "envlock/templates/guix/channels.scm" in templates
    assert {name for name in content if name.startswith("envlock/")} == package | templates


def test_its_metadata_is_complete(wheel: Path) -> None:
    content = _content(wheel)
    metadata = message_from_bytes(_info(content, "METADATA"))
    assert metadata["Name"] == "envlock"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata.get_payload().startswith("# envlock")
    assert b"Apache License" in _info(content, "licenses/LICENSE")


def test_its_entry_points_are_there_and_load(wheel: Path, programs: Path) -> None:
    declared = _info(_content(wheel), "entry_points.txt").decode()
    for group in ("console_scripts", "envlock.engines", "envlock.exporters"):
        assert f"[{group}]" in declared
    code = (
        "from importlib.metadata import entry_points as e\n"
        "for group in ('envlock.engines', 'envlock.exporters'):\n"
        "    for point in e(group=group):\n"
        "        extra = 'bom' in point.value and point.name != 'provenance'  # envlock[sbom]\n"
        "        print(point.name, point.name if extra else point.load()().name)\n"
    )
    lines = run([programs / "python", "-c", code]).stdout.splitlines()
    assert {"uv uv", "pip-tools pip-tools", "requirements requirements", "guix guix"} <= set(lines)
    assert {"provenance provenance", "sbom sbom"} <= set(lines)


def test_its_templates_are_found(envlock: str, tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text("aa\n")
    (tmp_path / "pylock.toml").write_text(codec.dump(with_guix(pure("aa"))))
    run([envlock, "export", "guix"], cwd=tmp_path)
    assert "(define python-aa" in (tmp_path / "guix/modules/envlock/environment.scm").read_text()


def test_no_two_of_its_dependencies_conflict(programs: Path) -> None:
    run([programs / "python", "-m", "pip", "check"])


def test_the_version_is_that_of_the_wheel(wheel: Path, envlock: str) -> None:
    version = wheel.name.split("-")[1]
    assert run([envlock, "--version"]).stdout.strip() == f"envlock, version {version}"


def test_help_imports_nothing_heavy(envlock: str) -> None:
    done = run([envlock, "--help"], env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert "Commands" in done.stdout
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0]
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert {"click", "envlock"} <= imported
    heavy = {"rich", "pip", "piptools", "packaging", "tomli", "ruamel", "pycurl", "uv"}
    assert not imported & heavy


def test_every_command_has_help(envlock: str) -> None:
    listing = run([envlock, "--help"]).stdout
    section = listing.partition("Commands:")[2]
    names = re.findall(r"^  ([a-z]+)  ", section, re.M)
    assert len(names) >= 9
    for name in names:
        assert run([envlock, name, "--help"]).stdout.startswith(f"Usage: envlock {name}")


def test_formats_that_need_an_extra_say_so(envlock: str, tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text("aa\n")
    (tmp_path / "pylock.toml").write_text(codec.dump(small_lock(package("aa"))))
    run([envlock, "export", "provenance", "-o", "provenance.json"], cwd=tmp_path)
    done = run([envlock, "export", "sbom"], cwd=tmp_path, check=False)
    assert done.returncode == 3
    assert 'pip install "envlock[sbom]"' in done.stderr
