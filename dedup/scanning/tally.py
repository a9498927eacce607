"""Tally: what a scan has counted; of its parts it is the sum."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from dedup.document import SourceNote
from dedup.scanning.row import Row

__all__ = ["Tally"]


@dataclass(slots=True)
class Tally:
    """Counts of rows.

    Attributes
    ----------
    documents, bytes : int
        Those that were judged, and their UTF-8.
    problems : int
        Rows that have an error and no action.
    noted : int
        Documents of which some code did not parse.
    matches : int
        Those that count.
    actions : Counter of str
        Documents by action.
    corpora, licences : Counter of str
        Documents in which something of such a corpus, under such a licence, was found.
    left_out : dict of Counter
        By source and kind, files that are no text.
    decoded : dict of Counter
        By source and encoding, files that are no UTF-8.
    """

    documents: int = 0
    bytes: int = 0
    problems: int = 0
    noted: int = 0
    matches: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    corpora: Counter[str] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, Counter[str]] = field(default_factory=dict)
    decoded: dict[str, Counter[str]] = field(default_factory=dict)

    def see(self, row: Row) -> None:
        """Count a row."""
        if row["action"] is None:
            self.problems += 1
            return
        self.documents += 1
        self.bytes += row["bytes"]
        self.noted += bool(row["note"])
        self.actions[row["action"]] += 1
        if matches := row["matches"]:
            self.matches += len(matches)
            self.corpora.update({match["corpus"] for match in matches})
            self.licences.update({match["licence"] for match in matches})

    def note(self, note: SourceNote) -> None:
        """Count what is told of a source."""
        for counts, more in ((self.left_out, note.left_out), (self.decoded, note.decoded)):
            if more:
                counts.setdefault(note.name, Counter()).update(more)

    def plus(self, other: "Tally") -> "Tally":
        """The counts of both."""
        return Tally(
            documents=self.documents + other.documents,
            bytes=self.bytes + other.bytes,
            problems=self.problems + other.problems,
            noted=self.noted + other.noted,
            matches=self.matches + other.matches,
            actions=self.actions + other.actions,
            corpora=self.corpora + other.corpora,
            licences=self.licences + other.licences,
            left_out=_sums(self.left_out, other.left_out),
            decoded=_sums(self.decoded, other.decoded),
        )

    def to_dict(self) -> dict[str, Any]:
        """The counts as plain JSON types."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Tally":
        """Those of ``to_dict``."""
        tally = cls(**{one.name: data[one.name] for one in fields(cls)})
        tally.actions = Counter(tally.actions)
        tally.corpora = Counter(tally.corpora)
        tally.licences = Counter(tally.licences)
        tally.left_out = _sums(tally.left_out, {})
        tally.decoded = _sums(tally.decoded, {})
        return tally

    @property
    def notes(self) -> list[SourceNote]:
        """What is told of each source, in the order they came."""
        return [
            SourceNote(name, _sorted(self.left_out.get(name)), _sorted(self.decoded.get(name)))
            for name in dict.fromkeys([*self.left_out, *self.decoded])
        ]


def _sums(
    ones: Mapping[str, Mapping[str, int]], others: Mapping[str, Mapping[str, int]]
) -> dict[str, Counter[str]]:
    sums = {name: Counter(counts) for name, counts in ones.items()}
    for name, counts in others.items():
        sums.setdefault(name, Counter()).update(counts)
    return sums


def _sorted(counts: Mapping[str, int] | None) -> dict[str, int]:
    return dict(sorted((counts or {}).items()))
