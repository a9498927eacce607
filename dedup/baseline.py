"""Findings that were looked at and accepted: known the next time, and not reported again.

Takes a file that an earlier run wrote, gives verdicts without what is in it. A JSON object a line,
ordered, so that it can be kept beside the sources and a change reads as one:

    document       what was checked, by name
    fingerprint    of the passage and its source: see ``excerpt.fingerprint_of``
    source         the protected document, for people
    times          how often the passage stands in the document
    schema_version 1

What moves inside its document stays known; a further copy of a known passage is new, and so is a
known passage in another document, or found in another source.
"""

import json
import os
import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from dedup.excerpt import fingerprint_of
from dedup.policy import Policy, Verdict

__all__ = ["Accepted", "Baseline", "Census"]

_SCHEMA_VERSION: Final = 1
_RULE: Final = "baseline"


@dataclass(frozen=True, slots=True)
class _Line:
    document: str
    fingerprint: str
    source: str
    times: int
    schema_version: Literal[1]


class Accepted(NamedTuple):
    """A passage that was accepted: the protected document, and how often it may be there."""

    source: str
    times: int


@dataclass(frozen=True, slots=True)
class Baseline:
    """How often each passage was accepted in each document; pickles, and can be shared."""

    accepted: Mapping[str, Mapping[str, Accepted]]

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Baseline":
        """What ``Census.lines`` gave, from a file.

        Raises
        ------
        ValueError
            If it is something else; the message has the file and the line.
        OSError
            If it cannot be read.
        """
        import msgspec  # here, so that `import dedup` stays quick

        accepted: dict[str, dict[str, Accepted]] = {}
        with Path(path).open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    row = msgspec.json.decode(line, type=_Line)
                except ValueError as error:  # msgspec's are
                    raise ValueError(
                        f"{os.fspath(path)}: line {number}: not a line of a baseline of version "
                        f"{_SCHEMA_VERSION} ({error}); make one with --write-baseline"
                    ) from None
                found = accepted.setdefault(row.document, {})
                found[row.fingerprint] = Accepted(row.source, row.times)
        return cls(accepted)

    def accept(self, name: str, text: str, verdict: Verdict, policy: Policy) -> Verdict:
        """The verdict on the text without what was accepted in it before."""
        accepted = self.accepted.get(_key(name))
        if not accepted or not verdict.rulings:
            return verdict
        left = {fingerprint: known.times for fingerprint, known in accepted.items()}
        data = text.encode()
        is_known = [False] * len(verdict.rulings)
        order = sorted(enumerate(verdict.rulings), key=lambda item: item[1].match.query_span)
        for number, ruling in order:
            span = ruling.match.query_span
            fingerprint = fingerprint_of(ruling.match, data[span.start : span.end])
            if left.get(fingerprint, 0) > 0:
                left[fingerprint] -= 1
                is_known[number] = True
        return policy.accept(text, verdict, is_known)


class Census:
    """What a run found, beside what was accepted before; rows of reports pass through ``see``.

    Attributes
    ----------
    new, known : int
        Matches that count, and matches that the baseline has.
    """

    def __init__(self, baseline: Baseline | None = None) -> None:
        self.new = 0
        self.known = 0
        self._accepted = baseline.accepted if baseline else {}
        self._left: dict[str, int] = {}
        self._found: Counter[tuple[str, str, str]] = Counter()

    @property
    def gone(self) -> int:
        """Accepted matches that are not in the documents checked any more."""
        return sum(self._left.values())

    def see(self, row: Mapping[str, Any]) -> None:
        """Count a row, whose matches have fingerprints."""
        if row["action"] is None or row.get("error"):
            return
        name = _key(row["document"])
        known = [match for match in row["exempted"] if match["rule"] == _RULE]
        for match in [*row["matches"], *known]:
            self._found[name, match["fingerprint"], match["document"]] += 1
        self.new += len(row["matches"])
        self.known += len(known)
        if name in self._accepted:
            left = self._left.get(name, sum(one.times for one in self._accepted[name].values()))
            self._left[name] = max(0, left - len(known))

    def lines(self) -> Iterator[str]:
        """The baseline that accepts all that was found, new and known.

        What was accepted in documents that were not checked now stays so.
        """
        found = dict(self._found)
        for document, passages in self._accepted.items():
            if document not in self._left:
                for fingerprint, (source, times) in passages.items():
                    found[document, fingerprint, source] = times
        for (document, fingerprint, source), times in sorted(found.items()):
            row = {
                "document": document,
                "fingerprint": fingerprint,
                "source": source,
                "times": times,
                "schema_version": _SCHEMA_VERSION,
            }
            yield json.dumps(row) + "\n"


def _key(name: str) -> str:
    """The name of a document, whether or not it was given as ``./name``."""
    return posixpath.normpath(name)
