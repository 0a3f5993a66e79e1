"""Installs locked wheels into a new virtual environment, with nothing but Python 3.7 or newer.

Part of a bundle that envlock made; ``rebuild.sh`` calls it, once everything was verified:

    python -I -S -B install.py --plan PLAN --probe
    python -I -S -B install.py --plan PLAN --work FOLDER --into DIR [--home FOLDER]

The environment is made in the first FOLDER, and says everywhere that it is in DIR, where it is
moved to. The running Python is the environment's; with --home, ``bin/python`` is there already.
Follows the binary distribution format (wheel 1.0), recording installed projects (RECORD),
direct_url.json (PEP 610), entry points and PEP 405.
"""

from __future__ import annotations

import argparse
import base64
import configparser
import csv
import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from typing import IO, Any, Dict  # noqa: UP035

Plan = Dict[str, Any]  # noqa: UP006 - not before Python 3.9
BUNDLE = os.path.dirname(os.path.abspath(__file__))
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}
RUNNER = """#!%s
import sys

from %s import %s

if __name__ == "__main__":
    sys.exit(%s())
"""


class Refused(Exception):  # noqa: N818 - it is no error of this program
    """What was found cannot be used."""


def main() -> int:
    """0: done; 1: this Python does not fit (``--probe``); 3: something cannot be installed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--plan", required=True)
    parser.add_argument("--probe", action="store_true")
    parser.add_argument("--work")
    parser.add_argument("--into")
    parser.add_argument("--home")
    parser.add_argument("--start")
    parser.add_argument("--allow-missing", action="store_true")
    options = parser.parse_args()
    with open(os.path.join(BUNDLE, options.plan), encoding="utf-8") as file:
        plan = json.load(file)
    try:
        check_python(plan)
        chosen, missing = choose(plan)
        if options.probe:
            return 0
        if missing and not options.allow_missing:
            names = ", ".join(missing)
            raise Refused(f"no wheel for this machine: {names} (to go on without: --allow-missing)")
        place = Environment(options.work, options.into)
        place.create(options.home)
        builder = Builder(os.path.join(options.work, ".build"), options.start or sys.executable)
        for package, wheel in chosen:
            place.install(package, wheel or builder.wheel(package))
        shutil.rmtree(builder.work, ignore_errors=True)
    except Refused as problem:
        sys.stderr.write(f"{problem}\n")
        return 1 if options.probe else 3
    except OSError as problem:
        sys.stderr.write(f"{problem.strerror}: {problem.filename or options.work}\n")
        return 3
    sys.stdout.write(f"{len(chosen)} packages, {place.files} files\n")
    return 0


# --- does it fit? ---


def check_python(plan: Plan) -> None:
    """See that this Python is of the plan's target."""
    wanted, found = plan["python"], ".".join(map(str, sys.version_info[:3]))
    if wanted not in (found, found.rpartition(".")[0]):
        raise Refused(f"it is Python {found}, not {wanted}")
    if sys.implementation.name != "cpython":
        raise Refused(f"it is {sys.implementation.name}, not CPython")
    machine = MACHINES.get(platform.machine().lower(), platform.machine())
    here = f"{SYSTEMS.get(sys.platform, sys.platform)}/{machine}"
    if sys.maxsize < 2**32 or here != plan["target"].partition("@")[0]:
        raise Refused(f"it is for {here}, {64 if sys.maxsize > 2**32 else 32} bit")
    if sys.version_info[3] != "final" or getattr(sys, "_is_gil_enabled", lambda: True)() is False:
        raise Refused("it is a pre-release or free-threaded")
    if system() == (0, 0) and sys.platform != "win32":
        raise Refused("its C library is not the GNU one")


def system() -> tuple[int, int]:
    """The version of the C library, or of macOS; (0, 0): neither."""
    text = ""
    if sys.platform == "darwin":
        text = platform.mac_ver()[0]
    elif sys.platform == "linux":
        try:
            text = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")[2]
        except (ValueError, OSError):
            text = ""
    match = re.match(r"(\d+)\.(\d+)", text)
    return (int(match.group(1)), int(match.group(2))) if match else (0, 0)


def best(package: Plan) -> Plan | None:
    """The best of a package's wheels here; None: it has none at all."""
    here = system()
    ranks = sorted(
        (rank, wheel["file"], wheel)
        for wheel in package["wheels"]
        for rank, major, minor in wheel["fits"]
        if (major, minor) <= here
    )
    if ranks:
        found: Plan = ranks[0][2]
        return found
    if package["wheels"]:
        raise Refused(f"{package['name']} needs a newer system than this one ({here[0]}.{here[1]})")
    return None


