"""A snapshot service on loopback, with the real ones' paths, redirects and list of imports."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from support.index import Answer, LoopbackIndex
from support.tiny_archive import Files

_STATE = re.compile(r"/archive/([a-z-]+)/(\d{8}(?:T\d{6}Z)?)/(.*)")
_EVERY_INSTANT = re.compile(r"/every/([a-z-]+)/(\d{8}T\d{6}Z)/(.*)")
_LIVE = re.compile(r"/live/([a-z-]+)/(.*)")

_BINARY = re.compile(r"/mr/binary/([a-z0-9+.-]+)/(?:([^/]+)/binfiles)?")
_DEB = re.compile(r"([a-z0-9+.-]+)_([^_]+)_[a-z0-9]+\.deb")

Tampering = Callable[[bytes], bytes]


class SnapshotServer(LoopbackIndex):
    """Serves archives at their instants. Faults (``fail``, ``heal``) are those of the index.

    - ``/archive/NAME/TIMESTAMP/…``: a state; any other instant redirects to the newest import that
      is not later, an instant before all of them is not found
    - ``/every/NAME/TIMESTAMP/…``: the same without redirects (every instant has its own answer)
    - ``/live/NAME/…``: the newest state, as a mirror has it
    - ``/mr/timestamp/``: all imports
    - ``/mr/binary/NAME/``, ``/mr/binary/NAME/VERSION/binfiles``: what it knows of a package

    Args:
        states: archive → timestamp → files.
    """

    def __init__(self, states: Mapping[str, Mapping[str, Files]]) -> None:
        self.states = {name: dict(imports) for name, imports in states.items()}
        self._tamperings: list[tuple[str, Tampering]] = []
        self._delays: list[tuple[str, float]] = []
        self._empty: list[str] = []
        super().__init__("json")

    @property
    def template(self) -> str:
        """The address of a state."""
        return f"{self.base}/archive/{{archive}}/{{timestamp}}"

    @property
    def every(self) -> str:
        """The address of a state, without redirects."""
        return f"{self.base}/every/{{archive}}/{{timestamp}}"

    @property
    def live(self) -> str:
        """The address of the newest state."""
        return f"{self.base}/live/{{archive}}"

    def tamper(self, pattern: str, change: Tampering) -> None:
        """Serve what matches the glob with other bytes."""
        self._tamperings.append((pattern, change))

    def slow(self, pattern: str, seconds: float) -> None:
        """Wait before answering what matches."""
        self._delays.append((pattern, seconds))

    def busy(self, pattern: str, times: int) -> None:
        """Answer 503 without a body, so often."""
        self._empty += [pattern] * times

    def heal(self) -> None:
        """Forget every fault."""
        super().heal()
        self._tamperings.clear()
        self._delays.clear()
        self._empty.clear()

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer:
        """The response to a GET."""
        for pattern, seconds in self._delays:
            if fnmatch.fnmatchcase(path, pattern):
                time.sleep(seconds)
        for pattern in self._empty:
            if fnmatch.fnmatchcase(path, pattern):
                self._empty.remove(pattern)
                return Answer(status=503, headers={"Retry-After": "0"})
        answer = self._honest(path)
        for pattern, change in self._tamperings:
            if answer.status == 200 and fnmatch.fnmatchcase(path, pattern):
                answer = Answer(status=200, body=change(answer.body), headers=answer.headers)
        return answer

    def _honest(self, path: str) -> Answer:
        if path == "/mr/timestamp/":
            listed = {name: sorted(imports) for name, imports in self.states.items()}
            return _json({"_api": "0.3", "result": listed})
        if match := _BINARY.fullmatch(path):
            return self._binary(match[1], unquote(match[2]) if match[2] else None)
        if match := _STATE.fullmatch(path):
            name, asked, rest = match.groups()
            found = self._newest(name, asked)
            if found is None:
                return _MISSING
            if found != asked:
                return Answer(status=302, headers={"Location": f"/archive/{name}/{found}/{rest}"})
            return _file(self.states[name][found], rest)
        if match := _EVERY_INSTANT.fullmatch(path):
            found = self._newest(match[1], match[2])
            return _MISSING if found is None else _file(self.states[match[1]][found], match[3])
        if match := _LIVE.fullmatch(path):
            found = self._newest(match[1], "99999999T000000Z")
            return _MISSING if found is None else _file(self.states[match[1]][found], match[2])
        return _MISSING

    def _binary(self, name: str, version: str | None) -> Answer:
        """The versions of a package; the files of one of them, by digest."""
        first: dict[tuple[str, str], tuple[str, str]] = {}
        for archive, imports in self.states.items():
            for moment in sorted(imports):
                for path in imports[moment]:
                    match = _DEB.fullmatch(path.rpartition("/")[2])
                    if match and match[1] == name:
                        key = (match[2].replace("%3a", ":"), path)
                        first.setdefault(key, (archive, moment))
        if not first:
            return _MISSING
        if version is None:
            body: dict[str, object] = {
                "binary": name,
                "result": [
                    {"name": name, "binary_version": v, "source": name, "version": v}
                    for v in sorted({v for v, _ in first}, reverse=True)
                ],
            }
        else:
            info = {}
            for (found, path), (archive, moment) in first.items():
                if found == version:
                    digest = hashlib.sha1(path.encode(), usedforsecurity=False).hexdigest()
                    folder, _, file = path.rpartition("/")
                    info[digest] = [
                        {
                            "archive_name": archive,
                            "first_seen": moment,
                            "name": file,
                            "path": f"/{folder}",
                            "size": 1,
                        }
                    ]
            body = {
                "binary": name,
                "binary_version": version,
                "fileinfo": info,
                "result": [{"architecture": "amd64", "hash": digest} for digest in info],
            }
        return _json({"_api": "0.3", **body})

    def _newest(self, name: str, asked: str) -> str | None:
        limit = asked if "T" in asked else f"{asked}T000000Z"
        return max((t for t in self.states.get(name, {}) if t <= limit), default=None)


_MISSING = Answer(status=404, body=b"no such file\n")


def _json(body: object) -> Answer:
    headers = {"Content-Type": "application/json"}
    return Answer(status=200, body=json.dumps(body).encode(), headers=headers)


def _file(files: Files, path: str) -> Answer:
    if path not in files:
        return _MISSING
    headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
    return Answer(status=200, body=files[path], headers=headers)


def flip(offset: int, bit: int = 1) -> Tampering:
    """Change one bit of the byte at ``offset``."""

    def change(content: bytes) -> bytes:
        at = offset % len(content)
        return content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :]

    return change
