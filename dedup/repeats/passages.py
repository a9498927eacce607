"""Passages: what the windows that come again make up, where and how often.

Takes the groups of windows. The passage of a window is the longest run of words around it at all of
its places (``csrc/repeats.h``, find_passages); its places are those of the window. What is to be
cut, so that no window keeps more than so many places, is known window by window, and so does not
depend on which passages are told.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup import _core
from dedup.repeats.blocks import Block, Corpus, texts_of
from dedup.repeats.settings import Settings
from dedup.repeats.windows import PLACE_BITS, SURPLUS, block_slices
from dedup.repeats.work import Arrays, Result, Stages

__all__ = ["Cut", "FoundPassages", "Passage", "find_passages"]


@dataclass(frozen=True, slots=True)
class Passage:
    """A run of words that comes again.

    Attributes
    ----------
    id : int
        Hash of its words in order: the same passage has the same in any corpus.
    tokens : int
        Its length in words.
    count : int
        How many places it has, but for those that overlap another of the same document.
    documents : int
        In how many documents these are.
    places : tuple of (int, int, int)
        The first few: number of the document, byte span.
    """

    id: int
    tokens: int
    count: int
    documents: int
    places: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """What is to be cut out of a document: its number, byte spans."""

    document: int
    spans: tuple[tuple[int, int], ...]


class FoundPassages:
    """The passages of a corpus; those that would save the most words first."""

    def __init__(self, arrays: Arrays, blocks: Sequence[Block], found: list[Result]) -> None:
        self._arrays = arrays
        self._blocks = blocks
        self._found = found

    @property
    def repeated_tokens(self) -> int:
        """How many words of the corpus stand in something that comes again."""
        return sum(result["repeated_tokens"] for result in self._found)

    @property
    def cut_tokens(self) -> int:
        """How many words are to be cut."""
        return sum(result["cut_tokens"] for result in self._found)

    def __len__(self) -> int:
        return sum(result["passages"] for result in self._found)

    def __iter__(self) -> Iterator[Passage]:
        load = partial(self._arrays.load, "passages")
        ids, tokens, counts, documents, starts = (
            load(key).tolist() for key in ("ids", "tokens", "counts", "documents", "starts")
        )
        places = [load(key) for key in ("place_numbers", "place_from", "place_to")]
        for row, id in enumerate(ids):
            part = slice(starts[row], starts[row + 1])
            listed = zip(*(column[part].tolist() for column in places), strict=True)
            yield Passage(id, tokens[row], counts[row], documents[row], tuple(listed))

    def cuts(self) -> Iterator[Cut]:
        """What is to be cut, in the order of the corpus."""
        for block in self._blocks:
            numbers, starts, ends = (
                self._arrays.load(block.name, key).tolist()
                for key in ("cut_numbers", "cut_from", "cut_to")
            )
            spans: dict[int, list[tuple[int, int]]] = {}
            for number, start, end in zip(numbers, starts, ends, strict=True):
                spans.setdefault(number, []).append((start, end))
            for number, own in spans.items():
                yield Cut(number, tuple(own))


def find_passages(
    stages: Stages, corpus: Corpus, group_buckets: int, settings: Settings
) -> FoundPassages:
    """The passages of the corpus, and what is to be cut."""
    arrays, blocks = stages.arrays, corpus.blocks
    make = partial(_PassageFinder, arrays, group_buckets, settings)
    found = stages.run("passage", make, blocks)
    placer = partial(_Placer, arrays, blocks, settings.places)
    stages.run("place", placer, range(group_buckets))
    _order_passages(arrays, group_buckets)
    _locate(stages, corpus)
    return FoundPassages(arrays, blocks, found)


class _PassageFinder:
    """Finds the passages that come first in one block, and what of it is to be cut."""

    def __init__(self, arrays: Arrays, group_buckets: int, settings: Settings) -> None:
        self._arrays = arrays
        self._group_buckets = group_buckets
        self._settings = settings

    def __call__(self, block: Block) -> Result:
        parts: list[list[NDArray[Any]]] = []
        for bucket in range(self._group_buckets):
            name = f"groups-{bucket}"
            at, flags, group = block_slices(
                self._arrays, name, block.number, "at", "flags", "group"
            )
            counts = self._arrays.load(name, "counts")[group]
            shapes = self._arrays.load(name, "shapes")[group]
            parts.append([at, flags, group, counts, shapes, np.full(len(at), bucket, np.uint32)])
        at, flags, group, counts, shapes, buckets = map(np.concatenate, zip(*parts, strict=True))
        tokens = self._arrays.load(block.name, "tokens")
        size = self._settings.min_tokens
        starts, lengths, members, offsets = _core.find_passages(
            tokens, at, flags, counts, shapes, size, self._settings.with_variants
        )
        # By bucket, which has the places of each group.
        order = np.argsort(buckets[members], kind="stable")
        by = np.searchsorted(buckets[members][order], np.arange(self._group_buckets + 1))
        self._arrays.save(
            block.name,
            passage_starts=starts[order],
            passage_tokens=lengths[order],
            passage_groups=group[members][order],
            passage_offsets=offsets[order],
            passages_by=by,
        )
        cut_from, cut_to = _union(at[(flags & SURPLUS) != 0], size, tokens)
        self._save_cuts(block, tokens, cut_from, cut_to)
        repeated_from, repeated_to = _union(at, size, tokens)
        return {
            "passages": len(starts),
            "repeated_tokens": int((repeated_to - repeated_from).sum()),
            "cut_tokens": int((cut_to - cut_from).sum()),
        }

    def _save_cuts(
        self,
        block: Block,
        tokens: NDArray[np.uint32],
        starts: NDArray[np.int64],
        ends: NDArray[np.int64],
    ) -> None:
        texts, within = _within_texts(tokens, starts)
        spans_from, spans_to, _ = _core.find_spans(
            *texts_of(self._arrays, block), texts, within, (ends - starts).astype(np.uint32)
        )
        self._arrays.save(
            block.name,
            cut_numbers=texts.astype(np.uint64) + np.uint64(block.first),
            cut_from=spans_from,
            cut_to=spans_to,
        )


def _union(
    at: NDArray[np.uint32], size: int, tokens: NDArray[np.uint32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The stretches of tokens that windows of a size cover, each of one text."""
    is_start = np.zeros(int(tokens.sum(dtype=np.int64)), np.bool_)
    is_start[at] = True
    starts = np.flatnonzero(is_start)
    texts = np.searchsorted(np.cumsum(tokens, dtype=np.int64), starts, "right")
    begins = (np.diff(starts, prepend=-size - 1) > size) | (np.diff(texts, prepend=-1) > 0)
    ends = starts + size
    return starts[begins], ends[np.append(begins[1:], True)[: len(starts)]]


