"""What of a machine numbers can depend on: compared, and where that is possible set as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from envlock.io.host import VARIABLES

Table = Mapping[str, Any]

_OF_PLACES = (
    *("CONDA_DEFAULT_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "LD_PRELOAD", "PATH", "PYTHONHOME"),
    *("PYTHONPATH", "R_HOME", "R_LIBS", "R_LIBS_USER", "TMPDIR", "VIRTUAL_ENV"),
)
"""Variables that say where things are on a machine: they are not carried to another one."""
_PINNED = tuple(name for name in VARIABLES if name not in _OF_PLACES)
_LOCALE = ("LC_ALL", "LC_COLLATE", "LC_CTYPE", "LC_NUMERIC", "LC_TIME", "LANG", "LANGUAGE")
_COUNTS = ("LC_ALL", "LC_NUMERIC", "LANG")
_TOLD_OTHERWISE = (*_LOCALE, "TZ", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_CORES = (
    ("SkylakeX", ("avx512f", "avx512bw", "avx512dq", "avx512cd", "avx512vl")),
    ("Haswell", ("avx2", "fma")),
    ("Sandybridge", ("avx",)),
    ("Nehalem", ("sse4_2",)),
)
"""OpenBLAS's kernels for x86-64 and what they take, the best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDifference:
    """Something of the host that differs; None is nothing. The likeliest cause stands first."""

    subject: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """What ``--pin-host`` sets: variables (None: not set), and how many processors may be used.

    ``told`` says what cannot be set as it was.
    """

    variables: Mapping[str, str | None]
    processors: int | None
    told: tuple[str, ...]


def host_differences(before: Table, after: Table) -> tuple[HostDifference, ...]:
    """Where the hosts of two records differ, as far as results can depend on it."""
    one, other = _effective(before), _effective(after)
    found = []
    for subject in [*one, *(name for name in other if name not in one)]:
        pair = one.get(subject), other.get(subject)
        if pair[0] == pair[1]:
            continue
        if subject == "CPU features":
            pair = _unlike(*pair)
        found.append(HostDifference(subject=subject, before=pair[0], after=pair[1]))
    return tuple(found)


def pins(record: Table, here: Table) -> Pins:
    """What makes this machine (``host_facts``) like that of a record, as far as that goes."""
    host = record.get("host") or {}
    then = host.get("variables") or {}
    variables: dict[str, str | None] = {name: then.get(name) for name in _PINNED}
    told = []
    zone = host.get("time-zone")
    if zone and not variables["TZ"]:
        variables["TZ"] = zone
    processors, now = _usable(host), _usable(here)
    if processors and now and processors > now:
        told.append(f"the run could use {processors} processors, here are {now}")
        # What counts threads by OpenMP does as many all the same; OpenBLAS does not.
        variables["OMP_NUM_THREADS"] = variables["OMP_NUM_THREADS"] or str(processors)
        processors = None
    if not variables["OPENBLAS_CORETYPE"] and host.get("machine") in ("x86_64", "amd64"):
        core, own = _core(host), _core(here)
        names = [name for name, _ in _CORES]
        if core and own and core != own:
            if names.index(core) < names.index(own):
                told.append(f"OpenBLAS's kernels for {core} do not run on this processor")
            else:
                variables["OPENBLAS_CORETYPE"] = core
    if not host:
        told.append("the record says nothing of its host")
    return Pins(variables=variables, processors=processors, told=tuple(told))


def _usable(host: Table) -> int | None:
    cpu = host.get("cpu") or {}
    found = cpu.get("usable") or cpu.get("count")
    return found if isinstance(found, int) else None


def _core(host: Table) -> str | None:
    features = set(((host.get("cpu") or {}).get("features") or "").split())
    return next((name for name, wants in _CORES if features.issuperset(wants)), None)


def _effective(record: Table) -> dict[str, str]:
    """What counts in the end, the likeliest cause of other numbers first."""
    host = record.get("host") or {}
    cpu = host.get("cpu") or {}
    variables = host.get("variables") or {}
    environment = record.get("environment") or {}
    blas = environment.get("blas") or []
    found: dict[str, Any] = {
        "BLAS threads": _threads(variables, host, _blas_variables(blas)),
        "OpenMP threads": _threads(variables, host, ("OMP_NUM_THREADS",), capped=False),
        "CPU model": cpu.get("model"),
        "machine": host.get("machine"),
        "CPU features": cpu.get("features"),
        "processors": _usable(host),
        "BLAS": ", ".join(blas),
        "libc": host.get("libc"),
        "GPU": _gpu(host.get("gpu") or {}),
        "locale": next(
            (variables[n] for n in ("LC_ALL", "LC_NUMERIC", "LANG") if n in variables), "C"
        ),
        "time zone": host.get("time-zone"),
        "OS": host.get("os"),
        "kernel": host.get("kernel"),
    }
    if not host:
        return {}
    for name in _PINNED:
        if name not in _TOLD_OTHERWISE:
            found[name] = variables.get(name)
    return {name: str(value) for name, value in found.items() if value}


def _blas_variables(blas: list[str]) -> tuple[str, ...]:
    if any("mkl" in name for name in blas):
        return ("MKL_NUM_THREADS", "OMP_NUM_THREADS")
    return ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS")


def _threads(
    variables: Table, host: Table, names: tuple[str, ...], *, capped: bool = True
) -> int | None:
    """How many threads a library takes: what the first variable says, else one a processor."""
    usable = _usable(host)
    for name in names:
        text = str(variables.get(name, "")).partition(",")[0].strip()
        if text.isdigit() and int(text):
            return min(int(text), usable) if capped and usable else int(text)
    return usable


def _gpu(gpu: Table) -> str:
    return ", ".join(filter(None, (gpu.get("driver"), *gpu.get("models", ()))))


def _unlike(before: str | None, after: str | None) -> tuple[str | None, str | None]:
    """Of two lists of words, what only one of them has."""
    one, other = set((before or "").split()), set((after or "").split())
    pair = sorted(one - other), sorted(other - one)
    return " ".join(pair[0]) or None, " ".join(pair[1]) or None
