"""What `envlock rebuild` says of files that nobody has."""

from __future__ import annotations

from collections.abc import Mapping

from envlock.errors import SourceError
from envlock.lock.artifacts import UsedFiles
from envlock.realise.rebuild.gather import Gathered

_LISTED = 20


def refuse_missing(files: UsedFiles, found: Mapping[str, Gathered]) -> None:
    """Nothing, where all are there.

    Raises:
        SourceError: some are missing; names them with what was tried.
    """
    names = {
        **{f.file.sha256: f.file.name for f in files.python},
        **{p.sha256: p.file_name.rpartition("/")[2] for p in files.os},
        **{s.file.sha256: s.file.name for s in files.os_sources},
        **{b.sha256: str(b) for b in files.interpreters},
    }
    missing = [sha256 for sha256, one in found.items() if one.origin is None]
    if not missing:
        return
    lines = []
    for sha256 in missing[:_LISTED]:
        lines.append(f"  {names.get(sha256, sha256)}")
        lines += [f"      tried {one.place}: {one.why}" for one in found[sha256].tried]
    if len(missing) > _LISTED:
        lines.append(f"  and {len(missing) - _LISTED} more")
    places = [
        *(["--index URL"] if files.python else []),
        *(["a mirror in [tool.envlock.os]"] if files.os or files.os_sources else []),
    ]
    are = "file is" if len(missing) == 1 else "files are"
    raise SourceError(
        f"{len(missing)} {are} missing; everything else is in the store:\n" + "\n".join(lines),
        remedy=f"give a place that has them: {', '.join(('--from DIR', *places))}",
    )
