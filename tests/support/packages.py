"""Tiny wheels and sdists, made in pure Python, in milliseconds, with the same bytes each time.

Wheels follow the binary distribution format 1.0 with a correct RECORD. Sdists follow PEP 517/625
and are built by a backend inside them (``backend-path``), so that building downloads nothing.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterable, Mapping

_ZIP_TIME = (2020, 1, 1, 0, 0, 0)
_TAR_TIME = 1577836800

Metadata = str
Extras = Mapping[str, Iterable[str]]


def escaped(name: str) -> str:
    """A project's name as file names and modules write it: ``My-Lib`` → ``my_lib``."""
    return name.lower().replace("-", "_").replace(".", "_")


def metadata(
    name: str,
    version: str,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    extras: Extras | None = None,
    *,
    metadata_version: str = "2.2",
    dynamic: Iterable[str] = (),
) -> Metadata:
    """The text of METADATA or PKG-INFO; an extra's requirements get its ``extra ==`` marker."""
    lines = [f"Metadata-Version: {metadata_version}", f"Name: {name}", f"Version: {version}"]
    lines += [f"Dynamic: {field}" for field in dynamic]
    if requires_python is not None:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {line}" for line in requires]
    for extra, wanted in sorted((extras or {}).items()):
        lines.append(f"Provides-Extra: {extra}")
        lines += [f"Requires-Dist: {_under_extra(line, extra)}" for line in wanted]
    return "\n".join([*lines, ""])


def _under_extra(requirement: str, extra: str) -> str:
    text, _, marker = requirement.partition(";")
    condition = f"extra == '{extra}'"
    if marker:
        condition = f"({marker.strip()}) and {condition}"
    return f"{text.strip()} ; {condition}"


