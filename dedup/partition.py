"""Partitions of the sources: each can be read by itself, wherever it is sent.

Takes the sources that a user names, gives Partitions in an order that depends on names alone; read
one after the other they give the documents of ``read_sources``.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dedup.source import Document, SourceNote, SourceProblem, read_sources

__all__ = ["Partition", "partitions"]


@dataclass(frozen=True, slots=True)
class Partition:
    """Some documents of one source; a small value that can be pickled and read anywhere.

    Attributes
    ----------
    number : int
        Its place in the order of all, from 0.
    source : str
        The source it belongs to, as the user named it.
    bytes : int
        About how much there is to read, packed as it is; 0 if unknown.
    is_long : bool
        It could not be cut: a long compressed file or standard input. Whoever has many workers
        reads it once and hands its documents on.
    """

    number: int
    source: str
    bytes: int = 0
    is_long: bool = False

    def read(self) -> Iterator[Document | SourceProblem | SourceNote]:
        """Its documents, and in its place each problem met; what was left out comes as notes."""
        notes: list[SourceNote] = []
        for item in read_sources([self.source], note=notes.append):
            yield from notes
            notes.clear()
            yield item
        yield from notes


def partitions(sources: Iterable[str | os.PathLike[str]]) -> Iterator[Partition]:
    """The partitions of the sources; lazy."""
    for number, source in enumerate(sources):
        yield Partition(number, os.fspath(source))
