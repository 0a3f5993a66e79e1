"""Process Run Crate 0.5, a profile of RO-Crate 1.1.

A crate has a file for everything that is called a file in it. Inputs and outputs of a run are known
by digest, and are called so (``urn:sha256:…``) unless their bytes are put into the crate.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from envlock.runs.exports.material import Run, failed, identity
from envlock.runs.facts import fact_value

FILE = "ro-crate-metadata.json"
CRATE = "https://w3id.org/ro/crate/1.1"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_TERMS = "https://w3id.org/ro/terms/workflow-run/context"
_FORMATS = {
    "csv": "text/csv",
    "diff": "text/x-diff",
    "gz": "application/gzip",
    "h5": "application/x-hdf5",
    "html": "text/html",
    "ipynb": "application/x-ipynb+json",
    "jpg": "image/jpeg",
    "json": "application/json",
    "md": "text/markdown",
    "nc": "application/x-netcdf",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "png": "image/png",
    "py": "text/x-python",
    "r": "text/x-r",
    "svg": "image/svg+xml",
    "toml": "application/toml",
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "zip": "application/zip",
}
"""By what a name ends in; a table of its own, as a machine's may differ."""
_UNLICENSED = "not stated: ask the author"

Entity = dict[str, Any]
Content = Callable[[Mapping[str, Any]], bytes | None]


