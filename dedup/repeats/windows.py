"""Windows: which runs of ``min_tokens`` words come again, each at all of its places.

Takes the anchors of all blocks. A window whose anchor occurs once in the corpus occurs once. The
others are hashed, and grouped by their hash: those of a group of two and more repeat, and these are
all that do. (Two that differ and have one 64-bit hash would be taken for one: a chance of one in a
thousand in 10^8 windows.) Leaves

    repeated-BUCKET   anchors that repeat, the windows they are of, by block
    BLOCK.window_*    windows that may repeat, by bucket of their hash
    groups-BUCKET     windows that do: ``at``, ``flags``, ``group`` by block (where ``by`` says), and
                      of each group ``counts``, ``shapes`` and its places, ``members`` from
                      ``starts`` on
"""

from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dedup import _core
from dedup.repeats.blocks import Block, Corpus, texts_of
from dedup.repeats.prints import Buckets, bucket_slices
from dedup.repeats.settings import Settings
from dedup.repeats.work import Arrays, Result, Stages

__all__ = ["CUT", "PLACE_BITS", "block_slices", "find_windows"]

# Windows grouped at once: 100 MB of memory.
_BUCKET_WINDOWS: Final = 2_000_000

# Of an occurrence, as csrc/repeats.h has them; the last is ours: it is one too many.
_SAME_BEFORE: Final = 1
_SAME_AFTER: Final = 2
_FIRST: Final = 4
CUT: Final = 8

# A place in the corpus is a block and, in so many low bits, a token of it.
PLACE_BITS: Final = 32

# Makes the order of the distances count in their sum.
_STEP: Final = np.uint64(0x9E3779B97F4A7C15)


def find_windows(
    stages: Stages,
    corpus: Corpus,
    buckets: Buckets,
    settings: Settings,
    dropped: NDArray[np.uint64],
) -> int:
    """Group all windows that repeat; the places in dropped documents use up no copies.

    Returns
    -------
    int
        How many buckets there are of groups.
    """
    arrays, blocks = stages.arrays, corpus.blocks
    names = [block.name for block in blocks]
    found = stages.run("join", partial(_AnchorJoiner, arrays, names), range(buckets.anchors))
    windows = sum(result["windows"] for result in found)
    group_buckets = 1 + windows // _BUCKET_WINDOWS
    arrays.save("dropped", documents=dropped)
    make = partial(_WindowFinder, arrays, buckets.anchors, group_buckets, settings)
    stages.run("window", make, blocks)
    grouper = partial(_WindowGrouper, arrays, names, settings.max_copies)
    stages.run("group", grouper, range(group_buckets))
    return group_buckets


def block_slices(
    arrays: Arrays, name: str, block: int, *keys: str
) -> list[NDArray[Any]]:
    """What of the arrays of a bucket is of one block."""
    start, end = arrays.load(name, "by")[block : block + 2].tolist()
    return [arrays.load(name, key)[start:end] for key in keys]


class _AnchorJoiner:
    """Finds which anchors of one bucket repeat."""

    def __init__(self, arrays: Arrays, names: list[str]) -> None:
        self._arrays = arrays
        self._names = names

    def __call__(self, bucket: int) -> Result:
        (anchors, starts, windows), sizes = bucket_slices(
            self._arrays, self._names, bucket, "anchors_by", "anchors", "starts", "windows"
        )
        members, _ = _core.equal_groups(anchors)
        is_repeated = np.zeros(len(anchors), np.bool_)
        is_repeated[members] = True
        repeated = windows[is_repeated]
        self._arrays.save(
            f"repeated-{bucket}",
            starts=starts[is_repeated],
            windows=repeated,
            by=_by_block(sizes, is_repeated),
        )
        return {"windows": int(repeated.sum(dtype=np.uint64))}