def choose(plan: Plan) -> tuple[list[tuple[Plan, Plan | None]], list[str]]:
    """Each package with its wheel, or None where it is built; the names of those without either."""
    chosen: list[tuple[Plan, Plan | None]] = []
    missing: list[str] = []
    for package in plan["packages"]:
        if sys.version_info[2] not in package.get("patches", [sys.version_info[2]]):
            continue
        wheel = best(package)
        if wheel is not None or "build" in package:
            chosen.append((package, wheel))
        else:
            missing.append(package["name"])
    return sorted(chosen, key=lambda pair: pair[0]["name"]), missing


# --- the environment ---


class Environment:
    """A virtual environment on its way: in ``work`` now, in ``into`` in the end."""

    def __init__(self, work: str, into: str) -> None:
        self.work, self.into = work, into
        self.python = into + "/bin/python"
        self.series = ".".join(map(str, sys.version_info[:2]))
        self.site = f"lib/python{self.series}/site-packages"
        self.files = 0

    def create(self, home: str | None) -> None:
        """PEP 405; ``bin/python`` is there already where it is a script."""
        os.makedirs(self.path(self.site))
        os.makedirs(self.path("bin"), exist_ok=True)
        if sys.platform == "linux":
            os.symlink("lib", self.path("lib64"))
        if home is None:
            real = os.path.realpath(sys.executable)
            if real.startswith(self.work + "/"):  # it moves with the environment
                real = self.into + real[len(self.work) :]
            os.symlink(real, self.path("bin/python"))
            home = os.path.dirname(real)
        for name in ("python3", "python" + self.series):
            os.symlink("python", self.path("bin/" + name))
        version = ".".join(map(str, sys.version_info[:3]))
        text = f"home = {home}\ninclude-system-site-packages = false\nversion = {version}\n"
        self.write("pyvenv.cfg", io.BytesIO(text.encode()), executable=False)

    def path(self, relative: str) -> str:
        """Where it is now."""
        return os.path.join(self.work, *relative.split("/"))

    def write(self, relative: str, content: IO[bytes], *, executable: bool) -> tuple[str, int]:
        """Write a file; its digest as RECORD has it, and its size."""
        parts = relative.split("/")
        if relative.startswith("/") or "\\" in relative or "\0" in relative:
            raise Refused(f"the path {relative!r} leads out of the environment")
        if any(part in ("", ".", "..") for part in parts):
            raise Refused(f"the path {relative!r} leads out of the environment")
        target = self.path(relative)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.lexists(target):
            os.unlink(target)
        digest, size = hashlib.sha256(), 0
        with open(target, "wb") as file:
            for piece in iter(lambda: content.read(1 << 20), b""):
                digest.update(piece)
                file.write(piece)
                size += len(piece)
        os.chmod(target, 0o755 if executable else 0o644)
        self.files += 1
        text = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
        return "sha256=" + text, size

    def install(self, package: Plan, wheel: Plan) -> None:
        """Install one wheel."""
        name = wheel["file"].rpartition("/")[2]
        # The locked file: of what was built here, the sdist.
        origin = wheel.get("built-from", wheel)
        # What was built here has an absolute path.
        path = os.path.join(BUNDLE, wheel["file"])
        with open(path, "rb") as file:
            hold(file, wheel["sha256"], name)
            try:
                with zipfile.ZipFile(file) as packed:
                    Wheel(self, packed, name, package).install(origin)
            except (zipfile.BadZipFile, KeyError, ValueError, configparser.Error) as problem:
                raise Refused(f"{name} cannot be installed: {problem}") from None


def digest_of(file: IO[bytes]) -> str:
    """The SHA-256 of a file, which is at its start again."""
    digest = hashlib.sha256()
    for piece in iter(lambda: file.read(1 << 20), b""):
        digest.update(piece)
    file.seek(0)
    return digest.hexdigest()


def hold(file: IO[bytes], sha256: str, name: str) -> None:
    """Hold a file to its digest, before it is read."""
    if digest_of(file) != sha256:
        raise Refused(f"{name} has other bytes than the lock says")


