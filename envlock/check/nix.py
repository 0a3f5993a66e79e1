"""What Nix built, against the lock and against what its store holds now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from envlock.check.drift import Code, Drift, drift
from envlock.errors import SourceError
from envlock.io.process import clean_environment, run
from envlock.io.tools import find_nix
from envlock.lock.realised import NixOutput


def observe_nix(outputs: Iterable[NixOutput]) -> Mapping[str, str]:
    """Store path → SRI digest of its content now. What is not in this machine's store is left out.

    Raises:
        SourceError: Nix cannot read a path that is there.
    """
    found = {}
    for path in sorted({output.store_path for output in outputs}):
        if Path(path).exists():
            argv = [str(find_nix()), "--extra-experimental-features", "nix-command"]
            done = run([*argv, "hash", "path", path], env=clean_environment())
            if done.code != 0:
                raise SourceError(f"nix hash: {done.stderr.strip()}", where=path)
            found[path] = done.stdout.strip()
    return found


def compare_nix(
    environment_hash: str, outputs: Iterable[NixOutput], stored: Mapping[str, str]
) -> tuple[Drift, ...]:
    """What was built from another lock, and what the store does not hold as it was built.

    Args:
        environment_hash: the lock's.
        outputs: what was built.
        stored: from ``observe_nix``.
    """
    found = []
    for output in outputs:
        if output.environment_hash != environment_hash:
            found.append(
                drift(
                    Code.NIX_OTHER_LOCK,
                    f"{output.output} {output.target}",
                    expected=environment_hash,
                    found=output.environment_hash,
                )
            )
        content = stored.get(output.store_path)
        if content is not None and content != output.nar_hash:
            found.append(
                drift(Code.NIX_CONTENT, output.store_path, expected=output.nar_hash, found=content)
            )
    return tuple(found)
