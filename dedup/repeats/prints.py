"""Prints: of each block what tells which of its documents and passages may come again.

Takes the blocks, leaves for each its band keys and its anchors (``csrc/repeats.h``), both by
bucket: bucket b of all blocks together holds every key of its range, so that buckets can be joined
one by one.

    BLOCK.tokens.npy      how many words each text has
    BLOCK.contents.npy    hash of the words of each text
    BLOCK.keys.npy, BLOCK.holders.npy, BLOCK.keys_by.npy
                          band keys, whose they are (number in the corpus), where each bucket begins
    BLOCK.anchors.npy, BLOCK.starts.npy, BLOCK.windows.npy, BLOCK.anchors_by.npy
                          anchors, the windows that each is of, where each bucket begins
"""

from functools import partial
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from dedup import _core
from dedup.fingerprint import maps_of
from dedup.repeats.blocks import Block, Corpus, texts_of
from dedup.repeats.settings import Settings
from dedup.repeats.work import Arrays, Result, Stages

__all__ = ["Buckets", "bucket_slices", "make_prints"]

# A text of this length has about as many anchors as are sorted at once: 100 MB of memory.
_ANCHOR_TEXT_BYTES: Final = 256 << 20
# Band keys sorted at once.
_BUCKET_KEYS: Final = 4_000_000


class Buckets:
    """Into how many buckets keys are put; the corpus decides, so any number of jobs agrees."""

    def __init__(self, corpus: Corpus, settings: Settings) -> None:
        self.anchors = 1 + corpus.bytes // _ANCHOR_TEXT_BYTES
        self.keys = 1 + corpus.documents * settings.bands // _BUCKET_KEYS


def make_prints(stages: Stages, corpus: Corpus, settings: Settings) -> tuple[Buckets, int]:
    """Print every block; also, how many words there are."""
    buckets = Buckets(corpus, settings)
    make = partial(_Printer, stages.arrays, settings, buckets)
    printed = stages.run("print", make, corpus.blocks)
    return buckets, sum(result["tokens"] for result in printed)


def bucket_slices(
    arrays: Arrays, names: list[str], bucket: int, by: str, *keys: str
) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
    """One bucket of several arrays, of all names in a row; and how much of it is of each name."""
    parts: list[list[NDArray[Any]]] = [[] for _ in keys]
    sizes = []
    for name in names:
        start, end = arrays.load(name, by)[bucket : bucket + 2].tolist()
        sizes.append(end - start)
        for part, key in zip(parts, keys, strict=True):
            part.append(arrays.load(name, key)[start:end])
    return [np.concatenate(part) for part in parts], np.array(sizes, np.int64)


class _Printer:
    """Prints one block."""

    def __init__(self, arrays: Arrays, settings: Settings, buckets: Buckets) -> None:
        self._arrays = arrays
        self._settings = settings
        self._buckets = buckets
        self._a, self._b = cast("tuple[NDArray[np.uint32], ...]", maps_of(settings.scheme))

    def __call__(self, block: Block) -> Result:
        settings = self._settings
        tokens, contents, keys, anchors, starts, windows = _core.print_texts(
            *texts_of(self._arrays, block),
            settings.min_tokens,
            settings.gram_tokens,
            settings.shingle_size,
            settings.rows,
            self._a,
            self._b,
        )
        # Texts without a word resemble nothing, each other neither.
        is_held = tokens > 0
        keys = keys.reshape(len(tokens), settings.bands)[is_held].ravel()
        numbers = np.arange(block.first, block.first + len(tokens), dtype=np.uint64)[is_held]
        holders = numbers.repeat(settings.bands)
        order, keys_by = _core.bucket_groups(keys, self._buckets.keys)
        anchor_order, anchors_by = _core.bucket_groups(anchors, self._buckets.anchors)
        self._arrays.save(
            block.name,
            tokens=tokens,
            contents=contents,
            keys=keys[order],
            holders=holders[order],
            keys_by=keys_by,
            anchors=anchors[anchor_order],
            starts=starts[anchor_order],
            windows=windows[anchor_order],
            anchors_by=anchors_by,
        )
        return {"tokens": int(tokens.sum(dtype=np.uint64))}
