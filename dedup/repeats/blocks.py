"""Blocks: the texts of a corpus as they were read, in files of some megabytes.

Takes Partitions, gives the blocks that all later stages read in their place: sources are read once,
so they may be a pipe, slow, or gone by then. A block is

    BLOCK.text          the texts in UTF-8, one after another
    BLOCK.offsets.npy   where each begins, and the end
    BLOCK.ids           the ids in UTF-8, likewise
    BLOCK.id_offsets.npy
"""

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dedup.batch import Task, tasks_of
from dedup.document import Document, SourceNote
from dedup.engine import Lost
from dedup.partition import Partition
from dedup.repeats.work import Arrays, Result, Stages

__all__ = ["Block", "Corpus", "Texts", "gather", "texts_of"]

# Large enough that a stage opens few files, small enough that its arrays fit many times over.
_BLOCK_BYTES: Final = 32 << 20
# What a task counts at least, as of a part that does not know its size.
_LEAST_BYTES: Final = 4 << 20
# Blocks kept open by whoever looks here and there.
_OPEN_BLOCKS: Final = 64


@dataclass(frozen=True, slots=True)
class Block:
    """Some texts of the corpus.

    Attributes
    ----------
    name : str
        What the names of its files begin with.
    number : int
        Its place among all.
    first : int
        The number of its first document in the corpus.
    documents, bytes : int
        How many it holds.
    """

    name: str
    number: int
    first: int
    documents: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Corpus:
    """What was read of the sources."""

    blocks: tuple[Block, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def documents(self) -> int:
        """How many there are."""
        return sum(block.documents for block in self.blocks)

    @property
    def bytes(self) -> int:
        """The length of all texts."""
        return sum(block.bytes for block in self.blocks)


def gather(stages: Stages, partitions: Iterable[Partition]) -> Corpus:
    """Read all partitions into blocks."""
    tasks = enumerate(_together(tasks_of(partitions)))
    blocks: list[Block] = []
    problems: list[str] = []
    notes: list[str] = []
    first = 0
    for result in stages.each("read", partial(_Gatherer, stages.arrays), tasks):
        if isinstance(result, Lost):
            source = result.task[1][0].source
            problems.append(f"{source}: {result.reason}; a part of it was not read")
            continue
        problems += result["problems"]
        notes += result["notes"]
        for name, documents, size in result["blocks"]:
            blocks.append(Block(name, len(blocks), first, documents, size))
            first += documents
    return Corpus(tuple(blocks), tuple(problems), tuple(notes))


def texts_of(arrays: Arrays, block: Block) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """The texts of a block and their offsets, as the core takes them."""
    return arrays.load_bytes(f"{block.name}.text"), arrays.load(block.name, "offsets")


class Texts:
    """The texts of a corpus by number; quick for numbers that lie together."""

    def __init__(self, arrays: Arrays, blocks: Sequence[Block]) -> None:
        self._arrays = arrays
        self._blocks = blocks
        self._firsts = [block.first for block in blocks]
        self._open: dict[str, _OpenBlock] = {}

    def id(self, number: int) -> str:
        """The id of a document."""
        return self._block(number).id(number)

    def size(self, number: int) -> int:
        """The length of a text in bytes."""
        start, end = self._block(number).bounds(number)
        return end - start

    def content(self, number: int) -> int:
        """The hash of the words of a text."""
        return self._block(number).content(number)

    def slice(self, number: int, start: int = 0, end: int | None = None) -> bytes:
        """The bytes of a text, or a span of them."""
        block = self._block(number)
        first, last = block.bounds(number)
        return block.read(first + start, last if end is None else first + end)

    def _block(self, number: int) -> "_OpenBlock":
        block = self._blocks[bisect_right(self._firsts, number) - 1]
        if block.name not in self._open:
            if len(self._open) >= _OPEN_BLOCKS:
                self._open.clear()
            self._open[block.name] = _OpenBlock(self._arrays, block)
        return self._open[block.name]


class _OpenBlock:
    """The files of a block. Its texts are read and not mapped, which would count as memory."""

    def __init__(self, arrays: Arrays, block: Block) -> None:
        self.first = block.first
        self._texts = (arrays.folder / f"{block.name}.text").open("rb", buffering=0)
        self._offsets = arrays.load(block.name, "offsets")
        self._ids = arrays.load_bytes(f"{block.name}.ids")
        self._id_offsets = arrays.load(block.name, "id_offsets")
        self._contents = partial(arrays.load, block.name, "contents")

    def id(self, number: int) -> str:
        start, end = _bounds(self._id_offsets, number - self.first)
        return self._ids[start:end].tobytes().decode()

    def content(self, number: int) -> int:
        return int(self._contents()[number - self.first])

    def bounds(self, number: int) -> tuple[int, int]:
        return _bounds(self._offsets, number - self.first)

    def read(self, start: int, end: int) -> bytes:
        return os.pread(self._texts.fileno(), end - start, start)


def _bounds(offsets: NDArray[np.uint64], index: int) -> tuple[int, int]:
    return int(offsets[index]), int(offsets[index + 1])


def _together(tasks: Iterable[Task]) -> Iterator[tuple[Task, ...]]:
    """Small ones together, so that their blocks are not small."""
    group: list[Task] = []
    size = 0
    for task in tasks:
        if group and size + task.bytes > _BLOCK_BYTES:
            yield tuple(group)
            group, size = [], 0
        group.append(task)
        size += max(task.bytes, _LEAST_BYTES)
    if group:
        yield tuple(group)


class _Gatherer:
    """Reads partitions, or what was cut from them, and writes their blocks."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays

    def __call__(self, task: tuple[int, Sequence[Task]]) -> Result:
        number, parts = task
        self._prefix = f"{number:07}"
        self._blocks: list[tuple[str, int, int]] = []
        self._begin()
        problems: list[str] = []
        notes: list[str] = []
        for part in parts:
            for item in part.read():
                if isinstance(item, Document):
                    self._add(item)
                elif isinstance(item, SourceNote):
                    notes.append(str(item))
                else:
                    problems.append(str(item))
        self._write()
        result: dict[str, Any] = {"problems": problems, "notes": notes, "blocks": self._blocks}
        return result

    def _begin(self) -> None:
        self._texts: list[bytes] = []
        self._ids: list[bytes] = []
        self._bytes = 0

    def _add(self, document: Document) -> None:
        # A lone surrogate, which JSON can hold, is no character.
        text = document.text.encode("utf-8", "replace")
        if self._texts and self._bytes + len(text) > _BLOCK_BYTES:
            self._write()
        self._texts.append(text)
        self._ids.append(document.id.encode("utf-8", "replace"))
        self._bytes += len(text)

    def _write(self) -> None:
        if not self._texts:
            return
        name = f"{self._prefix}-{len(self._blocks):04}"
        self._arrays.save_bytes(f"{name}.text", self._texts)
        self._arrays.save_bytes(f"{name}.ids", self._ids)
        self._arrays.save(name, offsets=_offsets(self._texts), id_offsets=_offsets(self._ids))
        self._blocks.append((name, len(self._texts), self._bytes))
        self._begin()


def _offsets(pieces: Sequence[bytes]) -> NDArray[np.uint64]:
    return np.array([0, *accumulate(map(len, pieces))], np.uint64)
