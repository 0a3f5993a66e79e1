"""Wheels into an environment's layer: hostile ones are refused by name."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from support.packages import make_wheel

from envlock.errors import EnvlockError, UsageError, VerificationError
from envlock.io.store import stored
from envlock.realise.image.wheels import Interpreter, Wheel, write_layer

PYTHON = Interpreter(path="/usr/bin/python3.11", series="3.11", version="3.11.2")
SITE = "opt/venv/lib/python3.11/site-packages"


def wheel(folder: Path, name: str = "thing", url: str | None = None, **files: str) -> Wheel:
    file, content = make_wheel(name, "1", files={k.replace("|", "/"): v for k, v in files.items()})
    path = folder / name
    path.write_bytes(content)
    return Wheel(name=file, path=path, sha256="0" * 64, url=url)


def layer(*wheels: Wheel) -> dict[str, tarfile.TarInfo]:
    made = write_layer(wheels, PYTHON, title="test", compression="none")
    with tarfile.open(stored(made.digest)) as archive:
        return {info.name: info for info in archive}


def refused(*wheels: Wheel) -> EnvlockError:
    with pytest.raises(EnvlockError) as caught:
        layer(*wheels)
    return caught.value


def with_member(folder: Path, member: str) -> Wheel:
    """A wheel with a further member that no tool would have written."""
    good = wheel(folder)
    content = io.BytesIO(good.path.read_bytes())
    with zipfile.ZipFile(content, "a") as packed:
        packed.writestr(member, b"evil")
    good.path.write_bytes(content.getvalue())
    return good


@pytest.mark.parametrize(
    "member",
    [
        "/etc/passwd",
        "../evil.py",
        "thing/../../../../evil.py",
        "thing-1.data/scripts/../../evil",
        "thing-1.data/data/../../../etc/passwd",
        "thing\\..\\..\\evil.py",
    ],
)
def test_members_that_lead_out_are_refused(tmp_path: Path, member: str) -> None:
    error = refused(with_member(tmp_path, member))
    assert isinstance(error, (VerificationError, UsageError))
    assert error.where == "thing-1-py3-none-any.whl"


@pytest.mark.parametrize("name", ["../evil", "/usr/bin/evil", "a/b", ".."])
def test_scripts_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    points = {"thing-1.dist-info|entry_points.txt": f"[console_scripts]\n{name} = thing:main\n"}
    assert "leads out of the environment" in refused(wheel(tmp_path, **points)).what


def test_two_wheels_with_one_path(tmp_path: Path) -> None:
    same = (
        wheel(tmp_path, "a", **{"shared|x.py": "1"}),
        wheel(tmp_path, "b", **{"shared|x.py": "1"}),
    )
    assert f"{SITE}/shared/x.py" in layer(*same)
    other = wheel(tmp_path, "c", **{"shared|x.py": "2"})
    error = refused(same[0], other)
    assert error.where == f"c-1-py3-none-any.whl: {SITE}/shared/x.py"


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"no zip"])
def test_what_is_no_wheel_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "thing"
    path.write_bytes(content)
    error = refused(Wheel(name="thing-1-py3-none-any.whl", path=path, sha256="0" * 64))
    assert error.where == "thing-1-py3-none-any.whl"
    assert error.exit_code == 2


def test_a_program_among_the_scripts_stays_as_it_is(tmp_path: Path) -> None:
    found = layer(wheel(tmp_path, **{"thing-1.data|scripts|tool": "\x7fELF" + "x" * 9_000_000}))
    assert found["opt/venv/bin/tool"].size == 9_000_004
    assert found["opt/venv/bin/tool"].mode == 0o755


def test_no_compiled_modules(tmp_path: Path) -> None:
    found = layer(wheel(tmp_path, **{"thing|__pycache__|x.cpython-311.pyc": "evil"}))
    assert not [name for name in found if "__pycache__" in name]


def test_files_belong_to_root_and_have_one_time(tmp_path: Path) -> None:
    found = layer(wheel(tmp_path, url="https://example.org/thing-1-py3-none-any.whl"))
    assert {(info.uid, info.gid, info.mtime) for info in found.values()} == {(0, 0, 315532800)}
    assert {info.mode for info in found.values() if info.isreg()} == {0o644}
    assert f"{SITE}/thing-1.dist-info/direct_url.json" in found
