"""Install wheels into one folder, the same bytes each time: install.py SPECIFICATION FOLDER.

Runs where the environment is built, with the standard library alone, on Python 3.8 or newer. The
wheels' digests were checked when they were fetched. The format is that of
https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
"""

from __future__ import annotations

import base64
import compileall
import configparser
import csv
import hashlib
import json
import py_compile
import re
import shutil
import sys
import venv
import zipfile
from pathlib import Path, PurePosixPath

ENTRY = re.compile(r"(?P<module>\w+(\.\w+)*)\s*:\s*(?P<object>\w+(\.\w+)*)\s*(\[[^\]]*\])?")
SERIES = "python{}.{}".format(*sys.version_info[:2])
BINARY = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
SIGNED = ("RECORD", "RECORD.jws", "RECORD.p7s")


class Wheel:
    """One wheel on its way into the folder; ``record`` collects what was written."""

    def __init__(self, archive: zipfile.ZipFile, out: Path) -> None:
        self.archive = archive
        self.out = out
        self.site = out / "lib" / SERIES / "site-packages"
        tops = {name.split("/")[0] for name in archive.namelist()}
        [self.info] = [name for name in tops if name.endswith(".dist-info")]
        self.data = self.info[: -len(".dist-info")] + ".data"
        self.record: list[tuple[str, str, str]] = []

    def install(self) -> None:
        """Unpack, make the scripts of entry points, write RECORD."""
        for entry in self.archive.infolist():
            if not entry.is_dir():
                self.unpack(entry)
        self.entry_points()
        self.write(self.site / self.info / "INSTALLER", b"envlock\n")
        record = self.site / self.info / "RECORD"
        name = record.relative_to(self.site).as_posix()
        with record.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([*sorted(self.record), (name, "", "")])

    def unpack(self, entry: zipfile.ZipInfo) -> None:
        """One file to where it belongs."""
        path = PurePosixPath(entry.filename)
        if path.is_absolute() or ".." in path.parts:
            raise SystemExit(f"{self.info}: {entry.filename!r} leads out of the wheel")
        if path.parts[0] == self.info and path.name in SIGNED and len(path.parts) == 2:
            return
        target = self.site / path
        content = self.archive.read(entry)
        if path.parts[0] == self.data:
            target = self.scheme(path.parts[1]) / PurePosixPath(*path.parts[2:])
            if path.parts[1] == "scripts":
                self.script(target, content)
                return
        self.write(target, content, executable=bool(entry.external_attr >> 16 & 0o111))

    def scheme(self, key: str) -> Path:
        """The folder that a key of the wheel's .data stands for."""
        distribution = self.info.split("-")[0]
        return {
            "purelib": self.site,
            "platlib": self.site,
            "scripts": self.out / "bin",
            "headers": self.out / "include" / "site" / SERIES / distribution,
            "data": self.out,
        }[key]

    def script(self, target: Path, content: bytes) -> None:
        """A program, whose Python is the folder's."""
        if content.startswith(b"#!python"):
            rest = content.partition(b"\n")[2]
            content = b"#!%s/bin/python\n%s" % (str(self.out).encode(), rest)
        self.write(target, content, executable=True, digest=False)

    def entry_points(self) -> None:
        """The programs that the metadata names."""
        name = f"{self.info}/entry_points.txt"
        if name not in self.archive.namelist():
            return
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(self.archive.read(name).decode("utf-8"))
        for group in ("console_scripts", "gui_scripts"):
            for script, value in parser.items(group) if parser.has_section(group) else ():
                entry = ENTRY.fullmatch(value.strip())
                if entry is None or "/" in script or "\0" in script:
                    raise SystemExit(f"{self.info}: no entry point: {script!r} = {value!r}")
                first = entry["object"].split(".")[0]
                text = (
                    f"#!{self.out}/bin/python\n"
                    "import sys\n"
                    f"from {entry['module']} import {first}\n"
                    'if __name__ == "__main__":\n'
                    f"    sys.exit({entry['object']}())\n"
                )
                self.script(self.out / "bin" / script, text.encode())

    def write(
        self, target: Path, content: bytes, *, executable: bool = False, digest: bool = True
    ) -> None:
        """Write one file and its line of RECORD.

        No digest for what holds the folder's own name, or will: scripts, and libraries, into which
        the places of others are written. It would differ when Nix builds elsewhere to compare.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        # What two wheels have, the later one gives, as with pip; nothing is written through links.
        if target.is_symlink() or target.exists():
            target.unlink()
        target.write_bytes(content)
        if executable:
            target.chmod(0o755)
        name = target.relative_to(self.out).as_posix()
        site = self.site.relative_to(self.out).as_posix() + "/"
        name = name[len(site) :] if name.startswith(site) else f"../../../{name}"
        if not digest or content.startswith(BINARY):
            self.record.append((name, "", ""))
            return
        hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        self.record.append((name, f"sha256={hashed}", str(len(content))))


def main(specification: Path, out: Path) -> None:
    """Make the folder: a virtual environment, the wheels in it, all of it compiled."""
    wanted = json.loads(specification.read_text("utf-8"))
    venv.EnvBuilder(symlinks=True, with_pip=False).create(out)
    for script in (out / "bin").glob("[Aa]ctivate*"):
        script.unlink()
    if (out / "lib64").is_symlink():
        (out / "lib64").unlink()
    for path in map(Path, wanted["wheels"]):
        if path.is_dir():
            [wheel] = path.glob("*.whl")
        else:
            wheel = path
        with zipfile.ZipFile(wheel) as archive:
            Wheel(archive, out).install()
    # Nix sets every file's time to the same second: only the content can tell whether a .pyc fits,
    # and nobody writes here. What is no Python of this version stays uncompiled, as with pip.
    compileall.compile_dir(
        out / "lib" / SERIES / "site-packages",
        quiet=2,
        workers=1,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    share = out / "share" / "envlock"
    for name, source in sorted(wanted["share"].items()):
        share.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, share / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
