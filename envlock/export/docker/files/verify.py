"""Made by envlock. Ends with exit code 1 when what is installed is not what is locked.

It runs as the last step of the build, and in any container of the image:

    python /usr/share/envlock/verify.py

Compared are the OS packages (dpkg's database), the Python, its packages (names and versions, none
missing, none more) and the content of their files (the digests in their RECORD). It needs nothing
but Python 3.8.
"""

from __future__ import annotations

import base64
import hashlib
import json
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from sysconfig import get_path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Print every difference; 1 when there is one."""
    differences = [*_os_packages(), *_python()]
    for line in differences:
        sys.stderr.write(f"not as locked: {line}\n")
    if not differences:
        sys.stdout.write("everything is as locked\n")
    return 1 if differences else 0


def _rows(path: Path) -> list[list[str]]:
    lines = path.read_text("utf-8").splitlines()
    return [line.split() for line in lines if line and not line.startswith("#")]


def _architecture() -> str:
    """Debian's name of this machine, as the files have it."""
    found = subprocess.run(
        ["dpkg", "--print-architecture"],
        stdout=subprocess.PIPE,
        check=True,
    )
    return found.stdout.decode().strip()


def _os_packages() -> Iterator[str]:
    listed = _rows(HERE / "os-packages.txt")
    if not listed:
        return
    form = "${db:Status-Status} ${Package} ${Version} ${Architecture}\n"
    found = subprocess.run(
        ["dpkg-query", "--show", "--showformat", form],
        stdout=subprocess.PIPE,
        check=True,
    )
    there: dict[tuple[str, str], str] = {}
    for line in found.stdout.decode().splitlines():
        status, name, version, kind = line.split(" ")
        if status == "installed":
            there[name, kind] = version
    here = _architecture()
    for target, name, version, kind, *_ in listed:
        if target == here and there.get((name, kind)) != version:
            yield f"OS package {name} {version}: {there.get((name, kind), 'missing')}"


def _python() -> Iterator[str]:
    machine = platform.machine()
    listed = HERE / f"requirements-{machine}.txt"
    if not listed.exists():
        yield f"Python packages: nothing is locked for {machine}"
        return
    text = listed.read_text("utf-8")
    wanted = re.search(r"^# python: (.*)$", text, re.M)
    own = platform.python_version()
    if wanted is None or not f"{own}.".startswith(f"{wanted[1]}."):
        yield f"Python {wanted and wanted[1]}: {own}"
    locked = dict(re.findall(r"^([A-Za-z0-9._-]+)(?:==(\S+)| @ \S+)", text, re.M))
    beside = json.loads((HERE / f"builds-{machine}.json").read_text("utf-8"))
    locked.update({entry["name"]: entry["version"] for entry in beside["built"]})
    folders = list(dict.fromkeys([get_path("purelib"), get_path("platlib")]))
    there: dict[str, Distribution] = {}
    for found in distributions(path=folders):
        there[re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower()] = found
    if any(Path(folder, "project.pth").exists() for folder in folders):
        locked.update({entry["name"]: entry["version"] for entry in beside["folders"]})
    for name, version in sorted(locked.items()):
        if name not in there:
            yield f"{name} {version}: missing"
        elif version and there[name].version != version:
            yield f"{name} {version}: {there[name].version}"
    for name in sorted(there.keys() - locked.keys()):
        if _is_own(there[name]):
            continue
        yield f"{name}: it is not in the lock, and {there[name].version} is there"
    for name in sorted(there.keys() & locked.keys()):
        yield from _files(name, there[name])


def _is_own(found: Distribution) -> bool:
    """Whether it is the project that the image is of, which is in no lock (PEP 610)."""
    told = json.loads(found.read_text("direct_url.json") or "{}")
    return "dir_info" in told and told["url"] in ("file:///app", "file:///workspace")


def _files(name: str, found: Distribution) -> Iterator[str]:
    for file in found.files or ():
        # A few wheels bring bytecode; that of the image was made from their text in the build.
        if file.hash is None or file.hash.mode != "sha256" or file.suffix == ".pyc":
            continue
        try:
            content = Path(str(file.locate())).read_bytes()
        except OSError:
            yield f"{name}: {file} cannot be read"
            continue
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
        if digest.rstrip(b"=").decode() != file.hash.value:
            yield f"{name}: {file} has other content"


if __name__ == "__main__":
    sys.exit(main())
