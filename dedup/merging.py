"""Which segments of an index become one: few, large ones are searched quickly.

Only segments of one key can be merged, and only as far as one file holds their tokens.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from dedup import _core
from dedup.manifest import Entry
from dedup.tombstones import Tombstones, is_dead, tombstones, united

__all__ = ["Part", "all_runs", "due"]

# A query probes every segment, so a commit that leaves more of one key merges the newest ones.
_MAX_SEGMENTS: Final = 8

# Of one view of a segment: positions have 32 bits, and the core keeps some for itself.
_MAX_TOKENS: Final = 2**32 - 16


@dataclass(eq=False)
class Part:
    """A segment, committed or not, and which of its documents are gone since it was."""

    entry: Entry
    segment: _core.Segment
    gone: set[int] = field(default_factory=set)

    def has(self, document: int) -> bool:
        """Whether the document is not gone."""
        return document not in self.gone and not is_dead(self.entry.dead, document)

    def as_of_now(self) -> Entry:
        """The entry that a commit would make of it."""
        return self.entry.without(tombstones(self.gone))

    def dead_on(self, day: int) -> Tombstones:
        """What is gone by now, and what has expired by a day."""
        return united(self.as_of_now().dead, tombstones(self.segment.expired(day)))

    def living_on(self, day: int) -> int:
        """How many documents are neither."""
        return replace(self.entry, dead=self.dead_on(day)).living


def due(parts: list[Part], day: int, added: int) -> list[list[Part]]:
    """What a commit makes one: the newest of many, and by itself what is more than half dead.

    The last `added` parts came with it. If many did, it was a long one, and a merge now spares a
    short commit from having to make it.
    """
    runs = []
    for group in _by_key(parts):
        is_due = len(group) > _MAX_SEGMENTS or (added > _MAX_SEGMENTS // 2 and len(group) > 1)
        start = _tail_start(group) if is_due else len(group)
        mostly_dead = (p for p in group[:start] if p.living_on(day) * 2 < p.entry.documents)
        runs += [[part] for part in mostly_dead]
        if start < len(group):
            runs.append(group[start:])
    return runs


def all_runs(parts: list[Part], day: int) -> list[list[Part]]:
    """All segments of each key, but for those that are one already with nothing dead in it."""
    runs = (run for group in _by_key(parts) for run in _cut(group))
    return [run for run in runs if len(run) > 1 or run[0].dead_on(day)]


def _by_key(parts: list[Part]) -> list[list[Part]]:
    groups: dict[int, list[Part]] = defaultdict(list)
    for part in parts:
        groups[part.entry.key_id].append(part)
    return list(groups.values())


def _cut(parts: list[Part]) -> Iterator[list[Part]]:
    """The segments of one key, cut where one file could not hold the tokens."""
    run: list[Part] = []
    for part in parts:
        if run and not _fit_in_one([*run, part]):
            yield run
            run = []
        run.append(part)
    if run:
        yield run


def _tail_start(parts: list[Part]) -> int:
    """Where the newest segments begin that together outweigh the next older one.

    Merging them keeps sizes roughly doubling from newest to oldest, so a document is rewritten
    O(log n) times over the life of an index of n commits.
    """
    sizes = [part.entry.bytes for part in parts]
    start = len(parts) - 1
    while start > 0 and _fit_in_one(parts[start - 1 :]):
        if start < len(parts) - 1 and sizes[start - 1] >= 2 * sum(sizes[start:]):
            break
        start -= 1
    return start if start < len(parts) - 1 else len(parts)


def _fit_in_one(parts: list[Part]) -> bool:
    tokens = [part.segment.tokens for part in parts]
    return all(sum(views) <= _MAX_TOKENS for views in zip(*tokens, strict=True))