def _within_texts(
    tokens: NDArray[np.uint32], at: NDArray[np.int64]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Which text of a block a token is of, and which token of it."""
    ends = np.cumsum(tokens, dtype=np.int64)
    texts = np.searchsorted(ends, at, "right")
    return texts.astype(np.uint32), (at - (ends[texts] - tokens[texts])).astype(np.uint32)


class _Placer:
    """Counts the places of the passages of one bucket, and lists the first of them."""

    def __init__(self, arrays: Arrays, blocks: Sequence[Block], places: int) -> None:
        self._arrays = arrays
        self._blocks = blocks
        self._places = places
        self._firsts = np.array([block.first for block in blocks], np.int64)

    def __call__(self, bucket: int) -> Result:
        arrays = self._arrays
        ends = [np.cumsum(arrays.load(b.name, "tokens"), dtype=np.int64) for b in self._blocks]
        members = arrays.load(f"groups-{bucket}", "places")
        groups = arrays.load(f"groups-{bucket}", "starts").tolist()
        rows: list[tuple[int, int, int]] = []
        numbers: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        starts: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        for block in self._blocks:
            start, end = arrays.load(block.name, "passages_by")[bucket : bucket + 2].tolist()
            columns = ("passage_tokens", "passage_groups", "passage_offsets")
            own = [arrays.load(block.name, column)[start:end].tolist() for column in columns]
            for tokens, group, offset in zip(*own, strict=True):
                places = members[groups[group] : groups[group + 1]]
                documents, within = self._documents(places, offset, ends)
                rows.append((tokens, len(places), 1 + int(np.count_nonzero(np.diff(documents)))))
                numbers.append(documents[: self._places])
                starts.append(within[: self._places])
        table = np.array(rows, np.uint32).reshape(-1, 3)
        arrays.save(
            f"placed-{bucket}",
            tokens=table[:, 0],
            counts=table[:, 1],
            documents=table[:, 2],
            listed=np.minimum(table[:, 1], self._places),
            numbers=np.concatenate(numbers),
            starts=np.concatenate(starts),
        )
        return {}

    def _documents(
        self, places: NDArray[np.uint64], offset: int, ends: list[NDArray[np.int64]]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The document of each place, by number in the corpus, and its first token there."""
        blocks = (places >> np.uint64(PLACE_BITS)).astype(np.int64)
        at = (places & np.uint64((1 << PLACE_BITS) - 1)).astype(np.int64) - offset
        documents = np.empty(len(places), np.int64)
        for block in np.unique(blocks).tolist():
            is_here = slice(*np.searchsorted(blocks, [block, block + 1]).tolist())
            texts = np.searchsorted(ends[block], at[is_here], "right")
            documents[is_here] = self._firsts[block] + texts
            at[is_here] -= np.where(texts > 0, ends[block][texts - 1], 0)
        return documents, at


def _order_passages(arrays: Arrays, group_buckets: int) -> None:
    """Put the passages of all buckets into the order in which they are told."""
    keys = ("tokens", "counts", "documents", "listed", "numbers", "starts")
    parts = {
        key: np.concatenate(
            [arrays.load(f"placed-{bucket}", key) for bucket in range(group_buckets)]
        )
        for key in keys
    }
    listed = parts["listed"].astype(np.int64)
    first = np.cumsum(listed) - listed
    saved = (parts["counts"].astype(np.int64) - 1) * parts["tokens"]
    order = np.lexsort((parts["tokens"], parts["starts"][first], parts["numbers"][first], -saved))
    sizes = listed[order]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    # The places of each row, in the new order of rows.
    places = first[order].repeat(sizes) + np.arange(starts[-1]) - starts[:-1].repeat(sizes)
    arrays.save(
        "passages",
        tokens=parts["tokens"][order],
        counts=parts["counts"][order],
        documents=parts["documents"][order],
        starts=starts,
        place_numbers=parts["numbers"][places],
        place_starts=parts["starts"][places],
    )


def _locate(stages: Stages, corpus: Corpus) -> None:
    """Turn the places of passages from tokens to bytes."""
    arrays = stages.arrays
    numbers, within = (
        arrays.load("passages", "place_numbers"),
        arrays.load("passages", "place_starts"),
    )
    starts = arrays.load("passages", "starts")
    tokens = arrays.load("passages", "tokens").repeat(np.diff(starts))
    order = np.lexsort((within, numbers))
    arrays.save(
        "asked",
        numbers=numbers[order],
        starts=within[order].astype(np.uint32),
        tokens=tokens[order],
    )
    firsts = [block.first for block in corpus.blocks]
    bounds = np.searchsorted(numbers[order], [*firsts, corpus.documents]).tolist()
    tasks = [
        (block, start, end)
        for block, start, end in zip(corpus.blocks, bounds[:-1], bounds[1:], strict=True)
        if end > start
    ]
    stages.run("locate", partial(_Locator, arrays), tasks)
    located = {}
    for key, dtype in (("from", np.uint32), ("to", np.uint32), ("contents", np.uint64)):
        column = np.empty(len(order), dtype)
        column[order] = np.concatenate(
            [np.empty(0, dtype), *(arrays.load(task[0].name, f"located_{key}") for task in tasks)]
        )
        located[key] = column
    arrays.save(
        "passages",
        ids=located["contents"][starts[:-1]],
        place_from=located["from"],
        place_to=located["to"],
    )


class _Locator:
    """Finds the bytes of the places that are in one block."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays

    def __call__(self, task: tuple[Block, int, int]) -> Result:
        block, start, end = task
        numbers, starts, tokens = (
            self._arrays.load("asked", key)[start:end] for key in ("numbers", "starts", "tokens")
        )
        located_from, located_to, contents = _core.find_spans(
            *texts_of(self._arrays, block),
            (numbers - block.first).astype(np.uint32),
            starts,
            tokens,
        )
        self._arrays.save(
            block.name,
            located_from=located_from,
            located_to=located_to,
            located_contents=contents,
        )
        return {}
