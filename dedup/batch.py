"""What offline work is done of, task by task: Partitions, and batches cut from those that are long.

A long partition can be read from one end only, so it is read here, once, and its documents are
handed on. Where it is cut hangs on its documents alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final, TypeAlias

from dedup.document import Document, SourceNote, SourceProblem
from dedup.partition import Partition
from dedup.source import is_blank, no_text

__all__ = ["Batch", "Task", "tasks_of", "with_text"]

# Some tenths of a second of work, so that sending it costs little and waiting for the last little.
_BATCH_CHARACTERS: Final = 4 << 20
_BATCH_ITEMS: Final = 4096

Item: TypeAlias = Document | SourceProblem | SourceNote


@dataclass(frozen=True, slots=True)
class Batch:
    """Items of a long partition, that were read already.

    Attributes
    ----------
    partition : Partition
        What it is cut from.
    number : int
        Its place among the batches of that, from 0.
    is_last : bool
        Whether the partition ends with it.
    """

    partition: Partition
    number: int
    is_last: bool
    items: tuple[Item, ...]

    @property
    def source(self) -> str:
        """That of the partition."""
        return self.partition.source

    @property
    def bytes(self) -> int:
        """Of the partition, told by its last batch: how far a reader is, no one knows before."""
        return self.partition.bytes if self.is_last else 0

    def read(self) -> Iterator[Item]:
        """Its items."""
        return iter(self.items)


Task: TypeAlias = Partition | Batch


def tasks_of(partitions: Iterable[Partition]) -> Iterator[Task]:
    """The partitions, the long ones in batches; read one after the other they give the same."""
    for partition in partitions:
        if partition.is_long:
            yield from _cut(partition)
        else:
            yield partition


def _cut(partition: Partition) -> Iterator[Batch]:
    items: list[Item] = []
    size = number = 0
    for item in partition.read():
        if size >= _BATCH_CHARACTERS or len(items) == _BATCH_ITEMS:
            yield Batch(partition, number, False, tuple(items))
            items, size = [], 0
            number += 1
        items.append(item)
        size += len(item.text) if isinstance(item, Document) else 0
    yield Batch(partition, number, True, tuple(items))


def with_text(tasks: Iterable[Task]) -> Iterator[Task]:
    """The tasks; of a source without text or problem one that says so, instead of its own.

    Each source is read up to its first text to find out.
    """
    for source, group in groupby(tasks, key=lambda task: task.source):
        own, held = iter(group), list[Task]()
        for task in own:
            held.append(task)
            if any(_tells(item) for item in task.read()):
                yield from held
                yield from own
                break
        else:
            notes = (i for task in held for i in task.read() if isinstance(i, SourceNote))
            first = held[0].partition if isinstance(held[0], Batch) else held[0]
            yield Batch(first, 0, True, (no_text(source), *notes))


def _tells(item: Item) -> bool:
    """Whether a source with this item is no mistake, or is one that is told already."""
    return isinstance(item, SourceProblem) or (isinstance(item, Document) and not is_blank(item))