class Wheel:
    """One wheel that is installed."""

    def __init__(
        self, place: Environment, packed: zipfile.ZipFile, name: str, package: Plan
    ) -> None:
        self.place, self.packed, self.name, self.package = place, packed, name, package
        self.rows: list[tuple[str, str, int]] = []
        infos = {
            entry.partition("/")[0]
            for entry in packed.namelist()
            if entry.partition("/")[0].endswith(".dist-info")
        }
        if len(infos) != 1:
            raise Refused(f"{name} has {len(infos)} folders .dist-info")
        self.info = infos.pop()
        self.data = self.info[: -len(".dist-info")] + ".data"

    def install(self, origin: Plan) -> None:
        """All its files, its programs, and RECORD; ``origin`` is the locked file that it is of."""
        version = self.packed.read(self.info + "/WHEEL").decode("utf-8")
        if not re.search(r"^Wheel-Version: 1\.", version, re.M):
            raise Refused(f"{self.name} is of an unknown version of the format")
        for entry in self.packed.infolist():
            if not entry.filename.endswith("/"):
                self.add(entry)
        self.add_programs()
        self.put(self.info + "/INSTALLER", b"envlock\n")
        if "url" in self.package:
            hashes = {"sha256": origin["sha256"]}
            value = {"archive_info": {"hashes": hashes}, "url": self.package["url"]}
            self.put(self.info + "/direct_url.json", json.dumps(value, sort_keys=True).encode())
        self.put(self.info + "/envlock.json", self.note(origin))
        record = self.info + "/RECORD"
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows(sorted(self.rows))
        writer.writerow([record, "", ""])
        self.place.write(
            self.place.site + "/" + record,
            io.BytesIO(text.getvalue().encode("utf-8")),
            executable=False,
        )

    def note(self, origin: Plan) -> bytes:
        """What envlock notes beside RECORD: the locked file, and the digest of the rows so far."""
        rows = []
        for path, digest, _size in self.rows:
            encoded = digest.partition("=")[2] + "="
            if not path.endswith(".pyc"):
                rows.append(f"{path}\0sha256\0{base64.urlsafe_b64decode(encoded).hex()}")
        record = hashlib.sha256("\n".join(sorted(rows)).encode("utf-8")).hexdigest()
        name = origin["file"].rpartition("/")[2]
        table = {"file": name, "sha256": origin["sha256"], "record": record}
        return (json.dumps(table, indent=1) + "\n").encode("utf-8")

    def add(self, entry: zipfile.ZipInfo) -> None:
        """One file of the archive, where its scheme says."""
        path = entry.filename
        if path in (self.info + "/" + name for name in ("RECORD", "RECORD.jws", "RECORD.p7s")):
            return
        executable = bool((entry.external_attr >> 16) & 0o111)
        with self.packed.open(entry) as content:
            if not path.startswith(self.data + "/"):
                self.keep(path, self.place.site + "/" + path, content, executable=executable)
                return
            scheme, _, rest = path[len(self.data) + 1 :].partition("/")
            if scheme in ("purelib", "platlib"):
                self.keep(rest, self.place.site + "/" + rest, content, executable=executable)
            elif scheme == "scripts":
                self.keep_outside("bin/" + rest, self.fixed(content), executable=True)
            elif scheme == "data":
                self.keep_outside(rest, content, executable=executable)
            elif scheme == "headers":
                folder = "include/site/python{}/{}".format(self.place.series, self.package["name"])
                self.keep_outside(folder + "/" + rest, content, executable=executable)
            else:
                raise Refused(f"{self.name} has files of an unknown kind: {scheme}")

    def keep(self, recorded: str, target: str, content: IO[bytes], *, executable: bool) -> None:
        """Write a file and remember its row of RECORD."""
        digest, size = self.place.write(target, content, executable=executable)
        self.rows.append((recorded, digest, size))

    def keep_outside(self, target: str, content: IO[bytes], *, executable: bool) -> None:
        """The same, beside site-packages."""
        self.keep("../../../" + target, target, content, executable=executable)

    def put(self, path: str, content: bytes) -> None:
        """A file of the installer's own."""
        self.rows = [row for row in self.rows if row[0] != path]
        self.keep(path, self.place.site + "/" + path, io.BytesIO(content), executable=False)

    def fixed(self, content: IO[bytes]) -> IO[bytes]:
        """A script, started by the environment's Python."""
        first = content.readline()
        if not re.match(rb"#!pythonw?(\s|$)", first):
            rest = io.BytesIO()
            rest.write(first)
            shutil.copyfileobj(content, rest)
            rest.seek(0)
            return rest
        line = self.interpreter(first[2:].strip().partition(b" ")[2].decode("utf-8"))
        return io.BytesIO(f"#!{line}\n".encode() + content.read())

    def interpreter(self, arguments: str = "") -> str:
        """What stands behind ``#!``; a path that the kernel would not take goes through sh."""
        python, more = self.place.python, f" {arguments}" if arguments else ""
        if " " not in python and len(python) < 120:
            return python + more
        return f"/bin/sh\n'''exec' \"{python}\"{more} \"$0\" \"$@\"\n' '''"

    def add_programs(self) -> None:
        """The entry points that are programs."""
        name = self.info + "/entry_points.txt"
        if name not in self.packed.namelist():
            return
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
        parser.optionxform = lambda optionstr: optionstr  # type: ignore[method-assign]
        parser.read_string(self.packed.read(name).decode("utf-8"))
        for section in ("console_scripts", "gui_scripts"):
            for program, what in parser.items(section) if parser.has_section(section) else ():
                match = re.match(r"\s*([\w.]+)\s*:\s*([\w.]+)\s*(\[.*\])?\s*$", what)
                if match is None or not re.match(r"[\w.][\w.\- ]*$", program):
                    raise Refused(f"{self.name}: the program {program!r} cannot be made")
                module, attribute = match.group(1), match.group(2)
                text = RUNNER % (self.interpreter(), module, attribute.split(".")[0], attribute)
                self.keep_outside(
                    "bin/" + program, io.BytesIO(text.encode("utf-8")), executable=True
                )