class _WindowFinder:
    """Hashes the windows of one block that may repeat."""

    def __init__(
        self, arrays: Arrays, anchor_buckets: int, group_buckets: int, settings: Settings
    ) -> None:
        self._arrays = arrays
        self._anchor_buckets = anchor_buckets
        self._group_buckets = group_buckets
        self._settings = settings

    def __call__(self, block: Block) -> Result:
        parts = [
            block_slices(self._arrays, f"repeated-{bucket}", block.number, "starts", "windows")
            for bucket in range(self._anchor_buckets)
        ]
        starts = np.concatenate([part[0] for part in parts])
        counts = np.concatenate([part[1] for part in parts])
        order = np.argsort(starts)
        tokens = self._arrays.load(block.name, "tokens")
        hashes, at, before, after = _core.find_windows(
            *texts_of(self._arrays, block),
            tokens,
            starts[order],
            counts[order],
            self._settings.min_tokens,
        )
        order, by = _core.bucket_groups(hashes, self._group_buckets)
        self._arrays.save(
            block.name,
            window_hashes=hashes[order],
            window_at=at[order],
            window_before=before[order],
            window_after=after[order],
            window_dropped=self._is_dropped(block, tokens, at)[order],
            windows_by=by,
        )
        return {}

    def _is_dropped(
        self, block: Block, tokens: NDArray[np.uint32], at: NDArray[np.uint32]
    ) -> NDArray[np.bool_]:
        dropped = self._arrays.load("dropped", "documents")
        documents = np.arange(block.first, block.first + block.documents, dtype=np.uint64)
        is_dropped = np.isin(documents, dropped, assume_unique=True)
        ends = np.cumsum(tokens, dtype=np.uint64)
        return is_dropped[np.searchsorted(ends, at, "right")]


class _WindowGrouper:
    """Groups the windows of one bucket."""

    def __init__(self, arrays: Arrays, names: list[str], max_copies: int | None) -> None:
        self._arrays = arrays
        self._names = names
        self._max_copies = max_copies

    def __call__(self, bucket: int) -> Result:
        keys = [f"window_{key}" for key in ("hashes", "at", "before", "after", "dropped")]
        (hashes, at, before, after, dropped), sizes = bucket_slices(
            self._arrays, self._names, bucket, "windows_by", *keys
        )
        blocks = np.arange(len(sizes), dtype=np.uint64).repeat(sizes)
        places = blocks << np.uint64(PLACE_BITS) | at
        members, ends = _core.equal_groups(hashes)
        starts = ends[:-1].astype(np.int64)
        counts = np.diff(ends.astype(np.int64))
        groups = np.arange(len(starts)).repeat(counts)
        flags = _SAME_BEFORE * _is_same(before[members], starts)
        flags |= _SAME_AFTER * _is_same(after[members], starts)
        flags = flags[groups]
        flags[starts] |= _FIRST
        if self._max_copies is not None:
            flags[_is_too_many(~dropped[members], starts, groups, self._max_copies)] |= CUT
        # Back in the order of blocks, without those that occur once.
        group_of = np.full(len(hashes), len(starts), np.uint32)
        group_of[members] = groups
        flags_of = np.zeros(len(hashes), np.uint8)
        flags_of[members] = flags
        is_repeated = group_of < len(starts)
        self._arrays.save(
            f"groups-{bucket}",
            at=at[is_repeated],
            flags=flags_of[is_repeated],
            group=group_of[is_repeated],
            by=_by_block(sizes, is_repeated),
            counts=counts.astype(np.uint32),
            shapes=_shapes(places[members], starts),
            members=places[members],
            starts=ends,
        )
        return {}


def _by_block(sizes: NDArray[np.int64], is_kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Where each block begins in what is kept of arrays that hold so much of each."""
    kept = np.concatenate([[0], np.cumsum(is_kept)])
    by: NDArray[np.int64] = kept[np.concatenate([[0], np.cumsum(sizes)])]
    return by


def _is_same(words: NDArray[np.uint32], starts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Whether the members of each group have one word there; the end of a text is none."""
    if not len(starts):
        return np.empty(0, np.uint8)
    least = np.minimum.reduceat(words, starts)
    return ((least == np.maximum.reduceat(words, starts)) & (least != 0)).astype(np.uint8)


def _is_too_many(
    is_counted: NDArray[np.bool_],
    starts: NDArray[np.int64],
    groups: NDArray[np.int64],
    max_copies: int,
) -> NDArray[np.bool_]:
    """Which members come after so many others of their group."""
    before = np.cumsum(is_counted) - is_counted
    is_late: NDArray[np.bool_] = before - before[starts][groups] >= max_copies
    return is_late & is_counted


def _shapes(places: NDArray[np.uint64], starts: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Of each group a hash of how far its members lie from one another."""
    if not len(starts):
        return np.empty(0, np.uint64)
    gaps = np.diff(places, prepend=np.uint64(0))
    rank = np.arange(len(places)) - starts.repeat(np.diff(np.append(starts, len(places))))
    mixed = _core.fmix64(gaps + rank.astype(np.uint64) * _STEP)
    mixed[starts] = 0
    shapes: NDArray[np.uint64] = np.add.reduceat(mixed, starts)
    return shapes

