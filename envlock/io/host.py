"""What this machine is, as far as results can depend on it; read from files, nothing is started."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

VARIABLES = (
    "BLIS_NUM_THREADS", "CONDA_DEFAULT_ENV", "CONDA_PREFIX", "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_VISIBLE_DEVICES", "GOMP_CPU_AFFINITY", "GOTO_NUM_THREADS", "HIP_VISIBLE_DEVICES",
    "JULIA_NUM_THREADS", "KMP_AFFINITY", "KMP_BLOCKTIME", "LANG", "LANGUAGE", "LC_ALL",
    "LC_COLLATE", "LC_CTYPE", "LC_NUMERIC", "LC_TIME", "LD_LIBRARY_PATH", "LD_PRELOAD",
    "MALLOC_ARENA_MAX", "MKL_CBWR", "MKL_DYNAMIC", "MKL_NUM_THREADS", "MKL_THREADING_LAYER",
    "NUMBA_NUM_THREADS", "NUMEXPR_MAX_THREADS", "NUMEXPR_NUM_THREADS", "NVIDIA_TF32_OVERRIDE",
    "OMP_DYNAMIC", "OMP_NUM_THREADS", "OMP_PLACES", "OMP_PROC_BIND", "OMP_SCHEDULE",
    "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "PATH", "POLARS_MAX_THREADS", "PYTHONHASHSEED",
    "PYTHONHOME", "PYTHONOPTIMIZE", "PYTHONPATH", "PYTHONUTF8", "RAYON_NUM_THREADS", "R_HOME",
    "R_LIBS", "R_LIBS_USER", "SOURCE_DATE_EPOCH", "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS", "TMPDIR", "TZ", "VECLIB_MAXIMUM_THREADS", "VIRTUAL_ENV",
)  # fmt: skip
"""The variables that are written down, where they are set; no other one is."""

SCHEDULER = (
    "AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ID", "CI", "CI_JOB_ID", "FLUX_JOB_ID",
    "FLUX_JOB_SIZE", "FLUX_TASK_LOCAL_ID", "FLUX_TASK_RANK", "GITHUB_RUN_ID", "GROUP_RANK",
    "JOB_ID", "JSM_NAMESPACE_LOCAL_RANK", "JSM_NAMESPACE_RANK", "JSM_NAMESPACE_SIZE",
    "LOCAL_RANK", "LOCAL_WORLD_SIZE", "LSB_JOBID", "LSB_JOBINDEX", "LSF_PM_TASKID",
    "MPI_LOCALNRANKS", "MPI_LOCALRANKID", "MV2_COMM_WORLD_LOCAL_RANK", "MV2_COMM_WORLD_RANK",
    "MV2_COMM_WORLD_SIZE", "OAR_JOB_ID", "OMPI_COMM_WORLD_LOCAL_RANK",
    "OMPI_COMM_WORLD_LOCAL_SIZE", "OMPI_COMM_WORLD_NODE_RANK", "OMPI_COMM_WORLD_RANK",
    "OMPI_COMM_WORLD_SIZE", "PALS_APID", "PALS_LOCAL_RANKID", "PALS_RANKID", "PBS_ARRAY_INDEX",
    "PBS_JOBID", "PBS_NODENUM", "PMIX_NAMESPACE", "PMIX_RANK", "PMI_LOCAL_RANK",
    "PMI_LOCAL_SIZE", "PMI_RANK", "PMI_SIZE", "RANK", "SGE_TASK_ID", "SLURM_ARRAY_JOB_ID",
    "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_ID", "SLURM_CLUSTER_NAME",
    "SLURM_CPUS_PER_TASK", "SLURM_JOB_ID", "SLURM_JOB_NODELIST", "SLURM_JOB_NUM_NODES",
    "SLURM_JOB_PARTITION", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_NTASKS", "SLURM_PROCID",
    "SLURM_RESTART_COUNT", "SLURM_STEP_ID", "TORCHELASTIC_RUN_ID", "WORLD_SIZE",
)  # fmt: skip
"""What tells which job, task or rank of a batch system or MPI a run was."""

_LIMITS = ("AS", "CORE", "CPU", "DATA", "FSIZE", "MEMLOCK", "NOFILE", "NPROC", "STACK")
_HEAD = 8192


def host_facts(environment: Mapping[str, str]) -> dict[str, Any]:
    """For the record; what this system does not tell is left out."""
    system = os.uname()
    facts: dict[str, Any] = {
        "container": _container(environment),
        "cpu": _cpu(),
        "hostname": system.nodename,
        "kernel": f"{system.sysname} {system.release} {system.version}",
        "libc": _libc(),
        "limits": _limits(),
        "machine": system.machine,
        "memory": _memory(),
        "os": _os(),
        "scheduler": _chosen(environment, SCHEDULER),
        "time-zone": _time_zone(environment),
        "variables": _chosen(environment, VARIABLES),
        "gpu": _gpu(),
    }
    return {key: value for key, value in facts.items() if value not in (None, {}, [])}


def boot_id() -> str | None:
    """What tells this start of this machine from any other."""
    return _head("/proc/sys/kernel/random/boot_id").strip() or None


def start_of(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; with its id, that is never given twice."""
    text = _head(f"/proc/{pid}/stat")
    fields = text.rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 else None


