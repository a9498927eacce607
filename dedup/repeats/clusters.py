"""Clusters: documents that resemble each other, verified pair by pair.

Takes the band keys of all documents. Documents that share a bucket of a band are candidates; of
each pair of candidates the exact Jaccard similarity decides, never its estimate. Pairs at or above
the threshold join their documents (union-find), so a member resembles some other member of its
cluster, mostly but not always its first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dedup import _core
from dedup.repeats.blocks import Block, Corpus, Texts
from dedup.repeats.prints import Buckets, bucket_slices
from dedup.repeats.settings import Settings
from dedup.repeats.work import Arrays, Result, Stages

__all__ = ["Clusters", "find_clusters"]

# Of a bucket up to this size every pair is compared. Of a larger one, which is of copies or of
# texts that differ in little, each document with the first and the one before: pairs grow by the
# square, and the other bands pair it with others.
_MAX_ALL_PAIRS: Final = 24
# The texts whose sets of shingles are in memory at once.
_BATCH_BYTES: Final = 64 << 20
_BATCH_PAIRS: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Clusters:
    """Documents by number, cluster by cluster.

    Attributes
    ----------
    members : uint64 array
        Cluster c is the members from ``starts[c]`` up to ``starts[c + 1]``, in the order of the
        corpus. The largest cluster is first.
    jaccards : float64 array
        Of each member to the first of its cluster.
    starts : int64 array
    """

    members: NDArray[np.uint64]
    jaccards: NDArray[np.float64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def dropped(self, max_copies: int) -> NDArray[np.uint64]:
        """The members behind the first so many of their cluster, by number."""
        sizes = np.diff(self.starts)
        rank = np.arange(len(self.members)) - self.starts[:-1].repeat(sizes)
        return np.sort(self.members[rank >= max_copies])


def find_clusters(stages: Stages, corpus: Corpus, buckets: Buckets, settings: Settings) -> Clusters:
    """The clusters of two documents and more."""
    names = [block.name for block in corpus.blocks]
    stages.run("pair", partial(_Pairer, stages.arrays, names), range(buckets.keys))
    found = [stages.arrays.load(f"pairs-{bucket}", "pairs") for bucket in range(buckets.keys)]
    pairs = np.unique(np.concatenate(found), axis=0)
    jaccards = _compare(stages, "compare", corpus, pairs, settings)
    members, heads = _unite(pairs[jaccards >= settings.threshold])
    compared = _compare(
        stages, "compare-first", corpus, np.stack([heads, members], axis=1), settings
    )
    # The largest cluster first, then the one that begins first.
    _, cluster, sizes = np.unique(heads, return_inverse=True, return_counts=True)
    order = np.lexsort((members, heads, -sizes[cluster]))
    is_first = (members == heads)[order]
    starts = np.append(np.flatnonzero(is_first), len(members))
    return Clusters(members[order], compared[order], starts)


class _Pairer:
    """Finds the candidates of one bucket of band keys."""

    def __init__(self, arrays: Arrays, names: list[str]) -> None:
        self._arrays = arrays
        self._names = names

    def __call__(self, bucket: int) -> Result:
        (keys, holders), _ = bucket_slices(
            self._arrays, self._names, bucket, "keys_by", "keys", "holders"
        )
        members, starts = _core.equal_groups(keys)
        pairs = _pairs(holders[members], starts.astype(np.int64))
        self._arrays.save(f"pairs-{bucket}", pairs=np.unique(pairs, axis=0))
        return {}


def _pairs(members: NDArray[np.uint64], starts: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The pairs of each group that are to be compared, the earlier document first."""
    sizes = np.diff(starts)
    found = [np.empty((0, 2), np.uint64)]
    # Groups of one size at a time, each a row.
    for size in np.unique(sizes[sizes <= _MAX_ALL_PAIRS]).tolist():
        rows = members[starts[:-1][sizes == size][:, None] + np.arange(size)]
        left, right = np.triu_indices(size, 1)
        found.append(np.stack([rows[:, left].ravel(), rows[:, right].ravel()], axis=1))
    for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        if end - start > _MAX_ALL_PAIRS:
            group = members[start:end]
            heads = np.full(len(group) - 1, group[0])
            found.append(np.stack([heads, group[1:]], axis=1))
            found.append(np.stack([group[:-1], group[1:]], axis=1))
    return np.concatenate(found)


def _compare(
    stages: Stages, stage: str, corpus: Corpus, pairs: NDArray[np.uint64], settings: Settings
) -> NDArray[np.float64]:
    """The exact Jaccard similarity of each pair of documents."""
    none = np.empty(0, np.uint64)
    arrays = stages.arrays
    sizes = [np.diff(arrays.load(block.name, "offsets")) for block in corpus.blocks]
    contents = [arrays.load(block.name, "contents") for block in corpus.blocks]
    # Copies word by word are compared as the first of them.
    _, first, inverse = np.unique(
        np.concatenate([none, *contents]), return_index=True, return_inverse=True
    )
    originals, asked = np.unique(
        first.astype(np.uint64)[inverse][pairs], axis=0, return_inverse=True
    )
    is_alike = originals[:, 0] == originals[:, 1]
    different = originals[~is_alike]
    arrays.save(stage, pairs=different)
    ranges = list(_batches(np.concatenate([none, *sizes])[different].sum(axis=1)))
    make = partial(_Comparer, arrays, stage, corpus.blocks, settings.shingle_size)
    stages.run(stage, make, ranges)
    jaccards = np.ones(len(originals))
    jaccards[~is_alike] = np.concatenate(
        [np.empty(0), *(arrays.load(f"{stage}-{start}", "jaccards") for start, _ in ranges)]
    )
    return jaccards[asked.reshape(-1)]


def _batches(sizes: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Ranges of pairs of which each has at most so many bytes, or one pair."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = int(ends[start - 1]) if start else 0
        end = int(np.searchsorted(ends, before + _BATCH_BYTES, "right"))
        end = min(max(end, start + 1), start + _BATCH_PAIRS)
        yield start, end
        start = end


class _Comparer:
    """Compares a range of pairs."""

    def __init__(
        self, arrays: Arrays, stage: str, blocks: Sequence[Block], shingle_size: int
    ) -> None:
        self._arrays = arrays
        self._stage = stage
        self._texts = Texts(arrays, blocks)
        self._shingle_size = shingle_size

    def __call__(self, bounds: tuple[int, int]) -> Result:
        start, end = bounds
        pairs = self._arrays.load(self._stage, "pairs")[start:end]
        numbers, inverse = np.unique(pairs, return_inverse=True)
        sides = inverse.reshape(pairs.shape).astype(np.uint32)
        jaccards = _core.jaccards(
            [self._texts.slice(number) for number in numbers.tolist()],
            np.ascontiguousarray(sides[:, 0]),
            np.ascontiguousarray(sides[:, 1]),
            self._shingle_size,
        )
        self._arrays.save(f"{self._stage}-{start}", jaccards=jaccards)
        return {}


def _unite(pairs: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The documents of the pairs by cluster, and beside each the first of its cluster."""
    numbers, inverse = np.unique(pairs, return_inverse=True)
    parents = list(range(len(numbers)))

    def find(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    left, right = inverse.reshape(-1, 2).T.tolist()
    for sides in zip(left, right, strict=True):
        one, two = map(find, sides)
        if one != two:
            parents[max(one, two)] = min(one, two)
    heads = numbers[np.array([find(number) for number in parents], np.int64)]
    order = np.lexsort((numbers, heads))
    return numbers[order], heads[order]
