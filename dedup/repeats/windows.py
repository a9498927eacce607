"""Windows: which runs of ``min_tokens`` words come again, each at all of its places.

Takes the anchors of all blocks. A window whose anchor occurs once in the corpus occurs once. The
others are hashed, and grouped by their hash: those of a group of two and more repeat, and these are
all that do. (Two that differ and have one 64-bit hash would be taken for one: a chance of one in a
thousand in 10^8 windows.) Leaves

    repeated-BUCKET   anchors that repeat, the windows they are of, by block
    BLOCK.window_*    windows that may repeat, by bucket of their hash
    groups-BUCKET     windows that do: ``at``, ``flags``, ``group``, by block as ``by`` says, and of
                      each group ``counts``, ``shapes`` and its ``places``, from ``starts`` on
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

__all__ = ["PLACE_BITS", "SURPLUS", "block_slices", "find_windows"]

# Windows grouped at once: 100 MB of memory.
_BUCKET_WINDOWS: Final = 2_000_000

# As csrc/repeats.h has them: an occurrence that is one too many; the bits of a place that are a
# token of its block.
SURPLUS: Final = 8
PLACE_BITS: Final = 32

_MAX_COPIES: Final = 2**32 - 1


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
    group_buckets: int = 1 + windows // _BUCKET_WINDOWS
    arrays.save("dropped", documents=dropped)
    make = partial(_WindowFinder, arrays, buckets.anchors, group_buckets, settings)
    stages.run("window", make, blocks)
    grouper = partial(_WindowGrouper, arrays, names, settings.max_copies)
    stages.run("group", grouper, range(group_buckets))
    return group_buckets


def block_slices(arrays: Arrays, name: str, block: int, *keys: str) -> list[NDArray[Any]]:
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
        by_start = np.argsort(starts)
        tokens = self._arrays.load(block.name, "tokens")
        hashes, at, before, after = _core.find_windows(
            *texts_of(self._arrays, block),
            tokens,
            starts[by_start],
            counts[by_start],
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
    ) -> NDArray[np.uint8]:
        dropped = self._arrays.load("dropped", "documents")
        first, end = np.searchsorted(dropped, [block.first, block.first + block.documents])
        if first == end:
            return np.zeros(len(at), np.uint8)
        is_dropped = np.zeros(block.documents, np.uint8)
        is_dropped[dropped[first:end] - np.uint64(block.first)] = 1
        return is_dropped.repeat(tokens)[at]


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
        blocks = np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint64)
        max_copies = _MAX_COPIES if self._max_copies is None else self._max_copies
        at, flags, groups, by, counts, shapes, places, starts = _core.group_windows(
            hashes, at, before, after, dropped, blocks, max_copies
        )
        self._arrays.save(
            f"groups-{bucket}",
            at=at,
            flags=flags,
            group=groups,
            by=by,
            counts=counts,
            shapes=shapes,
            places=places,
            starts=starts,
        )
        return {}


def _by_block(sizes: NDArray[np.int64], is_kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Where each block begins in what is kept of arrays that hold so much of each."""
    kept = np.concatenate([[0], np.cumsum(is_kept)])
    by: NDArray[np.int64] = kept[np.concatenate([[0], np.cumsum(sizes)])]
    return by
