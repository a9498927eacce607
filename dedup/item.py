"""Item: what holds bytes, a file or a member of an archive; and what of it can be read alone."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from dedup.document import Document, SourceProblem
from dedup.packing import Allowance
from dedup.reading import Reading

__all__ = ["CUT_BYTES", "Item", "Label", "Read", "Stretch", "Tally"]

# A stretch: enough work for a worker that the way there is nothing, little enough for many workers.
CUT_BYTES: Final = 8 << 20

# Makes the Document of an id and a text.
Label = Callable[[str, str], Document]
Read = Iterator[Document | SourceProblem]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a file that can be read by itself.

    Attributes
    ----------
    start, stop : int
        Where it begins and ends: of lines in bytes, of Parquet in row groups, of Arrow in batches,
        of zip in members.
    before : int
        How many rows of the file come before it.
    """

    start: int
    stop: int
    before: int = 0


@dataclass(slots=True)
class Tally:
    """What was left out of what was read, by kind, and what was decoded, by encoding."""

    left_out: Counter[str] = field(default_factory=Counter)
    decoded: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Item:
    """What holds bytes: a file, or a member of an archive.

    Attributes
    ----------
    shown, id : str
        Its name in messages; its id, if it is one document.
    is_named : bool
        The user named it itself: what is no text is a problem, not left out.
    label : function
        Makes the Document of an id and a text.
    reading : Reading
        How it is read.
    tally : Tally
        Where is counted what was left out.
    allowance : Allowance
        How much may be unpacked of the file.
    depth : int
        How many archives it lies in.
    """

    shown: str
    id: str
    is_named: bool
    label: Label
    reading: Reading
    tally: Tally = field(default_factory=Tally)
    allowance: Allowance = field(default_factory=Allowance)
    depth: int = 0