def _chosen(environment: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: environment[name] for name in names if environment.get(name)}


def _head(path: str) -> str:
    # /proc is made while it is read: on a machine of 256 processors its cpuinfo is long.
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(handle, _HEAD).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(handle)


def _cpu() -> dict[str, Any]:
    fields: dict[str, str] = {}
    for line in _head("/proc/cpuinfo").split("\n\n")[0].splitlines():
        name, _, value = line.partition(":")
        fields[name.strip()] = value.strip()
    flags = fields.get("flags") or fields.get("Features") or ""
    facts: dict[str, Any] = {
        "count": os.cpu_count(),
        "usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "model": fields.get("model name") or fields.get("CPU part"),
        "features": " ".join(sorted(flags.split())),
        "microcode": fields.get("microcode"),
    }
    return {key: value for key, value in facts.items() if value}


def _libc() -> str | None:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError, AttributeError):
        return None


def _limits() -> dict[str, int | None]:
    """Soft limits; None is none."""
    import resource

    found: dict[str, int | None] = {}
    for name in _LIMITS:
        number = getattr(resource, f"RLIMIT_{name}", None)
        if number is not None:
            soft = resource.getrlimit(number)[0]
            found[name.lower()] = None if soft == resource.RLIM_INFINITY else soft
    for name, path in (("cgroup-cpu", "cpu.max"), ("cgroup-memory", "memory.max")):
        value = _head(f"/sys/fs/cgroup/{path}").split()
        if value and value[0].isdigit():
            amount = int(value[0])
            found[name] = amount * 1000 // int(value[1]) if name == "cgroup-cpu" else amount
    return found


def _memory() -> int | None:
    for line in _head("/proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return None


def _os() -> str | None:
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        for line in _head(path).splitlines():
            if line.startswith("PRETTY_NAME="):
                return line.partition("=")[2].strip("\"'")
    return None if sys.platform == "linux" else sys.platform


def _container(environment: Mapping[str, str]) -> str | None:
    if os.path.exists("/.dockerenv"):
        return "docker"
    if os.path.exists("/run/.containerenv"):
        return "podman"
    for name in ("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER"):
        if environment.get(name):
            return f"apptainer {environment[name]}"
    return environment.get("container") or None


def _time_zone(environment: Mapping[str, str]) -> str | None:
    if environment.get("TZ"):
        return environment["TZ"]
    try:
        return os.readlink("/etc/localtime").partition("zoneinfo/")[2] or None
    except OSError:
        return None


def _gpu() -> dict[str, Any] | None:
    """NVIDIA's driver and devices, as its kernel module says; None where there is none."""
    version = _head("/proc/driver/nvidia/version").splitlines()
    if not version:
        return None
    folder = "/proc/driver/nvidia/gpus"
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    models = [
        line.partition(":")[2].strip()
        for name in names
        for line in _head(f"{folder}/{name}/information").splitlines()
        if line.startswith("Model:")
    ]
    return {"driver": version[0].partition(":")[2].strip(), "models": models}
