"""Makes an environment of files of the store alone."""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from envlock.io.files import write_atomic
from envlock.io.interpreters import Interpreter
from envlock.io.progress import Reporter, SilentReporter
from envlock.lock import codec
from envlock.lock.installed import UNFINISHED
from envlock.lock.model import Lock
from envlock.lock.package import PythonPackage
from envlock.realise.place import Place
from envlock.realise.rebuild.choose import Chosen, local_lock
from envlock.realise.venv import sync
from envlock.resolve.python.config.find import discover_sources

_UNFINISHED = b"""\
envlock rebuild is at work on this environment, or was cut off: it is not complete.
When no envlock is running any more, run the same command again. This file goes when it is done.
"""
_CACHE_NOTE = "uv_cache.json"
_DIRECT_URL = "direct_url.json"


def install(
    lock: Lock,
    chosen: Chosen,
    root: Path,
    place: Place,
    *,
    base: Path | None,
    offline: bool,
    anew: tuple[str, ...] = (),
    reporter: Reporter,
    meanwhile: Callable[[], None] | None = None,
) -> Interpreter:
    """Make ``place`` hold exactly ``chosen``, whose files are in the store.

    The network is used for what is no file with a digest (a repository), and for the build
    requirements of an sdist that the lock has no build for; never when ``offline``. ``meanwhile``
    is done while uv works. From the first change on, the environment is marked as not finished.

    Raises:
        SourceError: it cannot be written or built, or the Python is missing.
        VerificationError: a file is not what the lock says.
    """
    sources = discover_sources(lock.request, root, dated=False, reporter=SilentReporter())
    with tempfile.TemporaryDirectory(prefix="envlock-rebuild-") as folder:
        path = Path(folder, "pylock.toml")
        local = local_lock(lock, chosen, str(root))
        path.write_text(codec.dump(local), encoding="utf-8")
        return sync(
            local,
            path,
            place,
            sources=sources,
            reporter=reporter,
            anew=anew,
            base=base,
            offline=offline,
            begun=lambda: write_atomic(place.prefix / UNFINISHED, _UNFINISHED, durable=False),
            meanwhile=meanwhile,
        )


def finished(prefix: Path) -> None:
    """Take the mark away: the environment is whole."""
    (prefix / UNFINISHED).unlink(missing_ok=True)


def tidy(infos: Mapping[Path, str], packages: Iterable[PythonPackage]) -> None:
    """Have RECORDs say what they say when the same files come from their locked addresses.

    uv notes the times of a local file that it installs, which are of this machine; and of an
    archive given directly it notes where it lay.

    Args:
        infos: ``*.dist-info`` folder → normalized name.
        packages: those of the lock.

    Raises:
        SourceError: the environment cannot be written.
    """
    addresses = {p.name: p.archive.url for p in packages if p.archive and p.archive.url}
    for info, name in infos.items():
        note = info / _CACHE_NOTE
        if note.exists():
            _rewrite(info, _CACHE_NOTE, None)
            note.unlink(missing_ok=True)
        if name in addresses and (info / _DIRECT_URL).exists():
            table = {"url": addresses[name], "archive_info": {}}
            content = json.dumps(table, separators=(",", ":")).encode()
            if (info / _DIRECT_URL).read_bytes() != content:
                _rewrite(info, _DIRECT_URL, content)
                write_atomic(info / _DIRECT_URL, content, durable=False)


def _rewrite(info: Path, name: str, content: bytes | None) -> None:
    """Replace the row of a file in RECORD; with ``content`` None it goes."""
    start = f"{info.name}/{name},".encode()
    row = b""
    if content is not None:
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
        row = b"%bsha256=%b,%d\n" % (start, digest, len(content))
    path = info / "RECORD"
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError:
        return  # the comparison with the lock will say so
    kept = b"".join(row if line.startswith(start) else line for line in lines)
    write_atomic(path, kept, durable=False)