# --- what has no wheel ---


class Builder:
    """Builds sdists (PEP 517), each among its locked requirements and nothing else."""

    def __init__(self, work: str, start: str) -> None:
        self.work, self.start = work, start
        self.made: dict[str, Plan] = {}

    def wheel(self, package: Plan) -> Plan:
        """The wheel of a package that has none, as if the bundle had it."""
        build = package.get("build")
        if build is None:
            raise Refused(f"{package['name']} has no wheel, and what builds it is not locked")
        key = build["sdist"]
        if key not in self.made:
            self.made[key] = self.built(package, build)
        return self.made[key]

    def built(self, package: Plan, build: Plan) -> Plan:
        """Build one."""
        name = package["name"]
        sys.stderr.write(f"building {name}\n")
        sdist = os.path.join(BUNDLE, build["sdist"])
        with open(sdist, "rb") as file:
            hold(file, build["sha256"], name)
        folder = os.path.join(self.work, build["sha256"])
        prefix = os.path.join(folder, "environment")
        place = Environment(prefix, prefix)
        os.makedirs(place.path(place.site))
        # Among its requirements, without what else this Python has installed.
        text = "#!/bin/sh\nPYTHONPATH='{}' exec '{}' -S -B \"$@\"\n"
        text = text.format(place.path(place.site), self.start)
        for program in ("python", "python3"):
            place.write("bin/" + program, io.BytesIO(text.encode("utf-8")), executable=True)
        for one in build["requires"]:
            place.install(one, best(one) or self.wheel(one))
        specification = os.path.join(folder, "build.json")
        with open(specification, "w", encoding="utf-8") as file:
            json.dump({**build, "sdist": sdist}, file)
        out, log = os.path.join(folder, "out"), os.path.join(folder, "log")
        with open(log, "wb") as output:
            said = subprocess.call(
                [place.python, os.path.join(BUNDLE, "build_wheel.py"), specification, out],
                cwd=folder,
                env={
                    "LC_ALL": "C.UTF-8",
                    "PATH": place.path("bin") + os.pathsep + os.environ.get("PATH", ""),
                    "PYTHONHASHSEED": "0",
                    "TZ": "UTC",
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wheels = [one for one in os.listdir(out) if one.endswith(".whl")] if not said else []
        if len(wheels) != 1:
            with open(log, encoding="utf-8", errors="replace") as file:
                sys.stderr.write("".join(file.readlines()[-30:]))
            needs = f" (it is known to need {' '.join(build['programs'])})"
            raise Refused(f"{name} was not built, see above{needs if build['programs'] else ''}")
        path = os.path.join(out, wheels[0])
        with open(path, "rb") as file:
            origin = {"file": build["sdist"], "sha256": build["sha256"]}
            return {"file": path, "sha256": digest_of(file), "built-from": origin}


if __name__ == "__main__":
    sys.exit(main())