def make_wheel(
    name: str,
    version: str,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    tag: str = "py3-none-any",
    extras: Extras | None = None,
    files: Mapping[str, str | bytes] | None = None,
    metadata_override: str | None = None,
    build: str | None = None,
    generator: str = "envlock-tests",
) -> tuple[str, bytes]:
    """A wheel's file name and bytes.

    ``files`` are further paths inside the wheel. ``metadata_override`` replaces METADATA whole
    (for metadata that today's grammar refuses). ``build`` is a build number (``1``);
    ``generator`` what WHEEL says it was made by.
    """
    described = metadata_override or metadata(name, version, requires, requires_python, extras)
    info = f"{escaped(name)}-{version}.dist-info"
    contents: dict[str, bytes] = {
        f"{escaped(name)}/__init__.py": f"__version__ = {version!r}\n".encode(),
        **{path: _bytes(text) for path, text in (files or {}).items()},
        f"{info}/METADATA": described.encode(),
        f"{info}/WHEEL": (
            f"Wheel-Version: 1.0\nGenerator: {generator}\n"
            f"Root-Is-Purelib: {'true' if tag.endswith('-any') else 'false'}\n"
            + "".join(f"Tag: {one}\n" for one in expanded_tags(tag))
        ).encode(),
    }
    record = [f"{path},{_record_digest(data)},{len(data)}" for path, data in contents.items()]
    contents[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    parts = [escaped(name), version, *([build] if build else []), tag]
    return "-".join(parts) + ".whl", _zip(contents)


def expanded_tags(tag: str) -> list[str]:
    """``py2.py3-none-any`` → each plain tag that it stands for."""
    pythons, abis, platforms = tag.split("-")
    return [
        f"{python}-{abi}-{platform}"
        for python in pythons.split(".")
        for abi in abis.split(".")
        for platform in platforms.split(".")
    ]


def _record_digest(data: bytes) -> str:
    digest = hashlib.sha256(data).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _zip(contents: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in contents.items():
            entry = zipfile.ZipInfo(path, date_time=_ZIP_TIME)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return buffer.getvalue()


BACKEND = '''\
"""A build backend that packs its own source tree; needs nothing but the standard library."""
import base64, hashlib, pathlib, zipfile

HERE = pathlib.Path(__file__).parent
METADATA = (HERE / "metadata.txt").read_bytes()
FIELDS = dict(line.split(": ", 1) for line in METADATA.decode().splitlines() if ": " in line)
STEM = FIELDS["Name"].lower().replace("-", "_").replace(".", "_") + "-" + FIELDS["Version"]
WHEEL = b"Wheel-Version: 1.0\\nGenerator: tiny\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"


def get_requires_for_build_wheel(config_settings=None):
    return []


def get_requires_for_build_sdist(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = pathlib.Path(metadata_directory, STEM + ".dist-info")
    folder.mkdir()
    (folder / "METADATA").write_bytes(METADATA)
    (folder / "WHEEL").write_bytes(WHEEL)
    return folder.name


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    root = HERE.parent
    module = STEM.split("-")[0]
    contents = {p.relative_to(root).as_posix(): p.read_bytes()
                for p in sorted((root / module).rglob("*.py"))}
    contents[STEM + ".dist-info/METADATA"] = METADATA
    contents[STEM + ".dist-info/WHEEL"] = WHEEL
    record = ""
    for path, data in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(data)}\\n"
    contents[STEM + ".dist-info/RECORD"] = (record + STEM + ".dist-info/RECORD,,\\n").encode()
    name = STEM + "-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(wheel_directory, name), "w") as archive:
        for path, data in contents.items():
            archive.writestr(zipfile.ZipInfo(path, date_time=(2020, 1, 1, 0, 0, 0)), data)
    return name


build_editable = build_wheel
prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel
'''


def source_tree(
    name: str,
    version: str,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    extras: Extras | None = None,
    *,
    dynamic: bool = False,
    setup_py: str | None = None,
    files: Mapping[str, str | bytes] | None = None,
    metadata_override: str | None = None,
) -> dict[str, bytes]:
    """Path → bytes of a source tree that any PEP 517 frontend can build offline.

    With ``dynamic`` the dependencies are known only to the backend; otherwise pyproject.toml
    states them (PEP 621). With ``setup_py`` there is no pyproject.toml at all: a legacy tree,
    which needs setuptools to be built. ``files`` add or replace paths.
    """
    module = escaped(name)
    contents: dict[str, bytes] = {f"{module}/__init__.py": f"__version__ = {version!r}\n".encode()}
    if setup_py is not None:
        contents["setup.py"] = setup_py.encode()
    else:
        described = metadata_override or metadata(name, version, requires, requires_python, extras)
        contents["pyproject.toml"] = _pyproject(
            name, version, requires, requires_python, extras, dynamic=dynamic
        ).encode()
        contents["_backend/tiny_backend.py"] = BACKEND.encode()
        contents["_backend/metadata.txt"] = described.encode()
    return contents | {path: _bytes(text) for path, text in (files or {}).items()}


def make_sdist(
    name: str,
    version: str,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    extras: Extras | None = None,
    *,
    dynamic: bool = False,
    setup_py: str | None = None,
    files: Mapping[str, str | bytes] | None = None,
    metadata_override: str | None = None,
) -> tuple[str, bytes]:
    """An sdist's file name and bytes; see ``source_tree`` for the options.

    Its PKG-INFO is static (metadata 2.2) unless ``dynamic`` or ``setup_py``: then the dependencies
    can be learnt only by building.
    """
    requires = tuple(requires)
    tree = source_tree(
        name,
        version,
        requires,
        requires_python,
        extras,
        dynamic=dynamic,
        setup_py=setup_py,
        files=files,
        metadata_override=metadata_override,
    )
    if setup_py is not None:
        info = metadata(name, version, requires_python=requires_python, metadata_version="2.1")
    elif dynamic:
        fields = ("Requires-Dist", "Provides-Extra")
        info = metadata(name, version, requires_python=requires_python, dynamic=fields)
    else:
        info = metadata_override or metadata(name, version, requires, requires_python, extras)
    tree = {"PKG-INFO": info.encode()} | tree
    stem = f"{escaped(name)}-{version}"
    return f"{stem}.tar.gz", tar_gz({f"{stem}/{path}": data for path, data in tree.items()})


def _pyproject(
    name: str,
    version: str,
    requires: Iterable[str],
    requires_python: str | None,
    extras: Extras | None,
    *,
    dynamic: bool,
) -> str:
    import json

    lines = [
        "[build-system]",
        "requires = []",
        'build-backend = "tiny_backend"',
        'backend-path = ["_backend"]',
        "[project]",
        f"name = {json.dumps(name)}",
        f"version = {json.dumps(version)}",
    ]
    if requires_python is not None:
        lines.append(f"requires-python = {json.dumps(requires_python)}")
    if dynamic:
        lines.append('dynamic = ["dependencies", "optional-dependencies"]')
    else:
        lines.append(f"dependencies = {json.dumps(list(requires))}")
        if extras:
            lines.append("[project.optional-dependencies]")
            lines += [f"{key} = {json.dumps(list(extras[key]))}" for key in sorted(extras)]
    return "\n".join([*lines, ""])


def tar_gz(contents: Mapping[str, bytes]) -> bytes:
    """A deterministic .tar.gz of regular files."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, filename="") as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in sorted(contents):
            entry = tarfile.TarInfo(path)
            entry.size = len(contents[path])
            entry.mtime = _TAR_TIME
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(contents[path]))
    return buffer.getvalue()


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


TOY_BACKEND = '''\
"""A build backend from an index: one module per wheel, in an order that differs."""
import base64, hashlib, os, zipfile

HELPED = {helper!r}


def get_requires_for_build_wheel(settings=None):
    return [HELPED] if HELPED else []


def row(item):
    path, content = item[0], item[1].encode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    return "%s,sha256=%s,%d\\n" % (path, digest, len(content))


def build_wheel(directory, settings=None, metadata_directory=None):
    name, version, tag, code = open("toy.txt").read().split("|")
    scope = {{"text": ""}}
    exec(code, scope)
    if HELPED:
        __import__(HELPED)
    stem = name + "-" + version
    files = {{name + ".py": scope["text"]}}
    info = stem + ".dist-info/"
    files[info + "METADATA"] = "Metadata-Version: 2.1\\nName: %s\\nVersion: %s\\n" % (name, version)
    files[info + "WHEEL"] = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: %s\\n" % tag
    files[info + "RECORD"] = "".join(map(row, files.items())) + info + "RECORD,,\\n"
    wheel = "%s-%s.whl" % (stem, tag)
    with zipfile.ZipFile(os.path.join(directory, wheel), "w") as archive:
        for path in sorted(files, key=lambda path: (hash(path), path)):
            archive.writestr(path, files[path])
    return wheel
'''


def toy_backend(helper: str = "") -> dict[str, str]:
    """Files of the project ``toyback``; its hook asks for the project ``helper``, if given."""
    return {"toyback/__init__.py": TOY_BACKEND.format(helper=helper)}


def toy_sdist(name: str, version: str, tag: str = "py3-none-any", code: str = "") -> dict[str, str]:
    """Files of an sdist that ``toyback`` builds; ``code`` runs then, and ``text`` is its module."""
    system = '[build-system]\nrequires = ["toyback"]\nbuild-backend = "toyback"\n'
    project = f'[project]\nname = "{name}"\nversion = "{version}"\n'
    return {"pyproject.toml": system + project, "toy.txt": "|".join((name, version, tag, code))}


NEAR_PROJECT = """\
[project]
name = "near"
version = "1"
scripts = {near-tool = "near:main"}
[build-system]
requires = []
build-backend = "flit_core.buildapi"
"""
"""The pyproject.toml of a folder that a project has as a package of its own."""
