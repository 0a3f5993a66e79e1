"""The files of ``envlock export docker``."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from importlib import resources
from typing import Any

from envlock.errors import UsageError
from envlock.export.docker.plan import Plan, plan
from envlock.export.docker.text import (
    dockerfile_string,
    image,
    line,
    word,
)
from envlock.export.exporter import FileTree
from envlock.export.labels import labels
from envlock.export.templates import render
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.provider import locked_python
from envlock.lock.target import Target

FOLDER = "docker/lock"
"""Where everything lies that the build reads; the Dockerfile mounts and copies it by this name."""

_TEXTS = {
    ".devcontainer/devcontainer.json": "devcontainer.json",
    ".dockerignore": "dockerignore",
    "Dockerfile": "Dockerfile",
    "apptainer.def": "apptainer.def",
    "compose.yaml": "compose.yaml",
}
_SCRIPTS = ("build.py", "os-packages.sh", "standalone.sh", "verify.py")
_SHARED = ("build_wheel.py", "own_project.py")
_LISTS = ("os-build-packages.txt", "os-packages.txt", "standalone.txt")
_FILTERS = {
    "dockerfile": dockerfile_string,
    "image": image,
    "label": line,
    "shell": lambda text: shlex.quote(line(text)),
    "word": word,
}


class DockerExporter:
    """``envlock.exporters: docker``."""

    name = "docker"

    def export(self, lock: Lock, target: Target | None = None) -> FileTree:
        """See ``Exporter.export``. Without a target: for every Linux platform of the lock.

        Raises:
            UsageError: the lock has neither a base image nor OS packages, or holds what no image
                can be built of.
        """
        if lock.image is None and lock.os is None:
            raise UsageError(
                "the lock has neither a base image nor OS packages",
                remedy="name one in pyproject.toml and run `envlock lock`:\n"
                f'[tool.envlock.image]\nbase = "python:{max(lock.targets).series}-slim"',
            )
        made = plan(lock, target)
        values = _values(lock, made)
        files = {
            path: render(f"docker/{name}", _FILTERS, **values) for path, name in _TEXTS.items()
        }
        files |= {
            f"{FOLDER}/requirements-{machine.name}.txt": render(
                "docker/requirements.txt",
                _FILTERS,
                **values,
                machine=machine,
                python=locked_python(lock, machine.target),
            )
            for machine in made.machines
        }
        files |= {
            f"{FOLDER}/builds-{machine.name}.json": _json(machine.packages.as_json())
            for machine in made.machines
        }
        files |= {f"{FOLDER}/{name}": _script(name) for name in _SCRIPTS}
        files |= {f"{FOLDER}/{name}": _script(name, "envlock.export") for name in _SHARED}
        # Empty ones, too: a list of an older lock must not stay.
        files |= {
            f"{FOLDER}/{name}": render(f"docker/{name}", _FILTERS, **values) for name in _LISTS
        }
        return files


def _values(lock: Lock, made: Plan) -> dict[str, Any]:
    index, *more = made.indexes or ("",)
    return {
        "as_of": f"{lock.as_of:%Y-%m-%dT%H:%M:%SZ}",
        "environment": environment_hash(lock).root,
        "epoch": int(lock.as_of.timestamp()),
        "image": None if lock.image is None else lock.image.pinned,
        "index": index,
        "labels": labels(lock),
        "more_indexes": " ".join(word(one) for one in more),
        "plan": made,
        "targets": [machine.target.key for machine in made.machines],
    }


def _json(value: Mapping[str, object]) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def _script(name: str, package: str = f"{__package__}.files") -> bytes:
    return resources.files(package).joinpath(name).read_bytes()
