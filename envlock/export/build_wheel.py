"""Build one sdist through its PEP 517 backend: build_wheel.py SPECIFICATION FOLDER.

Runs in the environment that was locked for this build, with the standard library and that alone.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tarfile
import zipfile
from pathlib import Path

EPOCH = 1580601600  # 2020-02-02, as of every build of envlock's; hatchling takes it by itself


def unpack(sdist: Path, folder: Path) -> Path:
    """The one folder that an sdist holds, with every file's time the same."""
    if zipfile.is_zipfile(sdist):
        with zipfile.ZipFile(sdist) as archive:
            archive.extractall(folder)  # noqa: S202 - into a build directory; digest checked
    else:
        with tarfile.open(sdist) as tar:
            if hasattr(tarfile, "data_filter"):
                tar.extractall(folder, filter="data")
            else:
                tar.extractall(folder)  # noqa: S202 - as above, on an older Python
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.utime(Path(parent, name), (EPOCH, EPOCH), follow_symlinks=False)
    tops = [path for path in folder.iterdir() if path.is_dir()]
    if len(tops) != 1:
        raise SystemExit(f"{sdist.name}: one folder is expected, {len(tops)} are there")
    return tops[0]


def main(specification: Path, out: Path) -> None:
    """Call the backend's ``build_wheel`` in the source tree."""
    wanted = json.loads(specification.read_text("utf-8"))
    work = Path.cwd() / "envlock-build"
    work.mkdir()
    root = unpack(Path(wanted["sdist"]), work)
    os.chdir(root / (wanted["subdirectory"] or "."))
    os.environ["SOURCE_DATE_EPOCH"] = str(EPOCH)
    os.environ["HOME"] = str(work)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.prefix, "bin")), os.environ["PATH"]])
    # Not the folder of this script, which is the store's.
    sys.path.pop(0)
    for folder in reversed(wanted["backend-path"]):
        sys.path.insert(0, str(Path(folder).resolve()))
    module, _, attribute = wanted["backend"].partition(":")
    backend = importlib.import_module(module)
    for part in filter(None, attribute.split(".")):
        backend = getattr(backend, part)
    out.mkdir(parents=True)
    backend.build_wheel(str(out))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
