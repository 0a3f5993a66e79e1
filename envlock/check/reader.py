"""Reads files, but for those whose content is known since their stamp was the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from envlock.io.content.reading import Unread, Wanted, read_all


class Reader:
    """``said`` is what was read or known; ``failed`` whether something could not be read."""

    def __init__(self, known: dict[tuple[str, str], bytes]) -> None:
        self._known = known
        self.said: dict[tuple[str, str], bytes] = {}
        self.failed = False

    def read(self, wanted: Iterable[Wanted]) -> Mapping[tuple[str, str], bytes | Unread]:
        """(path, kind) → digest or head, or why there is none."""
        asked = list(wanted)
        answers: dict[tuple[str, str], bytes | Unread] = {}
        for one in asked:
            fact = self._known.get((one.path, one.kind))
            if fact is not None:
                answers[one.path, one.kind] = fact
        answers.update(read_all(one for one in asked if (one.path, one.kind) not in answers))
        for what, answer in answers.items():
            if isinstance(answer, Unread):
                self.failed = True
            else:
                self.said[what] = answer
        return answers
