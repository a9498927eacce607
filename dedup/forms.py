"""What a file holds, by the form that its name speaks for: Documents, one at a time.

    ``.jsonl``, ``.ndjson``     a document a line, see ``rows``
    anything else               one document

Any of these may be packed, see ``packing``. Whatever its name, a file inside a tree whose first row
is no row is one document, as it stands; so a name promises nothing that has to be believed.

Of a tree, binary files are left out and counted: images and archives are no mistake there. What the
user named itself is missed if it cannot be read.
"""

import io
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dedup.document import MAX_DOCUMENT_BYTES, READ_ERRORS, Document, SourceProblem, reason_of
from dedup.encoding import NotText, is_binary, recoded
from dedup.packing import Stream, buffered, inner_name, packing_of
from dedup.reading import Reading
from dedup.rows import Label, RowReader, read_lines

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["CUT_BYTES", "Item", "Stretch", "Tally", "cut", "is_long", "read_document", "read_item"]

Read = Iterator[Document | SourceProblem]

# Enough to tell a video from a text without reading it all.
_BEGINNING_BYTES: Final = 1 << 16
_PIECE_BYTES: Final = 1 << 20

# A stretch: enough work for a worker that the way there is nothing, little enough for many workers.
CUT_BYTES: Final = 32 << 20

# What Git LFS leaves in the place of a file it keeps elsewhere.
_LFS_POINTER: Final = re.compile(r"version https://git-lfs\.github\.com/spec/v1\n[^\0]{0,1000}\Z")


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
    """

    shown: str
    id: str
    is_named: bool
    label: Label
    reading: Reading
    tally: Tally

    def rows(self) -> RowReader:
        """What makes Documents of its rows."""
        return RowReader(self.reading, self.shown, self.id, self.label)


def cut(stream: Stream, item: Item) -> Iterator[tuple[Stretch, int]]:
    """Stretches that make up a file, in order, with the bytes of each; none if it has no such form.

    ``stream`` is the file as it lies there, seekable.
    """
    form = _form_of(item.id)
    if form in _CUTS and not packing_of(item.id):
        yield from _CUTS[form](stream, item)


def is_long(name: str) -> bool:
    """Whether a long file of this name may hold many documents, so that it takes long to read."""
    return bool(_form_of(name))


def _form_of(name: str) -> str:
    """The form that the name of a file speaks for, as its usual ending; empty for text."""
    ending = inner_name(name).rpartition("/")[2].rpartition(".")[2]
    return _ENDINGS.get(ending, "")


def read_item(stream: Stream, item: Item, stretch: Stretch | None = None) -> Read:
    """The documents of an item, or of a stretch of it, and in its place every problem met.

    ``stream`` is unpacked; to be closed by the caller.
    """
    try:
        yield from _FORMS.get(_form_of(item.id), _text)(stream, item, stretch)
    except NotText as error:
        yield SourceProblem(item.shown, error.place, str(error))
    except READ_ERRORS as error:
        yield SourceProblem(item.shown, "", reason_of(error))


# ---- text ----------------------------------------------------------------------------------------


def _text(stream: Stream, item: Item, _: Stretch | None = None) -> Read:
    """The whole as one document; inside a tree, what is no text is counted instead."""
    data = stream.read(_BEGINNING_BYTES)
    if not item.is_named and 0 in data and item.reading.encoding.name is None and is_binary(data):
        item.tally.left_out["binary file"] += 1
        return
    data = read_document(stream, data)
    try:
        text, encoding = item.reading.encoding.decode(data)
    except NotText:
        if item.is_named or len(data) > MAX_DOCUMENT_BYTES or not is_binary(data):
            raise
        item.tally.left_out["binary file"] += 1
        return
    if encoding:
        item.tally.decoded[encoding] += 1
    if not item.is_named and _LFS_POINTER.match(text):
        item.tally.left_out["Git LFS pointer"] += 1
    else:
        yield item.label(item.id, text)


def read_document(stream: Stream, beginning: bytes = b"") -> bytes:
    """What the stream holds after the beginning, and this before it; a byte more than a document
    can hold if it is more.
    """
    pieces, left = [beginning], MAX_DOCUMENT_BYTES + 1 - len(beginning)
    while data := stream.read(min(left, _PIECE_BYTES)):
        pieces.append(data)
        left -= len(data)
    return b"".join(pieces)


# ---- lines ---------------------------------------------------------------------------------------


def _lines(stream: Stream, item: Item, stretch: Stretch | None) -> Read:
    if stretch is not None:
        stream.seek(stretch.start)
        part = buffered(_Slice(stream, stretch.stop - stretch.start))
        yield from read_lines(part, item.rows(), stretch.before)
        return

    def rows(stream: Stream) -> Read:
        return read_lines(recoded(stream, item.reading.encoding), item.rows())

    yield from _rows_or_text(stream, item, rows)


def _rows_or_text(stream: Stream, item: Item, read: Callable[[Stream], Read]) -> Read:
    """The rows, unless the item was not named and the first is none: then the whole as it is."""
    if item.is_named:
        yield from read(stream)
        return
    replay = _Replay(stream)
    rows = read(buffered(replay))
    first = next(rows, None)
    if isinstance(first, SourceProblem):
        yield from _text(buffered(replay.again()), item)
    elif first is not None:
        replay.forget()
        yield first
        yield from rows


def _cut_lines(stream: Stream, item: Item) -> Iterator[tuple[Stretch, int]]:
    """Stretches of whole lines; none if the rows are no UTF-8, or the file is no file of rows."""
    if recoded(stream, item.reading.encoding) is not stream:
        return
    if not item.is_named:
        first = next(read_lines(stream, item.rows()), None)
        if isinstance(first, SourceProblem):
            return
        stream.seek(0)
    start = before = position = lines = 0
    while data := stream.read(_PIECE_BYTES):
        position += len(data)
        lines += data.count(b"\n")
        last = data.rfind(b"\n")
        if last >= 0 and position - start >= CUT_BYTES:
            stop = position - len(data) + last + 1
            yield Stretch(start, stop, before), stop - start
            start, before = stop, lines
    if position > start:
        yield Stretch(start, position, before), position - start


class _Slice(io.RawIOBase):
    """So many bytes of a stream, from where it is."""

    def __init__(self, stream: Stream, size: int) -> None:
        self._stream = stream
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")[: self._left]
        count = self._stream.readinto(view)
        self._left -= count
        return count


class _Replay(io.RawIOBase):
    """A stream that keeps what was read of it, until told to forget, and can give it again."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._kept: list[bytes] | None = []
        self._ahead: deque[bytes] = deque()

    def again(self) -> "_Replay":
        """The stream from its beginning; it keeps nothing more."""
        replay = _Replay(self._stream)
        replay._ahead.extend(self._kept or ())
        replay.forget()
        return replay

    def forget(self) -> None:
        self._kept = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        data = self._ahead.popleft() if self._ahead else self._stream.read1(len(view))
        if len(data) > len(view):
            self._ahead.appendleft(data[len(view) :])
            data = data[: len(view)]
        if self._kept is not None:
            self._kept.append(data)
        view[: len(data)] = data
        return len(data)


_CUTS: Final[dict[str, Callable[[Stream, Item], Iterator[tuple[Stretch, int]]]]] = {
    "jsonl": _cut_lines,
}
_FORMS: Final[dict[str, Callable[[Stream, Item, Stretch | None], Read]]] = {"jsonl": _lines}
_ENDINGS: Final = {"jsonl": "jsonl", "ndjson": "jsonl"}