def crate(
    runs: Sequence[Run],
    *,
    title: str | None,
    license: str | None,
    author: str | None,
    content: Content,
) -> dict[str, bytes]:
    """The files of a crate: ``ro-crate-metadata.json`` and what it describes.

    Args:
        runs: what it is about, in order.
        title: its name; None: made from the runs.
        license: an address or a name; None says that none is stated.
        author: who ran it and makes the crate: an address as ORCID's, or a name.
        content: bytes of an input or output, by its entry in the record; None leaves them out.
    """
    made = _Crate()
    person = None if author is None else made.add(_person(author))
    for run in runs:
        made.add_run(run, content, person)
    root: Entity = {
        "@id": "./",
        "@type": "Dataset",
        "name": title or (runs[0].title if len(runs) == 1 else f"{len(runs)} runs"),
        "description": "What was run, in which environment, on what, with what result;"
        " recorded by envlock.",
        "datePublished": max(run.ended or run.record["started"] for run in runs)[:10],
        "license": license or _UNLICENSED,
        "conformsTo": {"@id": PROFILE},
        "hasPart": [{"@id": id_} for id_ in sorted(made.parts)],
        "mentions": [{"@id": f"#{run.id}"} for run in runs],
    }
    if license and "://" in license:
        root["license"] = made.add({"@id": license, "@type": "CreativeWork", "name": license})
    if person is not None:
        root["author"] = person
    descriptor = {
        "@id": FILE,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": CRATE},
    }
    made.add(
        {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    )
    rest = [made.entities[id_] for id_ in sorted(made.entities)]
    graph = [_compact(entity) for entity in (descriptor, root, *rest)]
    document = {"@context": [f"{CRATE}/context", _TERMS], "@graph": graph}
    text = json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    return {FILE: text.encode("utf-8", "backslashreplace"), **made.files}


class _Crate:
    """Entities by id, and the files among them."""

    def __init__(self) -> None:
        self.entities: dict[str, Entity] = {}
        self.files: dict[str, bytes] = {}
        self.parts: set[str] = set()

    def add(self, entity: Entity) -> dict[str, str]:
        """Take it in, once; a reference to it."""
        self.entities.setdefault(entity["@id"], entity)
        return {"@id": entity["@id"]}

    def add_run(self, run: Run, content: Content, person: dict[str, str] | None) -> None:
        """A run as an action, with all that it used and made."""
        record = run.record
        kept = {name: self._add_file(f"runs/{run.id}/{name}", told, data)
                for name, told, data in run.kept()}  # fmt: skip
        software = self._software(run, kept.get("pylock.toml"))
        used = [self._data(fact, content) for fact in run.files("inputs")]
        used += [ref for name, ref in kept.items() if name not in ("metrics.json",)]
        used += self._code(record)
        used += self._values(run, "parameter", _parameters(record))
        made = [self._data(fact, content) for fact in run.files("outputs")]
        files_made = bool(made)
        made += [kept["metrics.json"]] if "metrics.json" in kept else []
        made += self._values(run, "metric", record.get("metrics") or {})
        variables = (record.get("host") or {}).get("variables") or {}
        problem = failed(record)
        action: Entity = {
            "@id": f"#{run.id}",
            "@type": "CreateAction" if files_made or made else "ActivateAction",
            "name": run.title,
            "description": run.command,
            "startTime": _time(record["started"]),
            "endTime": _time(run.ended),
            "instrument": software,
            "agent": person,
            "object": used,
            "result": made,
            "environment": self._values(run, "variable", variables),
            "actionStatus": f"http://schema.org/{'Failed' if problem else 'Completed'}ActionStatus",
            "error": problem,
        }
        self.add({key: value for key, value in action.items() if value not in (None, [])})

    def _add_file(self, name: str, told: str, data: bytes) -> dict[str, str]:
        id_ = quote(name)
        self.files[name] = data
        self.parts.add(id_)
        return self.add(
            {
                "@id": id_,
                "@type": "File",
                "name": told,
                "contentSize": str(len(data)),
                "encodingFormat": _format(name),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
        )

    def _software(self, run: Run, lock: dict[str, str] | None) -> dict[str, str]:
        name, version = run.program
        environment = run.record.get("environment-hash")
        told = {
            "@id": "#" + quote("-".join(filter(None, ("program", name, version, environment)))),
            "@type": "SoftwareApplication",
            "name": name,
            "url": "https://www.python.org/" if name.startswith("python") else None,
            "softwareVersion": version,
            "identifier": environment,
            "softwareRequirements": lock,
        }
        return self.add({key: value for key, value in told.items() if value is not None})

    def _data(self, fact: Mapping[str, Any], content: Content) -> dict[str, str]:
        folder = fact.get("kind") == "folder"
        entity: Entity = {
            "@id": f"urn:sha256:{fact['sha256']}#{identity(fact)}",
            "@type": "Dataset" if folder else "File",
            "name": fact["path"],
            "sha256": fact["sha256"],
            **({} if folder else {"encodingFormat": _format(fact["path"])}),
        }
        if "size" in fact:
            entity["contentSize"] = str(fact["size"])
        data = None if folder else content(fact)
        if data is not None:
            base = fact["path"].rpartition("/")[2]
            name = f"data/{identity(fact)}/{'file' if base in ('', '.', '..') else base}"
            self.files[name] = data
            entity |= {"@id": quote(name), "alternateName": fact["path"]}
        self.parts.add(entity["@id"])
        return self.add(entity)

    def _code(self, record: Mapping[str, Any]) -> Iterator[dict[str, str]]:
        code = record.get("code") or {}
        if not code.get("commit"):
            return
        yield self.add(
            {
                "@id": code.get("swhid") or f"#commit-{code['commit']}",
                "@type": "SoftwareSourceCode",
                "name": f"the code at commit {code['commit']}",
                "version": code["commit"],
            }
        )

    def _values(self, run: Run, kind: str, values: Mapping[str, Any]) -> list[dict[str, str]]:
        return [
            self.add(
                {
                    "@id": f"#{run.id}-{kind}-{quote(name, safe='')}",
                    "@type": "PropertyValue",
                    "name": name,
                    "value": value if _is_plain(value) else fact_value(value),
                }
            )
            for name, value in sorted(values.items())
        ]


def _parameters(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one["value"] for name, one in (record.get("parameters") or {}).items()}


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _person(author: str) -> Entity:
    if "://" in author:
        return {"@id": author, "@type": "Person", "name": author}
    return {"@id": f"#{quote(author)}", "@type": "Person", "name": author}


def _time(text: str | None) -> str | None:
    """To milliseconds and with an offset in digits, as the profile's validator wants it."""
    return None if text is None else f"{text[:23]}+00:00"


def _compact(entity: Entity) -> Entity:
    """A list of one is that one, as RO-Crate recommends."""
    return {k: v[0] if isinstance(v, list) and len(v) == 1 else v for k, v in entity.items()}


def _format(name: str) -> str:
    return _FORMATS.get(name.rpartition(".")[2].lower(), "application/octet-stream")
